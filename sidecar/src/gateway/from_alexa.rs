//! The device calls the phone: what the INVITE meets with, told to Alexa.

use std::time::Instant;

use skillcall_protocol::signaling::{Operation, SdpDetails};

use super::codes::result_of;
use super::event::Action;
use super::session::{AlexaState, Caller, PhoneState, Session};
use super::timers::Timer;

impl Session {
    /// Whether the phone is being called for the device, and Alexa hears of it.
    fn is_calling_phone(&self) -> bool {
        self.caller == Caller::Alexa
            && self.phone == PhoneState::Calling
            && self.alexa == AlexaState::Calling
    }

    /// A provisional response: CallRinging, once.
    pub(super) fn on_ringing(&mut self) {
        if !self.is_calling_phone() {
            return;
        }
        self.timers.stop(Timer::React);
        if !std::mem::replace(&mut self.told_ringing, true) {
            self.outbox.say(Operation::CallRinging);
        }
    }

    /// A provisional response with media: CallInProgress with our answer, once.
    pub(super) fn on_early_media(&mut self) {
        if !self.is_calling_phone() {
            return;
        }
        self.on_ringing();
        if !std::mem::replace(&mut self.told_progress, true)
            && let Some(answer) = self.answer.take()
        {
            self.described = true;
            self.outbox.say(Operation::CallInProgress {
                sdp: SdpDetails::answer(answer),
            });
        }
        self.bridge();
    }

    /// The phone answered: CallRinging if it was not told, then CallAccepted.
    pub(super) fn on_phone_answered(&mut self, now: Instant) {
        if self.caller != Caller::Alexa {
            return;
        }
        if self.phone == PhoneState::Leaving || self.alexa != AlexaState::Calling {
            // It crossed our CANCEL.
            self.timers.stop(Timer::Cancel);
            self.act(Action::HangUp);
            self.phone = PhoneState::Gone;
            return;
        }
        self.on_ringing();
        self.phone = PhoneState::Up;
        self.alexa = AlexaState::Up;
        self.timers.stop(Timer::Ring);
        self.timers.stop(Timer::React);
        let sdp = self.answer.take().map(SdpDetails::answer);
        self.described = true;
        self.outbox.say(Operation::CallAccepted { sdp });
        self.timers.set(Timer::Repeat, now + self.times.ack / 2);
        self.timers.set(Timer::Ack, now + self.times.ack);
        self.bridge();
    }

    /// No acknowledgement of CallAccepted came: either was lost, so it is said once more.
    pub(super) fn accept_again(&mut self) {
        let on_its_way = self
            .outbox
            .holds(skillcall_protocol::signaling::OperationName::CallAccepted);
        if self.alexa == AlexaState::Up && !self.acknowledged && !on_its_way {
            let sdp = self.last_answer.clone().filter(|_| !self.told_progress);
            self.outbox.repeat(Operation::CallAccepted {
                sdp: sdp.map(SdpDetails::answer),
            });
        }
    }

    /// The INVITE failed.
    pub(super) fn on_refused(&mut self, status: u16, reason: &str, now: Instant) {
        self.timers.stop(Timer::Cancel);
        self.phone = PhoneState::Gone;
        let why = format!("{status} {reason}");
        self.end(result_of(status), &why, status, now);
    }
}
