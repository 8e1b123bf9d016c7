//! What the gateway's state machine wants done.

use std::sync::Arc;
use std::time::Instant;

use skillcall_protocol::signaling::{Message, OperationName, Order, RenegotiationKind};
use skillcall_protocol::sma::SipHeaders;
use skillcall_protocol::sma::action::BridgeEndpoint;

use super::super::call::{CallKey, LegState};
use super::super::outgoing::Dial;
use super::super::{Running, ToWorker};
use crate::engine::LegId;
use crate::gateway::{Action, Input, Post, Side};

impl Running {
    /// Tells a call's state machine something, and does what it wants.
    pub(in crate::worker) fn feed_gateway(&mut self, key: CallKey, input: Input) {
        let now = Instant::now();
        if let Some(gateway) = self.call_mut(key).and_then(|call| call.engine.gateway()) {
            gateway.session.handle(input, now);
            self.carry_out_gateway(key);
        }
    }

    /// Does what a call's state machine wants.
    pub(in crate::worker) fn carry_out_gateway(&mut self, key: CallKey) {
        loop {
            let now = Instant::now();
            let Some(gateway) = self.call_mut(key).and_then(|call| call.engine.gateway()) else {
                return;
            };
            if gateway.up_since.is_none() && gateway.session.is_up() {
                gateway.up_since = Some(now);
            }
            gateway.record.look(&gateway.session);
            let Some(action) = gateway.session.poll(now) else {
                return;
            };
            if action == Action::End {
                return self.remove_call(key);
            }
            self.carry_out_action(key, action, now);
        }
    }

    fn carry_out_action(&mut self, key: CallKey, action: Action, now: Instant) {
        let leg = LegId::A;
        match action {
            Action::Post(post) => self.post(key, post),
            Action::Dial => self.dial_phone(key),
            Action::CancelDial => self.cancel_dial(key, leg),
            Action::Ring => self.ring(key, leg, false),
            Action::Progress => self.ring(key, leg, true),
            Action::Answer => self.answer(key, leg),
            Action::Reject(status) => self.reject(key, leg, status),
            Action::HangUp => self.hang_up(key, leg),
            Action::Bridge => {
                self.set_state(key, LegId::B, LegState::Connected);
                let slots = (self.media_slot(key, leg), self.media_slot(key, LegId::B));
                if let (Some(phone), Some(device)) = slots {
                    crate::bridge::join(&mut self.media, phone, device);
                }
            }
            Action::TakeAnswer(answer) => {
                if let Err(reason) = self.take_device_answer(key, &answer, now) {
                    self.gateway_input(key, Input::Unusable { reason });
                }
            }
            Action::Reoffer { kind, .. }
                if kind == RenegotiationKind::CallUpdate
                    && !self.is_video_due(key, Side::Alexa) => {}
            Action::Reoffer { kind, held } => {
                let offer = self.offer_device_again(key, held, now);
                self.gateway_input(key, Input::Reoffered { kind, offer });
            }
            Action::HoldPhone(on) => {
                self.hold_music(key, on);
                if let Err(why) = self.hold(key, leg, on) {
                    let text = format!("the phone is not told of the device's hold: {why}");
                    self.note(key, true, &text);
                    self.gateway_input(key, Input::PhoneChanged);
                }
            }
            Action::OfferPhone if !self.is_video_due(key, Side::Phone) => {
                self.gateway_input(key, Input::PhoneChanged);
            }
            Action::OfferPhone => {
                if let Err(why) = self.offer_anew(key, leg, None) {
                    let text = format!("the phone is not told of the device's video: {why}");
                    self.note(key, true, &text);
                    self.gateway_input(key, Input::PhoneChanged);
                }
            }
            Action::Note { problem, text } => self.note(key, problem, &text),
            Action::End => {}
        }
    }

    fn post(&mut self, key: CallKey, post: Post) {
        let Some(switchboard) = self.shared.switchboard.clone() else {
            return;
        };
        let Some(call) = self.call(key) else { return };
        let Some(gateway) = call.engine.as_gateway() else {
            return;
        };
        let (ids, account) = (Arc::clone(&call.ids), gateway.account.clone());
        let session = gateway.session_id.clone();
        if post.operation.name() == OperationName::InitiateInboundCall {
            self.shared.journal.ordered(&Order {
                account: account.user.clone(),
                api_endpoint: account.api_endpoint.clone(),
                message: Message::new(session.clone(), post.operation.clone()),
            });
        }
        let worker = self.handle.clone();
        self.shared.runtime.spawn(async move {
            let number = post.number;
            let outcome = switchboard
                .post(&ids, &account, &session, post.operation)
                .await;
            let input = Input::Posted { number, outcome };
            worker.send(ToWorker::Gateway { call: key, input });
        });
    }

    fn dial_phone(&mut self, key: CallKey) {
        let Some(gateway) = self.call(key).and_then(|call| call.engine.as_gateway()) else {
            return;
        };
        let Some(way) = gateway.way.clone() else {
            return;
        };
        let call_id = gateway.phone.clone();
        let mut headers = SipHeaders::new();
        for (name, value) in way.headers {
            headers.insert(name, value);
        }
        self.dial(
            key,
            Dial {
                leg: LegId::A,
                call_id,
                endpoint: BridgeEndpoint::Pstn { uri: way.user },
                uri: way.uri,
                trunk: way.trunk,
                phone: way.phone,
                bounds: Some(way.bounds),
                caller_id: way.caller_id,
                headers,
            },
        );
    }
}
