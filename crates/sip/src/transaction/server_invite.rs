//! The INVITE server transaction: RFC 3261 §17.2.1, figure 7, with RFC 6026 §7.1 (its figure 7).

use std::time::Duration;

use super::{Effects, Failure, Send, Timer, TimerValues};
use crate::message::StatusCode;

/// The states of figure 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerInviteState {
    /// The transaction user has not answered for good.
    Proceeding,
    /// A failure response is being sent until the ACK comes.
    Completed,
    /// The ACK came; its retransmissions are absorbed.
    Confirmed,
    /// A 2xx was sent; INVITE retransmissions are absorbed, the user repeats the 2xx (RFC 6026).
    Accepted,
    /// Over.
    Terminated,
}

/// The INVITE server transaction.
#[derive(Debug, Clone, Copy)]
pub struct ServerInvite {
    state: ServerInviteState,
    reliable: bool,
    interval: Duration,
    values: TimerValues,
}

impl ServerInvite {
    /// A new INVITE came.
    pub const fn start(values: TimerValues, reliable: bool) -> Self {
        Self {
            state: ServerInviteState::Proceeding,
            reliable,
            interval: values.t1,
            values,
        }
    }

    /// The state.
    pub const fn state(&self) -> ServerInviteState {
        self.state
    }

    /// The INVITE came again.
    pub const fn on_retransmission(&self) -> Effects {
        use ServerInviteState::{Accepted, Completed, Confirmed, Proceeding, Terminated};
        match self.state {
            Proceeding | Completed => Effects::NONE.send(Send::Response),
            Accepted | Confirmed | Terminated => Effects::NONE,
        }
    }

    /// The transaction user answers.
    pub const fn on_answer(&mut self, status: StatusCode) -> Effects {
        use ServerInviteState::{Accepted, Completed, Confirmed, Proceeding, Terminated};
        match self.state {
            Proceeding if status.is_provisional() => Effects::NONE.send(Send::Response),
            Proceeding if status.is_success() => {
                self.state = Accepted;
                Effects::NONE
                    .send(Send::Response)
                    .timer(Timer::L, self.values.give_up())
            }
            Proceeding => {
                self.state = Completed;
                let effects = Effects::NONE
                    .send(Send::Response)
                    .timer(Timer::H, self.values.give_up());
                if self.reliable {
                    effects
                } else {
                    effects.timer(Timer::G, self.values.t1)
                }
            }
            Accepted if status.is_success() => Effects::NONE.send(Send::Response),
            Accepted | Completed | Confirmed | Terminated => Effects::NONE,
        }
    }

    /// An ACK came that belongs to this transaction.
    pub const fn on_ack(&mut self) -> Effects {
        use ServerInviteState::{Accepted, Completed, Confirmed, Proceeding, Terminated};
        match self.state {
            Completed if self.reliable => {
                self.state = Terminated;
                Effects::NONE.end()
            }
            Completed => {
                self.state = Confirmed;
                Effects::NONE.timer(Timer::I, self.values.t4)
            }
            Accepted => Effects::NONE.deliver(),
            Proceeding | Confirmed | Terminated => Effects::NONE,
        }
    }

    /// A timer fired.
    pub fn on_timer(&mut self, timer: Timer) -> Effects {
        use ServerInviteState::{Accepted, Completed, Confirmed, Terminated};
        match (self.state, timer) {
            (Completed, Timer::G) => {
                self.interval = self.interval.saturating_mul(2).min(self.values.t2);
                Effects::NONE
                    .send(Send::Response)
                    .timer(Timer::G, self.interval)
            }
            (Completed, Timer::H) => {
                self.state = Terminated;
                Effects::NONE.fail(Failure::Timeout)
            }
            (Confirmed, Timer::I) | (Accepted, Timer::L) => {
                self.state = Terminated;
                Effects::NONE.end()
            }
            _ => Effects::NONE,
        }
    }
}
