//! A worker that panics is started anew, on the same thread and behind the same queues, so that the front and the
//! control API need not know. Its calls are lost: nothing that a panic has left half done is used again but the SIP
//! endpoint, which still has to take leave of the peers.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use skillcall_sip::endpoint::Endpoint;
use skillcall_sip::message::StatusCode;

use super::{AFTERLIFE, Running, Worker};
use crate::failure::said;

/// An endpoint that takes leave is kept for as long as its messages are repeated: 64·T1 (RFC 3261 §17.1.1.2).
/// A panic in that time is blamed on it.
const LEAVE: Duration = Duration::from_secs(32);
/// Between two panics at least, so that a worker which cannot even start does not take a core.
const PAUSE: Duration = Duration::from_millis(100);

/// Runs a worker until it is told to stop.
pub(super) fn supervise(mut worker: Running) {
    loop {
        match catch_unwind(AssertUnwindSafe(|| worker.run())) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => {
                let why = format!("it cannot wait for its sockets: {error}");
                let thread = format!("worker-{}", worker.index);
                return worker.shared.failures.report(&thread, &why);
            }
            Err(panic) => worker = worker.again(&*panic),
        }
    }
}

impl Running {
    /// The same worker without its calls.
    fn again(mut self, panic: &(dyn Any + Send)) -> Self {
        tracing::error!(
            worker = self.index,
            panic = said(panic),
            calls = self.calls.len(),
            "a worker panicked: its calls are lost, and it starts anew"
        );
        self.shared
            .figures
            .worker_panics
            .fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let since = self
            .panicked
            .map(|before| now.saturating_duration_since(before));
        if since.is_some_and(|since| since < PAUSE) {
            std::thread::sleep(PAUSE);
        }
        let told = catch_unwind(AssertUnwindSafe(|| self.take_leave(now))).is_ok();
        let endpoint_is_sound = told && since.is_none_or(|since| since > LEAVE);

        let Self {
            index,
            shared,
            poll,
            front_queue,
            queue,
            handle,
            mut sip,
            endpoint,
            udp,
            mut ports,
            calls,
            media,
            dialogs,
            serial,
            waits,
            hanging_up,
            stopping,
            ..
        } = self;
        // Closes the sockets, completes the recordings, gives the counters back.
        drop((calls, media));
        ports.reclaim(now);
        let endpoint = if endpoint_is_sound {
            endpoint
        } else {
            // Requests within dialogs of the lost one get 481.
            sip.seed = rand::random();
            Endpoint::new(sip.clone())
        };
        let worker = Worker {
            index,
            poll,
            front_queue,
            queue,
            handle,
            sip,
            udp,
            ports,
            gauge: waits.into_gauge(),
        };
        let mut again = Self::new(worker, endpoint, shared);
        // What still comes for a lost call must not meet a new one.
        again.serial = serial;
        // The last messages of the lost calls are still told to be theirs.
        let until = now + AFTERLIFE;
        again.ended_dialogs = dialogs.keys().map(|id| (until, id.clone())).collect();
        again.dialogs = dialogs;
        again.hanging_up = hanging_up;
        again.stopping = stopping;
        again.panicked = Some(now);
        again
    }

    /// Ends every call's SIP dialogs, and says so in its trace.
    fn take_leave(&mut self, now: Instant) {
        self.endpoint
            .end_all(now, StatusCode::SERVER_INTERNAL_ERROR);
        self.transmit();
        for (_, call) in &self.calls {
            let ids = Arc::clone(&call.ids);
            self.shared
                .trace
                .note(&ids, true, "the call is lost: its worker panicked");
            if call.engine.as_gateway().is_some() {
                // It stays in the journal until Alexa knows.
                self.tell_lost(call);
                continue;
            }
            self.shared
                .journal
                .ended(call.engine.transaction_id().as_str());
        }
    }
}
