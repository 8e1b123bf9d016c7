//! The four transaction machines of RFC 3261 §17, with the Accepted states of RFC 6026.
//!
//! Each machine is a pure function of its state and what happens: it says what to send, what to tell the transaction
//! user and which timers to start, and holds neither bytes nor clocks. A timer is never stopped: a machine that has
//! moved on answers a stale one with no effect.

mod client_invite;
mod client_other;
mod key;
mod server_invite;
mod server_other;
mod timers;

use std::time::Duration;

pub use client_invite::{ClientInvite, ClientInviteState};
pub use client_other::{ClientOther, ClientOtherState};
pub use server_invite::{ServerInvite, ServerInviteState};
pub use server_other::{ServerOther, ServerOtherState};
pub use timers::TimerLanes;

pub(crate) use key::server_key;

/// T1, T2 and T4 (RFC 3261 §17.1.1.1, table 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimerValues {
    /// Round-trip time estimate.
    pub t1: Duration,
    /// Longest interval between retransmissions.
    pub t2: Duration,
    /// How long a message may stay in the network.
    pub t4: Duration,
}

impl Default for TimerValues {
    /// 500 ms, 4 s, 5 s.
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
        }
    }
}

impl TimerValues {
    /// 64·T1: how long a transaction is tried or remembered (timers B, F, H, J, L, M).
    pub const fn give_up(&self) -> Duration {
        self.t1.saturating_mul(64)
    }
}

/// The timers of RFC 3261 table 4 and RFC 6026 §7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Timer {
    /// INVITE request retransmission.
    A,
    /// INVITE transaction timeout.
    B,
    /// Wait for response retransmissions after a failed INVITE.
    D,
    /// Non-INVITE request retransmission.
    E,
    /// Non-INVITE transaction timeout.
    F,
    /// INVITE response retransmission.
    G,
    /// Wait for the ACK.
    H,
    /// Wait for ACK retransmissions.
    I,
    /// Wait for non-INVITE request retransmissions.
    J,
    /// Wait for non-INVITE response retransmissions.
    K,
    /// Wait for accepted INVITE retransmissions (RFC 6026).
    L,
    /// Wait for retransmissions of 2xx and for those of other forks (RFC 6026).
    M,
}

/// What a machine wants sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Send {
    /// The request, again or for the first time.
    Request,
    /// The ACK for a failure response.
    Ack,
    /// The last response, again or for the first time.
    Response,
}

/// Why a transaction failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Timer B, F or H fired.
    Timeout,
    /// The transport failed (RFC 3261 §17.1.4, §17.2.4).
    Transport,
}

/// What follows from one input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Effects {
    /// To be sent now.
    pub send: Option<Send>,
    /// The message goes to the transaction user.
    pub deliver: bool,
    /// Timers to start.
    pub timers: [Option<(Timer, Duration)>; 2],
    /// The transaction user is told of a failure.
    pub failure: Option<Failure>,
    /// The transaction is over and can be forgotten.
    pub ended: bool,
}

impl Effects {
    const NONE: Self = Self {
        send: None,
        deliver: false,
        timers: [None, None],
        failure: None,
        ended: false,
    };

    const fn send(mut self, what: Send) -> Self {
        self.send = Some(what);
        self
    }

    const fn deliver(mut self) -> Self {
        self.deliver = true;
        self
    }

    const fn timer(mut self, timer: Timer, after: Duration) -> Self {
        let slot = if self.timers[0].is_none() { 0 } else { 1 };
        self.timers[slot] = Some((timer, after));
        self
    }

    const fn fail(mut self, failure: Failure) -> Self {
        self.failure = Some(failure);
        self.ended = true;
        self
    }

    const fn end(mut self) -> Self {
        self.ended = true;
        self
    }
}
