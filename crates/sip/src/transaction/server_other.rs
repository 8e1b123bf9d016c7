//! The non-INVITE server transaction: RFC 3261 §17.2.2, figure 8.

use super::{Effects, Send, Timer, TimerValues};
use crate::message::StatusCode;

/// The states of figure 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerOtherState {
    /// Nothing was answered yet.
    Trying,
    /// A provisional response was sent.
    Proceeding,
    /// A final response was sent.
    Completed,
    /// Over.
    Terminated,
}

/// The non-INVITE server transaction.
#[derive(Debug, Clone, Copy)]
pub struct ServerOther {
    state: ServerOtherState,
    reliable: bool,
    values: TimerValues,
}

impl ServerOther {
    /// A new request came.
    pub const fn start(values: TimerValues, reliable: bool) -> Self {
        Self {
            state: ServerOtherState::Trying,
            reliable,
            values,
        }
    }

    /// The state.
    pub const fn state(&self) -> ServerOtherState {
        self.state
    }

    /// The request came again.
    pub const fn on_retransmission(&self) -> Effects {
        use ServerOtherState::{Completed, Proceeding, Terminated, Trying};
        match self.state {
            Proceeding | Completed => Effects::NONE.send(Send::Response),
            Trying | Terminated => Effects::NONE,
        }
    }

    /// The transaction user answers.
    pub const fn on_answer(&mut self, status: StatusCode) -> Effects {
        use ServerOtherState::{Completed, Proceeding, Terminated, Trying};
        match self.state {
            Trying | Proceeding if status.is_provisional() => {
                self.state = Proceeding;
                Effects::NONE.send(Send::Response)
            }
            Trying | Proceeding => {
                let effects = Effects::NONE.send(Send::Response);
                if self.reliable {
                    self.state = Terminated;
                    return effects.end();
                }
                self.state = Completed;
                effects.timer(Timer::J, self.values.give_up())
            }
            Completed | Terminated => Effects::NONE,
        }
    }

    /// A timer fired.
    pub const fn on_timer(&mut self, timer: Timer) -> Effects {
        match (self.state, timer) {
            (ServerOtherState::Completed, Timer::J) => {
                self.state = ServerOtherState::Terminated;
                Effects::NONE.end()
            }
            _ => Effects::NONE,
        }
    }
}
