//! Requests that the user answers: REGISTER, MESSAGE, REFER and what else it serves.

use std::time::Instant;

use bytes::Bytes;

use super::call::TxRef;
use super::event::{CallHandle, Event, RequestId};
use super::flow::Flow;
use super::reply::Reply;
use super::{CallError, Due, Endpoint};
use crate::message::{ExtraHeader, HeaderName, Method, Request, StatusCode};

/// A request that waits for its user's answer.
#[derive(Debug)]
pub(super) struct Surfaced {
    tx: TxRef,
    request: Request,
    flow: Flow,
    purpose: Purpose,
}

/// What follows from the answer to a request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// Nothing.
    Plain,
    /// The session may be another.
    Update(CallHandle),
    /// A transfer may begin.
    Refer {
        call: CallHandle,
        id: u32,
        subscribed: bool,
    },
}

/// The answer to a request that came as `Event::Request` or its like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnReply {
    /// 200 to 699.
    pub status: StatusCode,
    /// The reason phrase; empty for the status's own.
    pub reason: String,
    /// Values of Contact headers, written as they are: a registrar's bindings, a redirect's targets.
    pub contacts: Vec<String>,
    /// Further headers.
    pub headers: Vec<ExtraHeader>,
    /// Media type and body.
    pub body: Option<(String, Bytes)>,
}

impl From<StatusCode> for OwnReply {
    fn from(status: StatusCode) -> Self {
        Self {
            status,
            reason: String::new(),
            contacts: Vec::new(),
            headers: Vec::new(),
            body: None,
        }
    }
}

impl OwnReply {
    /// The same with these headers.
    pub fn with(mut self, headers: impl IntoIterator<Item = ExtraHeader>) -> Self {
        self.headers.extend(headers);
        self
    }
}

impl Endpoint {
    /// Whether the user takes requests of this method.
    pub(super) fn serves(&self, method: &Method) -> bool {
        self.config.methods.contains(method)
    }

    /// Keeps a request until the user answers it. Who never does leaves it to the client's timer F: after 64·T1 the
    /// request is forgotten without a response (RFC 4320 §4.2 forbids a 408).
    pub(super) fn surface(&mut self, now: Instant, flow: &Flow, request: &Request) -> RequestId {
        self.surface_as(now, flow, request, Purpose::Plain)
    }

    pub(super) fn surface_as(
        &mut self,
        now: Instant,
        flow: &Flow,
        request: &Request,
        purpose: Purpose,
    ) -> RequestId {
        let tx = self.add_server(request, flow, None, None);
        let TxRef { index, serial } = tx;
        let id = RequestId(u64::from(index) << 32 | u64::from(serial));
        let surfaced = Surfaced {
            tx,
            request: request.clone(),
            flow: *flow,
            purpose,
        };
        self.surfaced.insert(id, surfaced);
        self.timers
            .add(now, self.config.timers.give_up(), Due::Unanswered { id });
        id
    }

    pub(super) fn surface_request(
        &mut self,
        now: Instant,
        flow: &Flow,
        request: &Request,
        call: Option<CallHandle>,
    ) {
        let id = self.surface(now, flow, request);
        self.events.push_back(Event::Request {
            id,
            call,
            request: request.clone(),
            flow: *flow,
        });
    }

    /// Answers a request that came as `Request`, `Refer`, `Update` or `Pracked`.
    ///
    /// # Errors
    /// The request is answered already or its client has given up, or the status is below 200.
    pub fn respond(
        &mut self,
        now: Instant,
        id: RequestId,
        reply: &OwnReply,
    ) -> Result<(), CallError> {
        if !reply.status.is_final() {
            return Err(CallError::Status {
                status: reply.status.get(),
                expected: "200 to 699",
            });
        }
        let surfaced = self.surfaced.remove(&id).ok_or(CallError::Gone)?;
        let mut extra = Vec::new();
        let sdp = reply.body.as_ref().map(|(_, body)| body);
        if let Purpose::Update(call) = surfaced.purpose {
            extra = self.on_update_answered(now, call, &surfaced.request, reply.status, sdp);
        }
        let refer = match surfaced.purpose {
            Purpose::Refer {
                call,
                id,
                subscribed,
            } if reply.status.is_success() => {
                if !subscribed {
                    extra.push((HeaderName::ReferSub, "false".to_owned()));
                }
                Some((call, id, subscribed))
            }
            _ => None,
        };
        self.respond_to(now, &surfaced, reply, &extra);
        if let Some((call, id, subscribed)) = refer {
            self.on_refer_answered(now, call, id, subscribed);
        }
        Ok(())
    }

    pub(super) fn respond_to(
        &mut self,
        now: Instant,
        surfaced: &Surfaced,
        reply: &OwnReply,
        extra: &[(HeaderName, String)],
    ) {
        let Surfaced {
            tx, request, flow, ..
        } = surfaced;
        let tag = self.stateless_tag(request);
        let mut fixed: Vec<(HeaderName, &str)> = Vec::new();
        for contact in &reply.contacts {
            fixed.push((HeaderName::Contact, contact));
        }
        if reply.status == StatusCode::METHOD_NOT_ALLOWED {
            fixed.push((HeaderName::Allow, &self.texts.allow));
        }
        // A dialog is refreshed by the response to UPDATE, too (RFC 3311 §5.2).
        let contact = (*request.method() == Method::Update && reply.status.is_success())
            .then(|| self.texts.contact(flow.transport, flow.remote.ip()));
        let written = Reply {
            status: reply.status,
            reason: &reply.reason,
            tag: Some(&tag),
            contact,
            product: &self.config.product,
            headers: &reply.headers,
            fixed: &fixed,
            extra,
            body: reply
                .body
                .as_ref()
                .map(|(kind, body)| (kind.as_str(), body.as_ref())),
            keep: self.texts.keep(request, reply.status, flow),
        };
        let response = written.write(request, flow);
        self.answer_server(now, *tx, reply.status, response);
    }

    /// Nobody answered a request that was handed to the user.
    pub(super) fn on_unanswered(&mut self, id: RequestId) {
        if let Some(surfaced) = self.surfaced.remove(&id) {
            self.forget_server(surfaced.tx);
            if let Purpose::Update(call) = surfaced.purpose
                && let Some(call) = self.call_mut(call)
            {
                call.peer_update = None;
            }
        }
    }
}
