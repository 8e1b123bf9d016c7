//! What Alexa says, and what becomes of what is said to it.

use std::time::Instant;

use skillcall_protocol::signaling::{Operation, OperationName, ResultCode};

use super::codes::status_of;
use super::outbox::Delivered;
use super::session::{AlexaState, Caller, Session};
use super::timers::Timer;

impl Session {
    /// A message of Alexa's.
    pub(super) fn hear(&mut self, operation: Operation, now: Instant) {
        if self.is_leaving() {
            return self.hear_late(&operation);
        }
        match operation {
            Operation::CallEnded { result } => {
                self.note(
                    false,
                    &format!("Alexa ended the call: {}", result.code.as_str()),
                );
                let status = status_of(&result.code);
                self.alexa_gone();
                self.end_phone(status, now);
            }
            Operation::CallRinging if self.caller == Caller::Phone => self.device_rings(),
            Operation::CallInProgress { sdp } if self.caller == Caller::Phone => {
                self.device_progresses(sdp.value);
            }
            Operation::CallAccepted { sdp } if self.caller == Caller::Phone => {
                self.device_accepts(sdp.map(|sdp| sdp.value), now);
            }
            Operation::CallRingingAck | Operation::CallInProgressAck => {
                self.outbox.acknowledged(operation.name());
            }
            Operation::CallAcceptedAck => {
                self.outbox.acknowledged(OperationName::CallAcceptedAck);
                self.accepted_is_known();
            }
            Operation::CallUpdateResponse { kind, sdp } => self.on_update_response(kind, sdp.value),
            Operation::CallUpdateAck => {}
            // A session is begun once; the rest does not come from Alexa in this direction.
            other => {
                let text = format!("{} makes no sense in this call", other.name());
                self.note(true, &text);
            }
        }
    }

    /// A message that comes after the end.
    fn hear_late(&mut self, operation: &Operation) {
        if let Operation::CallEnded { .. } = operation {
            // Both sides ended it: what we say of it is no news.
            self.alexa_gone();
        }
    }

    /// What became of a message to Alexa.
    pub(super) fn delivered(&mut self, delivered: Delivered, now: Instant) {
        match delivered {
            Delivered::Pending => {}
            Delivered::Done(OperationName::CallEnded)
            | Delivered::Known(OperationName::CallEnded) => self.alexa_gone(),
            Delivered::Done(OperationName::CallAccepted) => self.expect_connection(now),
            Delivered::Known(OperationName::CallAccepted) => {
                self.accepted_is_known();
                self.expect_connection(now);
            }
            Delivered::Done(OperationName::InitiateInboundCall) => {
                if self.alexa == AlexaState::Calling && !self.told_ringing {
                    self.timers.set(Timer::React, now + self.times.react);
                }
            }
            Delivered::Done(_) | Delivered::Known(_) => {}
            Delivered::GivenUp(name, why) => {
                self.note(true, &format!("{name} is not tried again: {why}"));
            }
            Delivered::Crossed(name, why) => {
                self.note(true, &why);
                // What is said within the call does not end it.
                let within = matches!(name, OperationName::CallUpdate);
                if !self.is_leaving() && !within {
                    self.timers.set(Timer::Crossing, now + self.times.crossing);
                }
            }
            Delivered::Gone(name, code, why) => {
                self.note(true, &why);
                let status = match (name, &code) {
                    (OperationName::InitiateInboundCall, ResultCode::DeviceUnavailable) => 404,
                    _ => status_of(&code),
                };
                if !self.is_leaving() || self.alexa == AlexaState::Leaving {
                    self.alexa_gone();
                    self.end_phone(status, now);
                }
            }
        }
    }
}
