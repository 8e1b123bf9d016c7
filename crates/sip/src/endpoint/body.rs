//! Finding the session description in a message (RFC 3261 §8.2.3, §13.2.1; RFC 5621).

use bytes::Bytes;

use crate::message::{Head, HeaderName, Headers, StatusCode, parts};

/// Why a body cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unusable {
    pub(super) status: StatusCode,
    /// The header that tells the peer what would be right.
    pub(super) remedy: Option<(HeaderName, &'static str)>,
}

/// The media types that we read, as Accept says it.
pub(super) const ACCEPT: &str = "application/sdp, multipart/mixed";

/// The message's SDP; `None` if it has no body.
pub(super) fn session_description(
    head: &Head,
    headers: Headers<'_>,
) -> Result<Option<Bytes>, Unusable> {
    let body = head.bytes(head.body);
    if body.is_empty() {
        return Ok(None);
    }
    let coded = headers
        .tokens(HeaderName::ContentEncoding)
        .any(|coding| !coding.eq_ignore_ascii_case(b"identity"));
    if coded {
        let remedy = Some((HeaderName::AcceptEncoding, "identity"));
        return Err(Unusable {
            status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
            remedy,
        });
    }
    let other = Unusable {
        status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
        remedy: Some((HeaderName::Accept, ACCEPT)),
    };
    let slice = |found: &[u8]| Ok(Some(head.wire.slice_ref(found)));
    match headers.content_type() {
        Ok(Some(media)) if media.is("application", "sdp") => slice(body),
        Ok(Some(media)) if media.kind.eq_ignore_ascii_case("multipart") => {
            let boundary = media.params.value("boundary").ok_or(other)?;
            let found = parts(body, &boundary);
            match found.iter().find(|part| part.is("application", "sdp")) {
                Some(part) => slice(part.content),
                None => Err(other),
            }
        }
        Ok(Some(_)) => Err(other),
        // Content-Type is missing although the body is not: some phones forget it, and SDP is easily told.
        Ok(None) if body.starts_with(b"v=0") => slice(body),
        Ok(None) => Err(other),
        Err(_) => Err(Unusable {
            status: StatusCode::BAD_REQUEST,
            remedy: None,
        }),
    }
}
