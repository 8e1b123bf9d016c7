//! Requests outside any dialog (RFC 3261 §8.2).

use std::time::Instant;

use super::Endpoint;
use super::body::session_description;
use super::call::{CallState, CallTimer, Incoming, Pending};
use super::event::Event;
use super::flow::Flow;
use super::receive::Refusal;
use crate::dialog::Dialog;
use crate::message::{Method, Request, Scheme, StatusCode};

impl Endpoint {
    pub(super) fn on_outside_request(&mut self, now: Instant, flow: &Flow, request: &Request) {
        match request.method() {
            Method::Invite | Method::Options => {}
            method if self.serves(method) => {}
            // BYE and INFO live in dialogs only (RFC 3261 §15.1.2, RFC 6086 §4.2.1).
            Method::Bye | Method::Info => {
                return self.answer_statelessly(
                    flow,
                    request,
                    StatusCode::CALL_DOES_NOT_EXIST,
                    &Refusal::default(),
                );
            }
            // So does PRACK (RFC 3262 §3).
            Method::Prack if self.texts.reliable => {
                let status = StatusCode::CALL_DOES_NOT_EXIST;
                return self.answer_statelessly(flow, request, status, &Refusal::default());
            }
            _ => return self.refuse_method(flow, request),
        }
        if matches!(request.uri().scheme(), Scheme::Other(_)) {
            return self.answer_statelessly(
                flow,
                request,
                StatusCode::UNSUPPORTED_URI_SCHEME,
                &Refusal::default(),
            );
        }
        if self.refuse_extensions(flow, request) {
            return;
        }
        if *request.method() == Method::Options && !self.serves(&Method::Options) {
            return self.answer_options(flow, request);
        }
        match request.method() {
            Method::Invite => {}
            Method::Refer => return self.on_refer(now, flow, None, request),
            // UPDATE lives in dialogs only (RFC 3311 §5.1).
            Method::Update => {
                let status = StatusCode::CALL_DOES_NOT_EXIST;
                return self.answer_statelessly(flow, request, status, &Refusal::default());
            }
            _ => return self.surface_request(now, flow, request, None),
        }
        if self.refuse_short_session(flow, request) {
            return;
        }
        // As a back-to-back user agent we would send the call on, which the hop limit forbids (RFC 7332 §4).
        if request.headers().max_forwards() == Some(0) {
            return self.answer_statelessly(
                flow,
                request,
                StatusCode::TOO_MANY_HOPS,
                &Refusal::default(),
            );
        }
        self.on_new_invite(now, flow, request);
    }

    fn on_new_invite(&mut self, now: Instant, flow: &Flow, request: &Request) {
        let merge = self.merge_hash(request);
        if self.merging.contains(&merge) {
            return self.answer_statelessly(
                flow,
                request,
                StatusCode::LOOP_DETECTED,
                &Refusal::default(),
            );
        }
        if self.calls.len() >= self.config.limits.calls {
            return self.shed(flow, request);
        }
        let offer = match session_description(request.head(), request.headers()) {
            Ok(offer) => offer,
            Err(unusable) => return self.refuse_body(flow, request, unusable),
        };
        let mut failure = None;
        let max_routes = self.config.limits.routes;
        let call =
            self.add_call(
                |_, tag| match Dialog::of_server(request, tag, *flow, max_routes) {
                    Ok(dialog) => {
                        // The transaction is added below, once the call has its handle.
                        let tx = super::call::TxRef {
                            index: u32::MAX,
                            serial: 0,
                        };
                        let invite = Pending {
                            tx,
                            request: request.clone(),
                            flow: *flow,
                        };
                        CallState::Incoming(Box::new(Incoming {
                            invite,
                            dialog,
                            provisional: None,
                            reliable: None,
                        }))
                    }
                    Err(wrong) => {
                        failure = Some(wrong);
                        CallState::Taken
                    }
                },
            );
        if let Some(wrong) = failure {
            self.remove_call(call);
            let refusal = Refusal {
                reason: wrong,
                ..Refusal::default()
            };
            return self.answer_statelessly(flow, request, StatusCode::BAD_REQUEST, &refusal);
        }
        let tx = self.add_server(request, flow, Some(call), Some(merge));
        if let Some(CallState::Incoming(incoming)) = self.call_mut(call).map(|call| &mut call.state)
        {
            incoming.invite.tx = tx;
        }
        self.call_timer(now, call, self.config.trying_after, CallTimer::Trying);
        self.events.push_back(Event::Invite {
            call,
            request: request.clone(),
            flow: *flow,
            offer,
        });
    }

    /// What two copies of one request that came by different ways share (RFC 3261 §8.2.2.2).
    fn merge_hash(&mut self, request: &Request) -> u64 {
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        for part in [
            request.headers().from_tag().unwrap_or_default(),
            request.headers().call_id(),
        ] {
            bytes.extend_from_slice(part);
            bytes.push(0);
        }
        bytes.extend_from_slice(&request.head().core.cseq.to_be_bytes());
        let hash = self.hash_of(&bytes);
        self.scratch = bytes;
        hash
    }
}
