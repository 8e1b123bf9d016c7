//! Dialogs (RFC 3261 §12): identity, route set, CSeq order, target refresh.

mod route;
mod saved;

pub(crate) use route::next_hop;
pub use saved::SavedDialog;

use std::net::IpAddr;

use crate::endpoint::Flow;
use crate::message::{
    HeaderName, Headers, MessageWriter, Method, Request, Response, Span, UriRef, ValueError,
};

/// The peer's state that lets us send requests inside a call, and check those that come.
///
/// The texts lie in one allocation, because there is one dialog a call.
#[derive(Debug)]
pub struct Dialog {
    text: Box<[u8]>,
    call_id: Span,
    local: Span,
    remote: Span,
    remote_tag: Option<Span>,
    target: Span,
    /// A target that replaced the first one (RFC 3261 §12.2.1.2).
    refreshed: Option<Box<[u8]>>,
    routes: Vec<Box<[u8]>>,
    local_cseq: u32,
    remote_cseq: Option<u32>,
    flow: Flow,
    /// What the peer takes its own address to be, where its requests come from another one.
    behind: Option<IpAddr>,
}

/// What a dialog is made of, before it is packed.
struct Parts<'a> {
    call_id: &'a [u8],
    local: &'a [u8],
    local_suffix: &'a [u8],
    remote: &'a [u8],
    remote_tag: Option<&'a [u8]>,
    target: &'a [u8],
}

impl Dialog {
    /// The dialog that an INVITE to us begins (RFC 3261 §12.1.1). `tag` is our To tag.
    ///
    /// A peer without Contact (RFC 2543) is reached at its From URI; `flow` decides where that is.
    ///
    /// # Errors
    /// What is wrong: a malformed Contact, or none and no URI in From, a malformed Record-Route, or more than `max_routes` routes.
    pub fn of_server(
        request: &Request,
        tag: &str,
        flow: Flow,
        max_routes: usize,
    ) -> Result<Self, &'static str> {
        let headers = request.headers();
        let from = headers.from().map_err(|_| "From is malformed")?;
        let target = match contact(headers)? {
            Some(contact) => contact,
            None => target_in(from.raw_uri())
                .map_err(|_| "there is no Contact, and the URI in From is malformed")?,
        };
        let suffix = [b";tag=", tag.as_bytes()].concat();
        let parts = Parts {
            call_id: headers.call_id(),
            local: request.head().bytes(request.head().core.to),
            local_suffix: &suffix,
            remote: request.head().bytes(request.head().core.from),
            remote_tag: headers.from_tag(),
            target,
        };
        let routes = routes(headers, max_routes)?;
        let cseq = Some(request.head().core.cseq);
        Ok(Self {
            behind: route::translated(headers, &flow),
            ..Self::pack(&parts, routes, 0, cseq, flow)
        })
    }

    /// The dialog that a 2xx to our INVITE begins (RFC 3261 §12.1.2). `local` is our From with its tag, `target` the
    /// Request-URI, which stands in for a missing Contact.
    ///
    /// # Errors
    /// As [`Dialog::of_server`].
    pub fn of_client(
        response: &Response,
        local: &[u8],
        target: &[u8],
        flow: Flow,
        max_routes: usize,
    ) -> Result<Self, &'static str> {
        let headers = response.headers();
        let mut routes = routes(headers, max_routes)?;
        routes.reverse();
        let parts = Parts {
            call_id: headers.call_id(),
            local,
            local_suffix: b"",
            remote: response.head().bytes(response.head().core.to),
            remote_tag: headers.to_tag(),
            target: contact(headers)?.unwrap_or(target),
        };
        Ok(Self::pack(
            &parts,
            routes,
            response.head().core.cseq,
            None,
            flow,
        ))
    }

    fn pack(
        parts: &Parts<'_>,
        routes: Vec<Box<[u8]>>,
        local_cseq: u32,
        remote_cseq: Option<u32>,
        flow: Flow,
    ) -> Self {
        let mut text = Vec::with_capacity(
            parts.call_id.len()
                + parts.local.len()
                + parts.local_suffix.len()
                + parts.remote.len()
                + parts.remote_tag.map_or(0, <[u8]>::len)
                + parts.target.len(),
        );
        let mut add = |pieces: &[&[u8]]| {
            let start = text.len();
            for piece in pieces {
                text.extend_from_slice(piece);
            }
            Span::new(start, text.len())
        };
        let call_id = add(&[parts.call_id]);
        let local = add(&[parts.local, parts.local_suffix]);
        let remote = add(&[parts.remote]);
        let remote_tag = parts.remote_tag.map(|tag| add(&[tag]));
        let target = add(&[parts.target]);
        Self {
            text: text.into(),
            call_id,
            local,
            remote,
            remote_tag,
            target,
            refreshed: None,
            routes,
            local_cseq,
            remote_cseq,
            flow,
            behind: None,
        }
    }

    /// The Call-ID.
    pub fn call_id(&self) -> &[u8] {
        self.call_id.of(&self.text)
    }

    /// The peer's tag; `None` for one that sends none (RFC 2543).
    pub fn remote_tag(&self) -> Option<&[u8]> {
        self.remote_tag.map(|span| span.of(&self.text))
    }

    /// The URI that requests to the peer carry.
    pub fn target(&self) -> &[u8] {
        self.refreshed
            .as_deref()
            .unwrap_or_else(|| self.target.of(&self.text))
    }

    /// What the peer takes its own address to be, where its requests come from another one: it is behind a NAT.
    pub(crate) const fn behind(&self) -> Option<IpAddr> {
        self.behind
    }

    /// The path by which the dialog began.
    pub const fn flow(&self) -> Flow {
        self.flow
    }

    /// Whether a request with our tag in To is of this dialog (RFC 3261 §12.2.2).
    pub fn matches(&self, headers: Headers<'_>) -> bool {
        self.call_id() == headers.call_id() && self.remote_tag() == headers.from_tag()
    }

    /// Takes note of the CSeq of a request from the peer; `false` if it is out of order (RFC 3261 §12.2.2).
    pub fn accept_cseq(&mut self, number: u32) -> bool {
        if self.remote_cseq.is_some_and(|last| number < last) {
            return false;
        }
        self.remote_cseq = Some(number);
        true
    }

    /// Takes the Contact of a target refresh request or response (RFC 3261 §12.2.1.2, §12.2.2).
    pub fn refresh_target(&mut self, headers: Headers<'_>) {
        if let Ok(Some(target)) = contact(headers)
            && target != self.target()
        {
            self.refreshed = Some(target.into());
        }
    }

    /// The CSeq of the next request of ours (RFC 3261 §12.2.1.1).
    pub const fn next_cseq(&mut self) -> u32 {
        self.local_cseq = self.local_cseq.wrapping_add(1);
        self.local_cseq
    }

    /// Goes on where an early dialog of the same peer has come to: requests inside it have used CSeq numbers.
    pub(crate) fn continue_from(&mut self, early: &Self) {
        self.local_cseq = self.local_cseq.max(early.local_cseq);
        self.remote_cseq = self.remote_cseq.max(early.remote_cseq);
    }

    /// The CSeq of our last request; the ACK for a 2xx carries the INVITE's.
    pub const fn local_cseq(&self) -> u32 {
        self.local_cseq
    }

    /// The URI whose host the next request goes to: the first route's, or the target.
    pub(crate) fn next_hop_uri(&self) -> &[u8] {
        self.routes
            .first()
            .map_or_else(|| self.target(), |route| route::uri_of(route))
    }

    /// The Request-URI of a request inside the dialog (RFC 3261 §12.2.1.1).
    pub(crate) fn request_uri(&self) -> &[u8] {
        match self.routes.first() {
            Some(route) if !route::is_loose(route) => self.next_hop_uri(),
            _ => self.target(),
        }
    }

    /// Begins a request inside the dialog (RFC 3261 §12.2.1.1).
    pub(crate) fn begin(&self, method: &Method, via: &str, cseq: u32) -> MessageWriter {
        let strict = self
            .routes
            .first()
            .is_some_and(|route| !route::is_loose(route));
        let uri = if strict {
            self.next_hop_uri()
        } else {
            self.target()
        };
        let mut writer = MessageWriter::request(method, uri);
        writer
            .header(HeaderName::Via, via)
            .header(HeaderName::MaxForwards, "70");
        for route in self.routes.iter().skip(usize::from(strict)) {
            writer.header(HeaderName::Route, route);
        }
        if strict {
            writer.header(HeaderName::Route, [b"<", self.target(), b">"].concat());
        }
        writer
            .header(HeaderName::From, self.local.of(&self.text))
            .header(HeaderName::To, self.remote.of(&self.text))
            .header(HeaderName::CallId, self.call_id())
            .header_fmt(HeaderName::CSeq, format_args!("{cseq} {method}"));
        writer
    }
}

fn contact<'a>(headers: Headers<'a>) -> Result<Option<&'a [u8]>, &'static str> {
    let Some(contact) = headers.contact().map_err(|_| "Contact is malformed")? else {
        return Ok(None);
    };
    let target = target_in(contact.raw_uri()).map_err(|_| "the URI in Contact is malformed")?;
    Ok(Some(target))
}

/// What a URI is as a Request-URI, which has no headers part (RFC 3261 §19.1.5).
fn target_in(uri: &[u8]) -> Result<&[u8], ValueError> {
    Ok(UriRef::parse(uri)?.without_headers().as_bytes())
}

fn routes(headers: Headers<'_>, max: usize) -> Result<Vec<Box<[u8]>>, &'static str> {
    let mut routes = Vec::new();
    for route in headers.addresses(HeaderName::RecordRoute) {
        let route = route.map_err(|_| "Record-Route is malformed")?;
        let uri =
            UriRef::parse(route.raw_uri()).map_err(|_| "a URI in Record-Route is malformed")?;
        if uri.without_headers() != uri.as_str() {
            // A strict router's URI becomes the Request-URI, which has no headers part (RFC 3261 §19.1.5).
            return Err("a URI in Record-Route has a headers part");
        }
        if routes.len() >= max {
            return Err("too many Record-Route addresses");
        }
        routes.push(route.raw().into());
    }
    Ok(routes)
}
