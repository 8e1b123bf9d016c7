//! New offers within a call (RFC 3264 §8; docs/gateway.md).
//!
//! Alexa's are answered here and now, whatever the phone's side says of them later. What the phone changes is told to
//! Alexa where it concerns the device: hold, and its end.

use std::time::Instant;

use skillcall_protocol::signaling::{Operation, RenegotiationKind, SdpDetails};

use super::event::{Action, Reanswered};
use super::session::{AlexaState, PhoneState, Session};
use super::timers::Timer;

impl Session {
    /// CallUpdate. It cannot be refused: an offer that cannot be used is answered with what holds already.
    pub(super) fn on_offer(&mut self, kind: RenegotiationKind, answer: Result<Reanswered, String>) {
        if self.is_leaving() {
            return;
        }
        match answer {
            Ok(answer) => {
                self.respond(kind, answer.sdp.clone());
                self.last_answer = Some(answer.sdp);
                // Theirs goes first: what ours wanted is offered anew.
                if self.timers.runs(Timer::Update) {
                    self.timers.stop(Timer::Update);
                    self.told_hold = !self.phone_holds;
                }
                self.device_holds = answer.held;
                self.hold_phone();
                self.tell_hold();
            }
            Err(why) => {
                self.note(true, &format!("{}: {why}", kind.as_str()));
                if let Some(same) = self.last_answer.clone() {
                    self.respond(kind, same);
                }
            }
        }
    }

    fn respond(&mut self, kind: RenegotiationKind, answer: String) {
        self.outbox.say(Operation::CallUpdateResponse {
            kind,
            sdp: SdpDetails::answer(answer),
        });
    }

    /// Asks the phone for what the device wants now, one change after the other.
    pub(super) fn hold_phone(&mut self) {
        let wanted = self.device_holds;
        let may = self.phone == PhoneState::Up && !self.phone_changing;
        if may && wanted != self.phone_held {
            self.phone_held = wanted;
            self.phone_changing = true;
            // It says what there is to say of video, too.
            self.phone_due = false;
            self.act(Action::HoldPhone(wanted));
        } else if may && std::mem::take(&mut self.phone_due) {
            self.phone_changing = true;
            self.act(Action::OfferPhone);
        }
    }

    /// What one side says of its video has to be told to the other.
    pub(super) fn on_video_due(&mut self, alexa: bool, phone: bool) {
        (self.alexa_due, self.phone_due) = (alexa, phone);
        self.hold_phone();
        self.tell_hold();
    }

    /// Tells Alexa of the phone's video, if it does not know.
    pub(super) fn tell_video(&mut self) {
        let may =
            self.alexa == AlexaState::Up && self.acknowledged && !self.timers.runs(Timer::Update);
        if may && std::mem::take(&mut self.alexa_due) {
            self.act(Action::Reoffer {
                kind: RenegotiationKind::CallUpdate,
                held: self.told_hold,
            });
        }
    }

    /// The phone holds, or holds no more.
    pub(super) fn on_phone_holds(&mut self, holds: bool) {
        self.phone_holds = holds;
        self.tell_hold();
    }

    /// Another party is there: it is told of the device's hold, and Alexa of the end of the one before's.
    pub(super) fn on_phone_replaced(&mut self) {
        self.phone_held = false;
        self.phone_changing = false;
        self.phone_holds = false;
        self.hold_phone();
        self.tell_hold();
    }

    /// Tells Alexa of the phone's hold, if it does not know.
    pub(super) fn tell_hold(&mut self) {
        let may = self.alexa == AlexaState::Up && !self.timers.runs(Timer::Update);
        if may && self.told_hold != self.phone_holds {
            self.told_hold = self.phone_holds;
            self.alexa_due = false;
            self.act(Action::Reoffer {
                kind: Self::kind_of(self.phone_holds),
                held: self.phone_holds,
            });
        } else {
            self.tell_video();
        }
    }

    /// Our offer for Alexa is made.
    pub(super) fn on_reoffered(
        &mut self,
        kind: RenegotiationKind,
        offer: Result<String, String>,
        now: Instant,
    ) {
        if self.alexa != AlexaState::Up {
            return;
        }
        match offer {
            Ok(offer) => {
                self.outbox.say(Operation::CallUpdate {
                    kind,
                    sdp: SdpDetails::offer(offer),
                });
                self.timers.set(Timer::Update, now + self.times.ack);
            }
            Err(why) => self.note(true, &format!("Alexa is not told: {why}")),
        }
    }

    /// CallUpdateResponse: each is acknowledged, the first counts.
    pub(super) fn on_update_response(&mut self, kind: RenegotiationKind, answer: String) {
        self.outbox.say(Operation::CallUpdateAck);
        if !self.timers.runs(Timer::Update) {
            return self.note(false, &format!("{}: answered before", kind.as_str()));
        }
        self.timers.stop(Timer::Update);
        self.act(Action::TakeAnswer(answer));
        self.tell_hold();
    }
}
