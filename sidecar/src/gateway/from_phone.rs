//! The phone calls the device: what Alexa says of it, told to the caller.

use std::time::Instant;

use skillcall_protocol::signaling::{Operation, ResultCode};

use super::event::Action;
use super::session::{AlexaState, PhoneState, Session};
use super::timers::Timer;

impl Session {
    /// CallRinging: 180, once; each is acknowledged.
    pub(super) fn device_rings(&mut self) {
        self.outbox.say(Operation::CallRingingAck);
        self.timers.stop(Timer::React);
        let early = self.alexa == AlexaState::Calling && self.phone == PhoneState::Calling;
        if early && !std::mem::replace(&mut self.told_ringing, true) && !self.told_progress {
            self.act(Action::Ring);
        }
    }

    /// CallInProgress: 183 with media, once; each is acknowledged.
    pub(super) fn device_progresses(&mut self, answer: String) {
        self.outbox.say(Operation::CallInProgressAck);
        self.timers.stop(Timer::React);
        if self.alexa != AlexaState::Calling || self.phone != PhoneState::Calling {
            return;
        }
        self.take_answer(Some(answer));
        if !std::mem::replace(&mut self.told_progress, true) {
            self.act(Action::Progress);
            self.bridge();
        }
    }

    /// CallAccepted: 200, once; each is acknowledged.
    pub(super) fn device_accepts(&mut self, answer: Option<String>, now: Instant) {
        self.outbox.say(Operation::CallAcceptedAck);
        if self.alexa != AlexaState::Calling || self.phone != PhoneState::Calling {
            return;
        }
        self.timers.stop(Timer::React);
        self.timers.stop(Timer::Ring);
        self.take_answer(answer);
        if !self.described {
            let why = "CallAccepted came without an answer, and none came before";
            return self.end(ResultCode::InternalError, why, 500, now);
        }
        self.alexa = AlexaState::Up;
        self.phone = PhoneState::Up;
        self.acknowledged = true;
        self.act(Action::Answer);
        self.expect_connection(now);
        self.bridge();
    }

    /// The first answer counts; the same may come again.
    fn take_answer(&mut self, answer: Option<String>) {
        if let Some(answer) = answer
            && !std::mem::replace(&mut self.described, true)
        {
            self.act(Action::TakeAnswer(answer));
        }
    }
}
