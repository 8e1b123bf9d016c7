//! Changes of a session that the peer begins (RFC 3261 §14.2, RFC 3311 §5.2).

use std::time::Instant;

use bytes::Bytes;

use super::Endpoint;
use super::body::session_description;
use super::call::CallState;
use super::event::{CallHandle, Event};
use super::flow::Flow;
use super::receive::Answer;
use super::serve::Purpose;
use crate::message::{ExtraHeader, HeaderName, Request, StatusCode};

impl Endpoint {
    /// 491 when our change is on its way; `true` if the request was refused (RFC 3261 §14.2).
    pub(super) fn refuse_glare(
        &mut self,
        now: Instant,
        flow: &Flow,
        call: CallHandle,
        request: &Request,
    ) -> bool {
        let open = self
            .call(call)
            .and_then(|call| call.change.as_ref())
            .is_some_and(|change| change.is_open());
        if open {
            self.refuse_once(now, flow, request, StatusCode::REQUEST_PENDING, &[]);
        }
        open
    }

    /// An UPDATE came (RFC 3311 §5.2).
    pub(super) fn on_update(
        &mut self,
        now: Instant,
        flow: &Flow,
        call: CallHandle,
        request: &Request,
    ) {
        if self.refuse_short_session(flow, request) {
            return;
        }
        let offer = match session_description(request.head(), request.headers()) {
            Ok(offer) => offer,
            Err(unusable) => return self.refuse_body(flow, request, unusable),
        };
        if offer.is_none() {
            let id = self.surface_as(now, flow, request, Purpose::Update(call));
            // It was surfaced the line before.
            let _ = self.respond(now, id, &StatusCode::OK.into());
            return;
        }
        let Some(found) = self.call(call) else { return };
        let ours_open = found.change.as_ref().is_some_and(|change| change.offers());
        let (ours, theirs) = match &found.state {
            CallState::Established(established) => (
                // Our offer lies in a 2xx or in an INVITE's answer that waits for ACK.
                established.awaiting.is_some() && !established.confirmed,
                established.reinvite.is_some() || established.unacknowledged.is_some(),
            ),
            // Before the answer the INVITE's offer must have been answered reliably.
            CallState::Incoming(incoming) => (
                incoming
                    .reliable
                    .as_ref()
                    .is_some_and(|reliable| reliable.waits()),
                incoming.reliable.is_none(),
            ),
            CallState::Calling(calling) => (
                calling.offered
                    && !calling.early.iter().any(|early| {
                        Some(&*early.tag) == request.headers().from_tag() && early.described
                    }),
                calling.early.iter().any(|early| early.prack.is_some()),
            ),
            _ => (true, false),
        };
        if ours || ours_open {
            return self.refuse_once(now, flow, request, StatusCode::REQUEST_PENDING, &[]);
        }
        if theirs || found.peer_update.is_some() {
            return self.refuse_for_now(now, flow, request);
        }
        let id = self.surface_as(now, flow, request, Purpose::Update(call));
        if let Some(found) = self.call_mut(call) {
            found.peer_update = Some(id);
        }
        self.events.push_back(Event::Update {
            call,
            id,
            request: request.clone(),
            offer,
        });
    }

    /// 500 with a Retry-After of 0 to 10 s at random: another change of the peer's is not answered yet
    /// (RFC 3261 §14.2, RFC 3311 §5.2).
    pub(super) fn refuse_for_now(&mut self, now: Instant, flow: &Flow, request: &Request) {
        let seconds = u32::try_from(self.ids.nonce() % 10).unwrap_or(5);
        let headers = [ExtraHeader::retry_after(seconds)];
        let status = StatusCode::SERVER_INTERNAL_ERROR;
        self.refuse_once(now, flow, request, status, &headers);
    }

    /// Refuses a request for what is so just now. A transaction keeps the answer: without one, a late copy of the
    /// request would find another moment and another answer.
    fn refuse_once(
        &mut self,
        now: Instant,
        flow: &Flow,
        request: &Request,
        status: StatusCode,
        headers: &[ExtraHeader],
    ) {
        let tx = self.add_server(request, flow, None, None);
        let answer = Answer {
            headers,
            ..Answer::bare(status)
        };
        let response = self.write_reply(flow, request, None, &answer);
        self.answer_server(now, tx, status, response);
    }

    /// Our answer to an UPDATE: what follows from it, and the headers it carries.
    pub(super) fn on_update_answered(
        &mut self,
        now: Instant,
        call: CallHandle,
        request: &Request,
        status: StatusCode,
        sdp: Option<&Bytes>,
    ) -> Vec<(HeaderName, String)> {
        let Some(found) = self.call_mut(call) else {
            return Vec::new();
        };
        found.peer_update = None;
        if !status.is_success() {
            return Vec::new();
        }
        if let Some(dialog) = found.state.dialog_of(request.headers()) {
            dialog.refresh_target(request.headers());
        }
        if sdp.is_some() {
            self.keep_description(call, sdp);
        }
        self.answer_session(now, call, request)
    }
}
