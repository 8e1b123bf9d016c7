//! The INVITE client transaction: RFC 3261 §17.1.1, figure 5, with RFC 6026 §7.2 (its figure 5).

use std::time::Duration;

use super::{Effects, Failure, Send, Timer, TimerValues};
use crate::message::StatusCode;

/// The states of figure 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientInviteState {
    /// The request is being sent.
    Calling,
    /// A provisional response came.
    Proceeding,
    /// A failure response came and is acknowledged.
    Completed,
    /// A 2xx came; more may come from other forks (RFC 6026).
    Accepted,
    /// Over.
    Terminated,
}

/// The INVITE client transaction.
#[derive(Debug, Clone, Copy)]
pub struct ClientInvite {
    state: ClientInviteState,
    reliable: bool,
    interval: Duration,
    values: TimerValues,
}

impl ClientInvite {
    /// Starts the transaction: the request goes out, timers A (unreliable transports) and B run.
    pub const fn start(values: TimerValues, reliable: bool) -> (Self, Effects) {
        let machine = Self {
            state: ClientInviteState::Calling,
            reliable,
            interval: values.t1,
            values,
        };
        let effects = Effects::NONE
            .send(Send::Request)
            .timer(Timer::B, values.give_up());
        (
            machine,
            if reliable {
                effects
            } else {
                effects.timer(Timer::A, values.t1)
            },
        )
    }

    /// The state.
    pub const fn state(&self) -> ClientInviteState {
        self.state
    }

    /// A response came.
    pub const fn on_response(&mut self, status: StatusCode) -> Effects {
        use ClientInviteState::{Accepted, Calling, Completed, Proceeding, Terminated};
        match self.state {
            Calling | Proceeding if status.is_provisional() => {
                self.state = Proceeding;
                Effects::NONE.deliver()
            }
            Calling | Proceeding if status.is_success() => {
                self.state = Accepted;
                Effects::NONE
                    .deliver()
                    .timer(Timer::M, self.values.give_up())
            }
            Calling | Proceeding => {
                let effects = Effects::NONE.send(Send::Ack).deliver();
                if self.reliable {
                    self.state = Terminated;
                    return effects.end();
                }
                self.state = Completed;
                // Timer D is at least 32 s whatever T1 is.
                let least = Duration::from_secs(32);
                let wait = self.values.give_up();
                effects.timer(
                    Timer::D,
                    if wait.as_millis() > least.as_millis() {
                        wait
                    } else {
                        least
                    },
                )
            }
            Completed if status.is_failure() => Effects::NONE.send(Send::Ack),
            Accepted if status.is_success() => Effects::NONE.deliver(),
            Completed | Accepted | Terminated => Effects::NONE,
        }
    }

    /// A timer fired.
    pub const fn on_timer(&mut self, timer: Timer) -> Effects {
        use ClientInviteState::{Accepted, Calling, Completed, Terminated};
        match (self.state, timer) {
            (Calling, Timer::A) => {
                self.interval = self.interval.saturating_mul(2);
                Effects::NONE
                    .send(Send::Request)
                    .timer(Timer::A, self.interval)
            }
            (Calling, Timer::B) => {
                self.state = Terminated;
                Effects::NONE.fail(Failure::Timeout)
            }
            (Completed, Timer::D) | (Accepted, Timer::M) => {
                self.state = Terminated;
                Effects::NONE.end()
            }
            _ => Effects::NONE,
        }
    }

    /// The transport could not send.
    pub const fn on_transport_error(&mut self) -> Effects {
        use ClientInviteState::{Accepted, Calling, Completed, Proceeding, Terminated};
        match self.state {
            Calling | Completed => {
                self.state = Terminated;
                Effects::NONE.fail(Failure::Transport)
            }
            Proceeding | Accepted | Terminated => Effects::NONE,
        }
    }
}
