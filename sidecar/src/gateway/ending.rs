//! A call's end, from either side: Alexa is told once, the phone is hung up, refused or cancelled.

use std::time::Instant;

use skillcall_protocol::signaling::{CallResult, Operation, ResultCode};

use super::event::Action;
use super::session::{AlexaState, Caller, PhoneState, Session};
use super::timers::Timer;

impl Session {
    /// Ends the call: Alexa is told `code`, an unanswered caller `status`.
    pub(super) fn end(&mut self, code: ResultCode, why: &str, status: u16, now: Instant) {
        if matches!(self.alexa, AlexaState::Calling | AlexaState::Up) {
            self.note(false, &format!("the call ends: {} ({why})", code.as_str()));
            self.alexa = AlexaState::Leaving;
            self.timers.clear();
            self.outbox.drop_waiting();
            self.outbox.say(Operation::CallEnded {
                result: CallResult::new(code, why),
            });
            self.timers.set(Timer::Farewell, now + self.times.farewell);
        }
        self.end_phone(status, now);
    }

    /// Ends the phone's leg.
    pub(super) fn end_phone(&mut self, status: u16, now: Instant) {
        match (self.phone, self.caller) {
            (PhoneState::Up, _) => {
                self.act(Action::HangUp);
                self.phone = PhoneState::Gone;
            }
            (PhoneState::Calling, Caller::Phone) => {
                self.act(Action::Reject(status));
                self.phone = PhoneState::Gone;
            }
            (PhoneState::Calling, Caller::Alexa) => {
                self.act(Action::CancelDial);
                self.phone = PhoneState::Leaving;
                self.timers.set(Timer::Cancel, now + self.times.cancel);
            }
            (PhoneState::Leaving | PhoneState::Gone, _) => {}
        }
    }

    /// Alexa knows that the call is over, or cannot be told.
    pub(super) fn alexa_gone(&mut self) {
        self.alexa = AlexaState::Gone;
        self.outbox.clear();
        let cancelling = self.timers.runs(Timer::Cancel);
        if !cancelling {
            self.timers.clear();
        } else {
            for timer in [
                Timer::Ring,
                Timer::React,
                Timer::Repeat,
                Timer::Ack,
                Timer::Connect,
                Timer::Session,
                Timer::Crossing,
                Timer::Update,
                Timer::Farewell,
            ] {
                self.timers.stop(timer);
            }
        }
    }
}
