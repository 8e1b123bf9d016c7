//! Which part of the endpoint a request belongs to (RFC 3261 §17.2.3, §12.2.2, §8.2).

use std::time::Instant;

use super::Endpoint;
use super::body::Unusable;
use super::flow::Flow;
use super::reply::{Reply, ReplyPath};
use crate::message::{ExtraHeader, HeaderName, Method, Request, StatusCode};

/// A response without state.
#[derive(Debug, Default)]
pub(super) struct Refusal<'a> {
    pub(super) reason: &'a str,
    pub(super) fixed: &'a [(HeaderName, &'a str)],
    pub(super) headers: &'a [ExtraHeader],
}

impl Endpoint {
    pub(super) fn on_request(&mut self, now: Instant, flow: &Flow, request: &Request) {
        let matched = if *request.method() == Method::Ack {
            &Method::Invite
        } else {
            request.method()
        };
        if let Some(tx) = self.find_server(request, matched) {
            if *request.method() != Method::Ack {
                self.on_server_retransmission(now, tx);
            } else if self.on_server_ack(now, tx) {
                self.on_ack(now, request);
            }
            return;
        }
        match request.method() {
            Method::Ack => self.on_ack(now, request),
            Method::Cancel => self.on_cancel(now, flow, request),
            _ if self.servers.len() >= self.config.limits.transactions => self.shed(flow, request),
            _ if request.headers().to_tag().is_some() => self.on_dialog_request(now, flow, request),
            // The last eighth is for calls that are up: their BYEs must not starve behind new calls.
            _ if self.servers.len() >= self.room_for_new() => self.shed(flow, request),
            _ => self.on_outside_request(now, flow, request),
        }
    }

    const fn room_for_new(&self) -> usize {
        let all = self.config.limits.transactions;
        all - all / 8
    }

    /// Answers without keeping anything: the same request gets the same answer (RFC 3261 §8.2.7).
    pub(super) fn answer_statelessly(
        &mut self,
        flow: &Flow,
        request: &Request,
        status: StatusCode,
        refusal: &Refusal<'_>,
    ) {
        let tag = self.stateless_tag(request);
        self.answer_as(flow, request, status, refusal, &tag);
    }

    /// The same with the tag of a call.
    pub(super) fn answer_as(
        &mut self,
        flow: &Flow,
        request: &Request,
        status: StatusCode,
        refusal: &Refusal<'_>,
        tag: &str,
    ) {
        let reply = Reply {
            status,
            reason: refusal.reason,
            tag: Some(tag),
            contact: None,
            product: &self.config.product,
            headers: refusal.headers,
            fixed: refusal.fixed,
            extra: &[],
            body: None,
            keep: None,
        };
        let response = reply.write(request, flow);
        self.transmits
            .push_back(ReplyPath::of(request, flow).transmit(response));
    }

    /// A tag that is the same for each retransmission and belongs to no call.
    pub(super) fn stateless_tag(&mut self, request: &Request) -> String {
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        for part in [
            request.headers().call_id(),
            request.headers().from_tag().unwrap_or_default(),
        ] {
            bytes.extend_from_slice(part);
            bytes.push(0);
        }
        bytes.extend_from_slice(&request.head().core.cseq.to_be_bytes());
        let tag = format!("{}s{:016x}", self.ids.prefix(), self.hash_of(&bytes));
        self.scratch = bytes;
        tag
    }

    /// 503 with Retry-After: the tables are full.
    pub(super) fn shed(&mut self, flow: &Flow, request: &Request) {
        let headers = [ExtraHeader::retry_after(self.config.limits.retry_after)];
        let refusal = Refusal {
            headers: &headers,
            ..Refusal::default()
        };
        self.answer_statelessly(flow, request, StatusCode::SERVICE_UNAVAILABLE, &refusal);
    }

    /// 405 for methods that exist but are not served here, 501 for those nobody knows (RFC 3261 §8.2.1, §21.5.2).
    pub(super) fn refuse_method(&mut self, flow: &Flow, request: &Request) {
        let status = match request.method() {
            Method::Other(_) => StatusCode::NOT_IMPLEMENTED,
            _ => StatusCode::METHOD_NOT_ALLOWED,
        };
        let allow = self.texts.allow.clone();
        let refusal = Refusal {
            fixed: &[(HeaderName::Allow, &allow)],
            ..Refusal::default()
        };
        self.answer_statelessly(flow, request, status, &refusal);
    }

    pub(super) fn refuse_body(&mut self, flow: &Flow, request: &Request, unusable: Unusable) {
        let fixed: Vec<_> = unusable.remedy.into_iter().collect();
        let refusal = Refusal {
            fixed: &fixed,
            ..Refusal::default()
        };
        self.answer_statelessly(flow, request, unusable.status, &refusal);
    }

    /// 200 to OPTIONS: what we can (RFC 3261 §11.2).
    pub(super) fn answer_options(&mut self, flow: &Flow, request: &Request) {
        let supported = self.texts.supported.clone();
        let contact = self
            .texts
            .contact(flow.transport, flow.remote.ip())
            .to_owned();
        let allow = self.texts.allow.clone();
        let fixed = [
            (HeaderName::Allow, &*allow),
            (HeaderName::Accept, super::body::ACCEPT),
            (HeaderName::AcceptEncoding, "identity"),
            (HeaderName::Supported, &*supported),
            (HeaderName::Contact, &*contact),
        ];
        self.answer_statelessly(
            flow,
            request,
            StatusCode::OK,
            &Refusal {
                fixed: &fixed,
                ..Refusal::default()
            },
        );
    }

    /// 420 if the request requires what we do not support (RFC 3261 §8.2.2.3); `true` if it was refused.
    pub(super) fn refuse_extensions(&mut self, flow: &Flow, request: &Request) -> bool {
        let supported = &self.config.supported;
        let unsupported: Vec<_> = request
            .headers()
            .tokens(HeaderName::Require)
            .filter(|tag| {
                !supported
                    .iter()
                    .any(|known| known.as_bytes().eq_ignore_ascii_case(tag))
            })
            .map(|tag| String::from_utf8_lossy(tag))
            .collect();
        if unsupported.is_empty() {
            return false;
        }
        let list = unsupported.join(", ");
        let refusal = Refusal {
            fixed: &[(HeaderName::Unsupported, &list)],
            ..Refusal::default()
        };
        self.answer_statelessly(flow, request, StatusCode::BAD_EXTENSION, &refusal);
        true
    }

    /// A response of a call: with its tag, and with our Contact when it makes or changes the dialog.
    pub(super) fn write_reply(
        &self,
        flow: &Flow,
        request: &Request,
        tag: Option<&str>,
        answer: &Answer<'_>,
    ) -> bytes::Bytes {
        let contact = answer
            .contact
            .then(|| self.texts.contact(flow.transport, flow.remote.ip()));
        let allow = [
            (HeaderName::Allow, &*self.texts.allow),
            (HeaderName::Supported, self.texts.supported.as_str()),
        ];
        let reply = Reply {
            status: answer.status,
            reason: answer.reason,
            tag,
            contact,
            product: &self.config.product,
            headers: answer.headers,
            fixed: if answer.contact && answer.status.is_success() {
                &allow
            } else {
                &[]
            },
            extra: answer.extra,
            body: answer.sdp.map(|sdp| ("application/sdp", sdp)),
            keep: self.texts.keep(request, answer.status, flow),
        };
        reply.write(request, flow)
    }
}

/// What a call's response says.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) status: StatusCode,
    pub(super) reason: &'a str,
    pub(super) headers: &'a [ExtraHeader],
    pub(super) sdp: Option<&'a [u8]>,
    pub(super) contact: bool,
    pub(super) extra: &'a [(HeaderName, String)],
}

impl Answer<'_> {
    pub(super) const fn bare(status: StatusCode) -> Self {
        Self {
            status,
            reason: "",
            headers: &[],
            sdp: None,
            contact: false,
            extra: &[],
        }
    }
}
