//! The end of a sidecar.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Sidecar;
use super::threads::join;
use crate::front::ToFront;
use crate::handover::Frame;
use crate::worker::ToWorker;

/// After the calls were hung up, so long their handlers may take to hear of it.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How often the end of the last call is looked for.
const LOOK: Duration = Duration::from_millis(10);

impl Sidecar {
    /// Ends it: no new calls (503); running calls get `[limits] shutdown-seconds`, then every leg a BYE and the
    /// handler its HANGUP. A process that it took over from, and that still has calls, ends in the same way.
    pub async fn shutdown(mut self) {
        let handed_over = self.has_handed_over();
        // What is new, and our registrations, are the other process's then.
        if !handed_over {
            self.draining.store(true, Ordering::Relaxed);
            self.front
                .order(|holds| ToFront::Drain { on: true, holds })
                .await;
        }
        if let Some(elder) = self.elder.as_ref().filter(|elder| elder.lives()) {
            elder.link().send(Frame::End);
        }
        let patience = if self.failures.any() {
            // Nobody hears how the calls go on.
            Duration::ZERO
        } else {
            Duration::from_secs(self.config.limits.shutdown_seconds.into())
        };
        if !self.quiet_within(patience).await {
            for worker in &self.workers {
                worker.send(ToWorker::HangUpAll);
            }
            if !self.quiet_within(LAST_WORDS).await {
                tracing::warn!(
                    calls = self.figures.snapshot().calls,
                    "calls were still open at the end"
                );
            }
        }
        if !handed_over && !self.failures.any() {
            self.unregistered_within(LAST_WORDS).await;
        }
        self.stop_threads();
        let threads = std::mem::take(&mut self.threads);
        let stores = std::mem::take(&mut self.store_threads);
        let (recordings, trace) = (self.recordings.clone(), self.trace.clone());
        let (call_details, journal) = (self.call_details.clone(), self.journal.clone());
        let tap = self.tap.clone();
        let phones = Arc::clone(&self.phones);
        let predecessor = self.predecessor.clone();
        let joined = tokio::task::spawn_blocking(move || {
            join(threads);
            if let Some(bindings) = phones.due() {
                phones.write(&bindings);
            }
            // What the workers left is written before the stores end.
            recordings.stop();
            journal.stop();
            if let Some(records) = call_details {
                records.stop();
            }
            trace.stop();
            tap.stop();
            join(stores);
            // The journal is closed: nobody has to end what is not there.
            if let Some(predecessor) = predecessor {
                predecessor.say_bye();
            }
        });
        let _ = joined.await;
        if let Some(task) = self.telemetry_task.take() {
            // The trace's thread, which sent to it, has ended: it posts what it has left.
            let _ = tokio::time::timeout(LAST_WORDS, task).await;
        }
        if let Some(server) = self.control_server.take() {
            server.stop().await;
        }
    }

    /// Registrars are told that nobody is here any more, before the workers end.
    async fn unregistered_within(&self, limit: Duration) {
        let until = Instant::now() + limit;
        while self.trunks.registrations().any() && Instant::now() < until {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits for the last call, here and in the process that was taken over from, for which messages are read here.
    async fn quiet_within(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        let busy = || {
            self.figures.calls.load(Ordering::Relaxed) > 0
                || self.elder.as_ref().is_some_and(|elder| elder.lives())
        };
        while busy() {
            if Instant::now() >= until {
                return false;
            }
            tokio::time::sleep(LOOK).await;
        }
        true
    }
}

impl Drop for Sidecar {
    /// Without [`Sidecar::shutdown`] the threads are only told to end.
    fn drop(&mut self) {
        self.stop_threads();
        if let Some(task) = &self.asking_task {
            task.abort();
        }
        if !self.store_threads.is_empty() {
            self.recordings.stop();
            self.journal.stop();
            if let Some(records) = &self.call_details {
                records.stop();
            }
            self.trace.stop();
            self.tap.stop();
        }
        if let Some(predecessor) = &self.predecessor {
            predecessor.abort();
        }
        if let Some(server) = &self.control_server {
            server.abort();
        }
    }
}
