//! The way to the trace's thread.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use crossbeam_channel::{Sender, TrySendError};
use skillcall_media::quality::Figures as LegFigures;
use skillcall_protocol::trace::{Direction, MediaFigures, Text};
use tokio::sync::oneshot;

use super::CallIds;
use super::entry::{Entry, HandlerExchange, What};
use super::store::Files;
use crate::engine::LegId;
use crate::figures::Figures;
use crate::recording::Stored;
use crate::telemetry::Telemetry;

/// Things that may wait to be written.
const QUEUE: usize = 16 * 1024;

pub(super) enum Job {
    Entry(Entry),
    /// A record of another part, redacted already.
    Line(String),
    Flush(oneshot::Sender<()>),
    Stop,
}

/// Takes what is to be traced; never waits.
#[derive(Clone)]
pub(crate) struct TraceSink {
    jobs: Sender<Job>,
    figures: Arc<Figures>,
}

impl TraceSink {
    /// Starts the thread that writes to `files`.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(
        mut files: Files,
        figures: Arc<Figures>,
        telemetry: Option<Telemetry>,
    ) -> std::io::Result<(Self, std::thread::JoinHandle<()>)> {
        let (jobs, queue) = crossbeam_channel::bounded(QUEUE);
        let thread = std::thread::Builder::new()
            .name("trace".into())
            .spawn(move || {
                let mut seq = 0;
                while let Ok(job) = queue.recv() {
                    match job {
                        Job::Entry(entry) => {
                            seq += 1;
                            let record = entry.into_record(seq);
                            if let Some(telemetry) = &telemetry {
                                telemetry.take(&record);
                            }
                            files.write(&record.to_line());
                        }
                        Job::Line(line) => files.write(&line),
                        Job::Flush(done) => {
                            files.flush();
                            let _ = done.send(());
                        }
                        Job::Stop => break,
                    }
                    if queue.is_empty() {
                        files.flush();
                    }
                }
                files.flush();
            })?;
        Ok((Self { jobs, figures }, thread))
    }

    fn put(&self, (ids, leg): (Arc<CallIds>, Option<LegId>), what: What) {
        self.job(Job::Entry(Entry {
            at: SystemTime::now(),
            ids,
            leg,
            what,
        }));
    }

    fn job(&self, job: Job) {
        if let Err(TrySendError::Full(_)) = self.jobs.try_send(job) {
            self.figures.trace_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A SIP message of a call's leg.
    pub(crate) fn sip(&self, ids: &Arc<CallIds>, leg: LegId, direction: Direction, wire: &[u8]) {
        if !ids.is_traced() {
            return;
        }
        let what = What::Sip {
            direction,
            leg,
            wire: wire.to_vec(),
        };
        self.put((Arc::clone(ids), Some(leg)), what);
    }

    /// A call that is not placed, its answer, and why.
    pub(crate) fn refused_call(&self, invite: &[u8], reply: &[u8], csi: Option<String>, why: &str) {
        let ids = Arc::new(CallIds::refused(csi));
        self.sip(&ids, LegId::A, Direction::Received, invite);
        self.note(&ids, true, why);
        self.sip(&ids, LegId::A, Direction::Sent, reply);
    }

    /// A digit of a leg's audio has ended (RFC 4733). `shown`: which it was, if that may be told.
    pub(crate) fn digit(
        &self,
        ids: &Arc<CallIds>,
        leg: LegId,
        direction: Direction,
        sounded: Duration,
        shown: Option<char>,
    ) {
        if !ids.is_traced() {
            return;
        }
        let what = What::Digit {
            direction,
            leg,
            sounded,
            shown,
        };
        self.put((Arc::clone(ids), Some(leg)), what);
    }

    /// A handler was asked.
    pub(crate) fn handler(&self, ids: &Arc<CallIds>, exchange: HandlerExchange) {
        if !ids.is_traced() {
            return;
        }
        self.put((Arc::clone(ids), None), What::Handler(Box::new(exchange)));
    }

    /// A line for people.
    pub(crate) fn note(&self, ids: &Arc<CallIds>, problem: bool, text: &str) {
        if !ids.is_traced() {
            return;
        }
        self.put(
            (Arc::clone(ids), None),
            What::Note {
                problem,
                text: text.to_owned(),
            },
        );
    }

    /// A leg's audio in figures, at its end.
    pub(crate) fn media(&self, ids: &Arc<CallIds>, leg: LegId, codec: &str, figures: &LegFigures) {
        if !ids.is_traced() {
            return;
        }
        let figures = MediaFigures {
            leg: Text::line(leg.tag().as_str()),
            codec: Text::line(codec),
            sent: figures.packets_sent,
            received: figures.packets_received,
            lost: figures.packets_lost,
            late: figures.packets_late,
            jitter_ms: figures.jitter_max_ms,
            mos: figures.mos().unwrap_or(0.0),
        };
        self.put((Arc::clone(ids), Some(leg)), What::Media(figures));
    }

    /// A recording is complete.
    pub(crate) fn recording(&self, ids: &Arc<CallIds>, leg: LegId, stored: &Stored) {
        if !ids.is_traced() {
            return;
        }
        self.put(
            (Arc::clone(ids), Some(leg)),
            What::Recording {
                object: stored.object.clone(),
                seconds: stored.seconds,
            },
        );
    }

    /// A record of another part; false when there was no room.
    pub(crate) fn line(&self, line: String) -> bool {
        let taken = self.jobs.try_send(Job::Line(line)).is_ok();
        if !taken {
            self.figures.trace_dropped.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    /// Waits until everything handed over before is in the files.
    pub(crate) async fn flushed(&self) {
        let (done, waiting) = oneshot::channel();
        let jobs = self.jobs.clone();
        let sent = tokio::task::spawn_blocking(move || jobs.send(Job::Flush(done)).is_ok()).await;
        if matches!(sent, Ok(true)) {
            let _ = waiting.await;
        }
    }

    /// Ends the thread, once everything that waits is written.
    pub(crate) fn stop(&self) {
        let _ = self.jobs.send(Job::Stop);
    }
}
