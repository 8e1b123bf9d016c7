//! The non-INVITE client transaction: RFC 3261 §17.1.2, figure 6.

use std::time::Duration;

use super::{Effects, Failure, Send, Timer, TimerValues};
use crate::message::StatusCode;

/// The states of figure 6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientOtherState {
    /// The request is being sent.
    Trying,
    /// A provisional response came.
    Proceeding,
    /// A final response came.
    Completed,
    /// Over.
    Terminated,
}

/// The non-INVITE client transaction.
#[derive(Debug, Clone, Copy)]
pub struct ClientOther {
    state: ClientOtherState,
    reliable: bool,
    interval: Duration,
    values: TimerValues,
}

impl ClientOther {
    /// Starts the transaction: the request goes out, timers E (unreliable transports) and F run.
    pub const fn start(values: TimerValues, reliable: bool) -> (Self, Effects) {
        let machine = Self {
            state: ClientOtherState::Trying,
            reliable,
            interval: values.t1,
            values,
        };
        let effects = Effects::NONE
            .send(Send::Request)
            .timer(Timer::F, values.give_up());
        (
            machine,
            if reliable {
                effects
            } else {
                effects.timer(Timer::E, values.t1)
            },
        )
    }

    /// The state.
    pub const fn state(&self) -> ClientOtherState {
        self.state
    }

    /// A response came.
    pub const fn on_response(&mut self, status: StatusCode) -> Effects {
        use ClientOtherState::{Completed, Proceeding, Terminated, Trying};
        match self.state {
            Trying | Proceeding if status.is_provisional() => {
                self.state = Proceeding;
                Effects::NONE.deliver()
            }
            Trying | Proceeding => {
                if self.reliable {
                    self.state = Terminated;
                    return Effects::NONE.deliver().end();
                }
                self.state = Completed;
                Effects::NONE.deliver().timer(Timer::K, self.values.t4)
            }
            Completed | Terminated => Effects::NONE,
        }
    }

    /// A timer fired.
    pub fn on_timer(&mut self, timer: Timer) -> Effects {
        use ClientOtherState::{Completed, Proceeding, Terminated, Trying};
        match (self.state, timer) {
            (Trying, Timer::E) => {
                self.interval = self.interval.saturating_mul(2).min(self.values.t2);
                Effects::NONE
                    .send(Send::Request)
                    .timer(Timer::E, self.interval)
            }
            (Proceeding, Timer::E) => Effects::NONE
                .send(Send::Request)
                .timer(Timer::E, self.values.t2),
            (Trying | Proceeding, Timer::F) => {
                self.state = Terminated;
                Effects::NONE.fail(Failure::Timeout)
            }
            (Completed, Timer::K) => {
                self.state = Terminated;
                Effects::NONE.end()
            }
            _ => Effects::NONE,
        }
    }

    /// The transport could not send.
    pub const fn on_transport_error(&mut self) -> Effects {
        use ClientOtherState::{Completed, Proceeding, Terminated, Trying};
        match self.state {
            Trying | Proceeding => {
                self.state = Terminated;
                Effects::NONE.fail(Failure::Transport)
            }
            Completed | Terminated => Effects::NONE,
        }
    }
}
