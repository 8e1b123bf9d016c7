//! Requests inside dialogs (RFC 3261 §12.2.2, §14.2, §15.1.2), ACK and CANCEL.

use std::time::Instant;

use super::Endpoint;
use super::body::session_description;
use super::call::{CallState, Pending};
use super::event::{CallHandle, EndedBy, Event};
use super::flow::Flow;
use super::receive::{Answer, Refusal};
use crate::message::{HeaderName, Method, Request, StatusCode, text};

impl Endpoint {
    /// The call of a request that carries our tag in To.
    fn call_of(&self, request: &Request) -> Option<CallHandle> {
        let call = self.call_by_tag(request.headers().to_tag()?)?;
        let headers = request.headers();
        let matches = match &self.call(call)?.state {
            CallState::Calling(calling) => calling.early.iter().any(|early| {
                early
                    .dialog
                    .as_ref()
                    .is_some_and(|dialog| dialog.matches(headers))
            }),
            state => state.dialog()?.matches(headers),
        };
        matches.then_some(call)
    }

    pub(super) fn on_dialog_request(&mut self, now: Instant, flow: &Flow, request: &Request) {
        let Some(call) = self.call_of(request) else {
            return self.answer_statelessly(
                flow,
                request,
                StatusCode::CALL_DOES_NOT_EXIST,
                &Refusal::default(),
            );
        };
        let number = request.head().core.cseq;
        let headers = request.headers();
        let dialog = self
            .call_mut(call)
            .and_then(|call| call.state.dialog_of(headers));
        if !dialog.is_some_and(|dialog| dialog.accept_cseq(number)) {
            let refusal = Refusal {
                reason: "CSeq Out Of Order",
                ..Refusal::default()
            };
            return self.answer_statelessly(
                flow,
                request,
                StatusCode::SERVER_INTERNAL_ERROR,
                &refusal,
            );
        }
        match request.method() {
            // A BYE is obeyed whatever it requires.
            Method::Bye => self.on_bye(now, flow, call, request),
            _ if self.refuse_extensions(flow, request) => {}
            Method::Invite => self.on_reinvite(now, flow, call, request),
            Method::Options if !self.serves(&Method::Options) => self.answer_options(flow, request),
            Method::Info => self.on_info(now, flow, call, request),
            Method::Prack if self.texts.reliable => self.on_prack(now, flow, call, request),
            Method::Update if self.serves(&Method::Update) => {
                self.on_update(now, flow, call, request)
            }
            Method::Refer if self.serves(&Method::Refer) => {
                self.on_refer(now, flow, Some(call), request)
            }
            Method::Notify if self.on_refer_notify(now, flow, call, request) => {}
            method if self.serves(method) => self.surface_request(now, flow, request, Some(call)),
            _ => self.refuse_method(flow, request),
        }
    }

    /// Answers a request inside a call through a transaction of its own.
    pub(super) fn answer_now(
        &mut self,
        now: Instant,
        flow: &Flow,
        request: &Request,
        status: StatusCode,
    ) {
        let tx = self.add_server(request, flow, None, None);
        let response = self.write_reply(flow, request, None, &Answer::bare(status));
        self.answer_server(now, tx, status, response);
    }

    fn on_bye(&mut self, now: Instant, flow: &Flow, call: CallHandle, request: &Request) {
        self.answer_now(now, flow, request, StatusCode::OK);
        let Some(state) = self.remove_call_after_bye(now, call) else {
            return;
        };
        let event = match state {
            // A BYE in an early dialog ends the INVITE too (RFC 3261 §15.1.2).
            CallState::Incoming(_) => Event::Cancelled {
                call,
                request: Some(request.clone()),
            },
            CallState::Ending { by, .. } => Event::Ended {
                call,
                by,
                reason: None,
                request: Some(request.clone()),
            },
            CallState::Established(_) | CallState::Calling(_) | CallState::Taken => {
                let reason = request
                    .headers()
                    .get(HeaderName::Reason)
                    .map(|value| text(value).into_owned());
                Event::Ended {
                    call,
                    by: EndedBy::Peer,
                    reason,
                    request: Some(request.clone()),
                }
            }
        };
        self.events.push_back(event);
    }

    /// Removes the call, after 487 to an INVITE that is still unanswered.
    fn remove_call_after_bye(&mut self, now: Instant, call: CallHandle) -> Option<CallState> {
        let tag = self.tag_of(call);
        let state = self.remove_call(call)?;
        let pending = match &state {
            CallState::Incoming(incoming) => Some(&incoming.invite),
            CallState::Established(established) => established.reinvite.as_ref(),
            _ => None,
        };
        if let Some(pending) = pending {
            self.terminate_invite(now, pending, tag.as_deref());
        }
        Some(state)
    }

    fn terminate_invite(&mut self, now: Instant, pending: &Pending, tag: Option<&str>) {
        let status = StatusCode::REQUEST_TERMINATED;
        let response =
            self.write_reply(&pending.flow, &pending.request, tag, &Answer::bare(status));
        self.answer_server(now, pending.tx, status, response);
    }

    fn on_reinvite(&mut self, now: Instant, flow: &Flow, call: CallHandle, request: &Request) {
        let busy = match self.call(call).map(|call| &call.state) {
            Some(CallState::Established(established)) => {
                established.reinvite.is_some()
                    || established.awaiting.is_some()
                    || established.bye.is_some()
            }
            // The first INVITE is unanswered, or the call is ending.
            _ => true,
        };
        if busy
            || self
                .call(call)
                .is_some_and(|call| call.peer_update.is_some())
        {
            return self.refuse_for_now(now, flow, request);
        }
        if self.refuse_glare(now, flow, call, request) || self.refuse_short_session(flow, request) {
            return;
        }
        let offer = match session_description(request.head(), request.headers()) {
            Ok(offer) => offer,
            Err(unusable) => return self.refuse_body(flow, request, unusable),
        };
        let tx = self.add_server(request, flow, Some(call), None);
        if let Some(CallState::Established(established)) =
            self.call_mut(call).map(|call| &mut call.state)
        {
            established.reinvite = Some(Pending {
                tx,
                request: request.clone(),
                flow: *flow,
            });
        }
        self.call_timer(
            now,
            call,
            self.config.trying_after,
            super::call::CallTimer::Trying,
        );
        self.events.push_back(Event::Reinvite {
            call,
            request: request.clone(),
            offer,
        });
    }

    fn on_info(&mut self, now: Instant, flow: &Flow, call: CallHandle, request: &Request) {
        // We offer no Info packages, so an INFO that names one is refused (RFC 6086 §4.2.2).
        if request.headers().get(HeaderName::InfoPackage).is_some() {
            return self.answer_now(now, flow, request, StatusCode::BAD_INFO_PACKAGE);
        }
        self.answer_now(now, flow, request, StatusCode::OK);
        self.events.push_back(Event::Info {
            call,
            request: request.clone(),
        });
    }

    pub(super) fn on_ack(&mut self, now: Instant, request: &Request) {
        let Some(call) = self.call_of(request) else {
            return;
        };
        let cseq = request.head().core.cseq;
        let Some(CallState::Established(established)) =
            self.call_mut(call).map(|call| &mut call.state)
        else {
            return;
        };
        if established
            .awaiting
            .as_ref()
            .is_none_or(|awaiting| awaiting.cseq != cseq)
        {
            return;
        }
        established.awaiting = None;
        established.confirmed = true;
        let bye = established.bye.take();
        let sdp = session_description(request.head(), request.headers())
            .ok()
            .flatten();
        self.events.push_back(Event::Acknowledged {
            call,
            request: request.clone(),
            sdp,
        });
        if let Some(headers) = bye {
            self.end_call(now, call, EndedBy::Local, &headers);
        }
    }

    /// RFC 3261 §9.2: 200 to the CANCEL, 487 to the INVITE if it is still unanswered.
    pub(super) fn on_cancel(&mut self, now: Instant, flow: &Flow, request: &Request) {
        let found = self.find_server(request, &Method::Invite);
        let Some((call, answered)) = found
            .and_then(|tx| self.server(tx))
            .map(|tx| (tx.call, tx.answered))
        else {
            return self.answer_statelessly(
                flow,
                request,
                StatusCode::CALL_DOES_NOT_EXIST,
                &Refusal::default(),
            );
        };
        // Also where it comes too late: who has not kept our answer learns its tag by it (RFC 3261 §9.2).
        match call.or(answered).and_then(|call| self.tag_of(call)) {
            Some(tag) => {
                self.answer_as(flow, request, StatusCode::OK, &Refusal::default(), &tag);
            }
            None => self.answer_statelessly(flow, request, StatusCode::OK, &Refusal::default()),
        }
        // The transaction forgets its call with the final response, so there is something left to cancel.
        let Some(call) = call else { return };
        let tag = self.tag_of(call);
        match self.call_mut(call).map(|call| &mut call.state) {
            Some(CallState::Incoming(_)) => {
                let Some(CallState::Incoming(incoming)) = self.remove_call(call) else {
                    return;
                };
                self.terminate_invite(now, &incoming.invite, tag.as_deref());
                self.events.push_back(Event::Cancelled {
                    call,
                    request: Some(request.clone()),
                });
            }
            Some(CallState::Established(established)) => {
                let Some(pending) = established.reinvite.take() else {
                    return;
                };
                self.terminate_invite(now, &pending, tag.as_deref());
                self.events.push_back(Event::ReinviteCancelled { call });
            }
            _ => {}
        }
    }
}
