//! Responses: what they copy from the request, and the way back (RFC 3261 §8.2.6, §18.2; RFC 3581).

use std::net::SocketAddr;

use bytes::Bytes;

use super::flow::{ConnectionId, Destination, Flow, Transmit, Transport};
use crate::message::{ExtraHeader, HeaderName, Keep, MessageWriter, Request, StatusCode, Via};

/// The way a response goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReplyPath {
    pub(super) transport: Transport,
    pub(super) address: SocketAddr,
    pub(super) connection: Option<ConnectionId>,
}

impl ReplyPath {
    /// Back to where the request came from. Its `maddr` is not followed: it would let a stranger aim our responses
    /// at anybody.
    pub(super) fn of(request: &Request, flow: &Flow) -> Self {
        let address = request
            .headers()
            .via()
            .map_or(flow.remote, |via| response_address(&via, flow.remote));
        let address = if flow.transport.is_reliable() {
            flow.remote
        } else {
            address
        };
        Self {
            transport: flow.transport,
            address,
            connection: flow.connection,
        }
    }

    pub(super) fn transmit(&self, bytes: Bytes) -> Transmit {
        Transmit {
            transport: self.transport,
            destination: Destination::Addr(self.address),
            connection: self.connection,
            bytes,
            id: None,
        }
    }
}

/// The source address; its port only if the client asked for that by `rport` (RFC 3581 §4), else that of `sent-by`.
pub(crate) fn response_address(via: &Via<'_>, source: SocketAddr) -> SocketAddr {
    if via.params.has("rport") {
        return source;
    }
    SocketAddr::new(source.ip(), via.port.unwrap_or(5060))
}

/// Writes the top Via as RFC 3261 §18.2.1 and RFC 3581 §4 want it in the response; `keep` is what an offer of keep-alives is
/// answered with (RFC 6223 §4.3).
pub(crate) fn received_via(
    value: &[u8],
    via: &Via<'_>,
    source: SocketAddr,
    keep: Option<u32>,
    out: &mut Vec<u8>,
) {
    let rport = via.params.has("rport");
    let keep = keep.filter(|_| via.keep() == Some(Keep::Offered));
    if !rport && keep.is_none() && via.host.ip() == Some(source.ip()) {
        out.extend_from_slice(value);
        return;
    }
    let head = via.raw.len() - via.params.raw().len().min(via.raw.len());
    out.extend_from_slice(via.raw.get(..head).unwrap_or_default());
    for param in via.params.iter() {
        if param.name.eq_ignore_ascii_case("received") {
            continue;
        }
        out.push(b';');
        out.extend_from_slice(param.name.as_bytes());
        if let Some(seconds) = keep.filter(|_| param.name.eq_ignore_ascii_case("keep")) {
            out.extend_from_slice(format!("={seconds}").as_bytes());
        } else if param.name.eq_ignore_ascii_case("rport") {
            out.extend_from_slice(format!("={}", source.port()).as_bytes());
        } else if let Some(raw) = param.raw {
            out.push(b'=');
            out.extend_from_slice(raw);
        }
    }
    if rport || via.host.ip() != Some(source.ip()) {
        out.extend_from_slice(format!(";received={}", source.ip()).as_bytes());
    }
    out.extend_from_slice(value.get(via.raw.len()..).unwrap_or_default());
}

/// A response in the making.
pub(super) struct Reply<'a> {
    pub(super) status: StatusCode,
    pub(super) reason: &'a str,
    /// Added to To, unless the request has one (RFC 3261 §8.2.6.2).
    pub(super) tag: Option<&'a str>,
    /// Our Contact, in responses that make or change a dialog; they echo Record-Route too (RFC 3261 §12.1.1).
    pub(super) contact: Option<&'a str>,
    pub(super) product: &'a str,
    pub(super) headers: &'a [ExtraHeader],
    /// Headers that go with the status: Allow, Accept, Unsupported.
    pub(super) fixed: &'a [(HeaderName, &'a str)],
    /// Headers that are made for this response: RSeq, Session-Expires.
    pub(super) extra: &'a [(HeaderName, String)],
    /// Media type and body.
    pub(super) body: Option<(&'a str, &'a [u8])>,
    /// What an offer of keep-alives is answered with.
    pub(super) keep: Option<u32>,
}

impl Reply<'_> {
    pub(super) fn write(&self, request: &Request, flow: &Flow) -> Bytes {
        let head = request.head();
        let mut writer = MessageWriter::response(self.status, self.reason);
        let mut first = true;
        for line in &head.lines {
            if line.name == HeaderName::Via {
                let value = head.bytes(line.value);
                match request.headers().via() {
                    Ok(via) if first => {
                        let mut top = Vec::with_capacity(value.len() + 48);
                        received_via(value, &via, flow.remote, self.keep, &mut top);
                        writer.header(HeaderName::Via, top);
                    }
                    _ => {
                        writer.header(HeaderName::Via, value);
                    }
                }
                first = false;
            }
        }
        if self.contact.is_some() {
            for route in request.headers().all(HeaderName::RecordRoute) {
                writer.header(HeaderName::RecordRoute, route);
            }
        }
        writer.header(HeaderName::From, head.bytes(head.core.from));
        let to = head.bytes(head.core.to);
        match self.tag.filter(|_| head.core.to_tag.is_none()) {
            Some(tag) => writer.header(HeaderName::To, [to, b";tag=", tag.as_bytes()].concat()),
            None => writer.header(HeaderName::To, to),
        };
        writer.header(HeaderName::CallId, head.bytes(head.core.call_id));
        writer.header_fmt(
            HeaderName::CSeq,
            format_args!("{} {}", head.core.cseq, head.core.cseq_method),
        );
        if self.status == StatusCode::TRYING
            && let Some(stamp) = request
                .headers()
                .iter()
                .find(|field| field.raw_name.eq_ignore_ascii_case(b"timestamp"))
        {
            writer.raw_header(b"Timestamp", stamp.value);
        }
        if let Some(contact) = self.contact {
            writer.header(HeaderName::Contact, contact);
        }
        for (name, value) in self.fixed {
            writer.header(*name, value);
        }
        for (name, value) in self.extra {
            writer.header(*name, value);
        }
        if !self.product.is_empty() {
            writer.header(HeaderName::Server, self.product);
        }
        writer.extra(self.headers);
        match self.body {
            Some((kind, body)) => writer.finish_with(kind, body),
            None => writer.finish(),
        }
    }
}
