//! The gateway's times. None is documented (facts G11): the defaults are our choice.

use std::time::{Duration, Instant};

/// How long things may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Times {
    /// From the call's beginning to its answer.
    pub(crate) ring: Duration,
    /// From InitiateInboundCall, or the INVITE, to the first sign of life.
    pub(crate) react: Duration,
    /// From a message of ours to its acknowledgement, where the call cannot go on without it.
    pub(crate) ack: Duration,
    /// How long the next message waits for the acknowledgement of the one before.
    pub(crate) ack_patience: Duration,
    /// From the answer to media that flow on Alexa's leg.
    pub(crate) connect: Duration,
    /// A whole call.
    pub(crate) session: Duration,
    /// Without a packet on a leg that is not held.
    pub(crate) silence: Duration,
    /// How long a crossing CallEnded is waited for.
    pub(crate) crossing: Duration,
    /// How long a cancelled INVITE may take to say so: a little more than 64·T1 (RFC 3261 §9.1).
    pub(crate) cancel: Duration,
    /// How long CallEnded is tried.
    pub(crate) farewell: Duration,
    /// The first pause before a message is sent again; each one is twice the one before.
    pub(crate) retry: Duration,
    /// The longest such pause.
    pub(crate) retry_most: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            ring: Duration::from_secs(60),
            react: Duration::from_secs(10),
            ack: Duration::from_secs(10),
            ack_patience: Duration::from_secs(2),
            connect: Duration::from_secs(15),
            session: Duration::from_secs(14_400),
            silence: Duration::from_secs(30),
            crossing: Duration::from_secs(2),
            cancel: Duration::from_secs(35),
            farewell: Duration::from_secs(30),
            retry: Duration::from_millis(500),
            retry_most: Duration::from_secs(8),
        }
    }
}

/// What a session waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The answer.
    Ring,
    /// The first sign of life.
    React,
    /// Half of the time for CallAcceptedAck: CallAccepted is said once more.
    Repeat,
    /// CallAcceptedAck.
    Ack,
    /// Media on Alexa's leg.
    Connect,
    /// The end of the longest call.
    Session,
    /// A CallEnded that crosses.
    Crossing,
    /// The end of a cancelled INVITE.
    Cancel,
    /// CallUpdateResponse.
    Update,
    /// Our CallEnded.
    Farewell,
}

/// The timers that run.
#[derive(Debug, Default)]
pub(super) struct Timers(Vec<(Timer, Instant)>);

impl Timers {
    /// Starts a timer, or starts it anew.
    pub(super) fn set(&mut self, timer: Timer, due: Instant) {
        self.stop(timer);
        self.0.push((timer, due));
    }

    pub(super) fn stop(&mut self, timer: Timer) {
        self.0.retain(|(other, _)| *other != timer);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn runs(&self, timer: Timer) -> bool {
        self.0.iter().any(|(other, _)| *other == timer)
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.0.iter().map(|(_, due)| *due).min()
    }

    /// A timer that has run out, the earliest first; it runs no more.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let place = (0..self.0.len())
            .filter(|place| self.0.get(*place).is_some_and(|(_, due)| *due <= now))
            .min_by_key(|place| self.0.get(*place).map(|(_, due)| *due))?;
        Some(self.0.swap_remove(place).0)
    }
}
