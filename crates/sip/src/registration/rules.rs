//! What a registrar compares and reads (RFC 3261 §10.3, RFC 5626 §6).

use super::binding::Binding;
use super::contacts::Asked;
use crate::endpoint::OwnReply;
use crate::message::{HeaderName, NameAddr, Request, Scheme, StatusCode, UriRef, Via, text};

/// The canonical form of an address of record (RFC 3261 §10.3 point 5): `user@host`, parameters and port dropped, the
/// host in lower case; `+number` for a `tel:` URI.
pub(super) fn address_of_record(uri: &UriRef<'_>) -> Option<String> {
    match uri.scheme() {
        Scheme::Sip | Scheme::Sips => {
            let host = uri.host()?.to_string().to_ascii_lowercase();
            Some(match uri.user() {
                Some(user) => format!("{user}@{host}"),
                None => host,
            })
        }
        _ => None,
    }
}

/// Whether a Contact renews this binding: the same device and flow (RFC 5626 §6), or else the same URI.
pub(super) fn is_same(old: &Binding, contact: &Asked) -> bool {
    if let (Some(old), Some(new)) = (&old.flow, &contact.flow)
        && old.reg_id.is_some()
        && new.reg_id.is_some()
    {
        return old == new;
    }
    UriRef::parse(old.contact.as_bytes())
        .and_then(|old| {
            let new = UriRef::parse(contact.uri.as_str().as_bytes())?;
            Ok(old.is_equivalent(&new))
        })
        .unwrap_or(false)
}

/// A REGISTER that came after a later one of the same Call-ID (RFC 3261 §10.3 points 6 and 7).
pub(super) fn is_older(old: &Binding, call_id: &str, cseq: u32) -> bool {
    old.call_id == call_id && cseq <= old.cseq
}

pub(super) fn out_of_order() -> Box<OwnReply> {
    Box::new(OwnReply {
        reason: "CSeq Out Of Order".to_owned(),
        ..OwnReply::from(StatusCode::SERVER_INTERNAL_ERROR)
    })
}

/// The Path, first hop first; `None` if it is malformed, or longer than 16 hops of 256 bytes.
pub(super) fn path_of(request: &Request) -> Option<Vec<String>> {
    let mut path = Vec::new();
    for hop in request.headers().addresses(HeaderName::Path) {
        let hop = hop
            .ok()
            .filter(|hop| path.len() < 16 && hop.raw().len() <= 256)?;
        hop.uri().ok()?;
        path.push(text(hop.raw()).into_owned());
    }
    Some(path)
}

/// Whether flows of a device are told apart (RFC 5626 §6): the phone supports it, and its first hop is us or an edge
/// proxy that does, which its Path says by `ob`.
pub(super) fn supports_outbound(request: &Request, path: &[String]) -> bool {
    let headers = request.headers();
    let phone = headers
        .tokens(HeaderName::Supported)
        .any(|tag| tag.eq_ignore_ascii_case(b"outbound"));
    let hops = headers
        .all(HeaderName::Via)
        .flat_map(Via::list)
        .take(2)
        .count();
    let edge = path.last().is_some_and(|hop| {
        NameAddr::parse(hop.as_bytes())
            .and_then(|hop| hop.uri().map(|uri| uri.param("ob").is_some()))
            .unwrap_or(false)
    });
    phone && (hops <= 1 || edge)
}
