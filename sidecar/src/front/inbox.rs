//! The way from the front to a worker: a bounded queue, and a waker that is used once a batch.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Sender, TrySendError};
use mio::Waker;
use skillcall_sip::endpoint::{Flow, TransmitId};
use skillcall_sip::message::Message;

use super::pressure::Gauge;

/// What the front gives a worker.
#[derive(Debug)]
pub(crate) enum FromFront {
    /// A message that passed admission.
    Message {
        /// How it came.
        flow: Flow,
        /// The message.
        message: Message,
        /// When it came.
        came: Instant,
    },
    /// A message of the worker's could not be sent.
    TransmitFailed(TransmitId),
    /// An answer to a keep-alive of ours, for the worker that registers.
    Binding {
        /// Whose.
        from: SocketAddr,
        /// The transaction (RFC 8489 §5).
        id: [u8; 12],
        /// Where we are seen.
        seen_at: SocketAddr,
    },
}

/// One worker, as the front sees it.
pub(crate) struct WorkerPort {
    queue: Sender<FromFront>,
    waker: Arc<Waker>,
    high_water: usize,
    gauge: Gauge,
    pushed: bool,
}

impl WorkerPort {
    /// The sending end of a worker's queue of `capacity` messages.
    pub(crate) fn new(
        queue: Sender<FromFront>,
        waker: Arc<Waker>,
        capacity: usize,
        gauge: Gauge,
    ) -> Self {
        Self {
            queue,
            waker,
            high_water: capacity / 2,
            gauge,
            pushed: false,
        }
    }

    /// Whether new calls should stay away: the worker is behind, or what is queued for running calls needs the room.
    pub(crate) fn is_full(&self, now: Instant) -> bool {
        self.queue.len() >= self.high_water || self.gauge.is_behind(now)
    }

    /// Queues something; false when there is no room.
    pub(crate) fn push(&mut self, what: FromFront) -> bool {
        self.pushed = true;
        match self.queue.try_send(what) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }

    /// Wakes the worker when something was queued since the last time.
    pub(crate) fn wake_if_needed(&mut self) {
        if std::mem::take(&mut self.pushed) {
            // A worker that cannot be woken has ended.
            let _ = self.waker.wake();
        }
    }
}
