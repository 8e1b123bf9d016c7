//! A cheap look at a message before it is parsed, and answers without state.
//!
//! A front that spreads messages over workers, or sheds load, reads no more than it needs. The scan is bounded, makes
//! no allocation, and checks nothing: a message that passes may still be refused by [`parse`](crate::message::parse).

use std::hash::{DefaultHasher, Hasher};
use std::net::SocketAddr;

use bytes::Bytes;

use crate::endpoint::{Transport, received_via, response_address};
use crate::message::{ExtraHeader, HeaderName, MessageWriter, NameAddr, StatusCode, Via, trim};

/// Bytes of a message that are looked at.
const MAX_SCAN: usize = 16 * 1024;

/// What a front needs to know of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peek<'a> {
    /// A request; otherwise a response.
    pub is_request: bool,
    /// The method: of a request the start line's, of a response that of CSeq.
    pub method: &'a [u8],
    /// Call-ID.
    pub call_id: &'a [u8],
    /// The top Via's branch, which for a response is the one our endpoint made.
    pub branch: Option<&'a [u8]>,
    /// The tag of From.
    pub from_tag: Option<&'a [u8]>,
    /// The tag of To; a request without it begins something new.
    pub to_tag: Option<&'a [u8]>,
    /// The To tag of Replaces: our tag in the call whose place an INVITE is to take (RFC 3891 §3).
    pub replaces_tag: Option<&'a [u8]>,
    /// The status of a response.
    pub status: Option<StatusCode>,
}

/// The raw lines that a stateless response copies.
#[derive(Default)]
struct Lines<'a> {
    start: &'a [u8],
    via: Option<&'a [u8]>,
    from: Option<&'a [u8]>,
    to: Option<&'a [u8]>,
    call_id: Option<&'a [u8]>,
    cseq: Option<&'a [u8]>,
    replaces: Option<&'a [u8]>,
}

/// Calls `line` for each header line until the empty one. A folded line is one line with its line ends in it.
fn scan<'a>(message: &'a [u8], mut line: impl FnMut(HeaderName, &'a [u8])) -> Option<&'a [u8]> {
    let message = message
        .get(..message.len().min(MAX_SCAN))
        .unwrap_or_default();
    let begin = message
        .iter()
        .position(|byte| !matches!(byte, b'\r' | b'\n'))?;
    let mut rest = message.get(begin..)?;
    let mut start = None;
    while !rest.is_empty() {
        let mut end = memchr::memchr(b'\n', rest)?;
        while matches!(rest.get(end + 1), Some(b' ' | b'\t')) {
            end += 1 + memchr::memchr(b'\n', rest.get(end + 1..)?)?;
        }
        let found = rest.get(..end)?;
        let found = found.strip_suffix(b"\r").unwrap_or(found);
        rest = rest.get(end + 1..)?;
        if start.is_none() {
            start = Some(found);
        } else if found.is_empty() {
            break;
        } else if let Some(colon) = memchr::memchr(b':', found) {
            let name = HeaderName::from_bytes(trim(found.get(..colon)?));
            line(name, found.get(colon + 1..)?.trim_ascii());
        }
    }
    start
}

/// Where a request says that its sender takes requests over the connection that it came by: `sent-by` of a top Via with
/// `alias` (RFC 5923 §5). The port is the transport's where none is written. `None`: it says nothing of that.
pub fn alias(request: &[u8], transport: Transport) -> Option<(String, u16)> {
    let lines = lines(request).filter(|lines| !lines.start.starts_with(b"SIP/"))?;
    let via = Via::parse_first(lines.via?).ok().filter(Via::has_alias)?;
    let usual = if transport.is_secure() { 5061 } else { 5060 };
    let host = match via.host.ip() {
        Some(address) => address.to_string(),
        None => via.host.to_owned().to_string().to_ascii_lowercase(),
    };
    Some((host, via.port.unwrap_or(usual)))
}

fn lines(message: &[u8]) -> Option<Lines<'_>> {
    let mut lines = Lines::default();
    let start = scan(message, |name, value| {
        let place = match name {
            HeaderName::Via => &mut lines.via,
            HeaderName::From => &mut lines.from,
            HeaderName::To => &mut lines.to,
            HeaderName::CallId => &mut lines.call_id,
            HeaderName::CSeq => &mut lines.cseq,
            HeaderName::Replaces => &mut lines.replaces,
            _ => return,
        };
        place.get_or_insert(value);
    })?;
    lines.start = start;
    Some(lines)
}

/// Looks at a datagram or framed message; `None` if it has no start line, Call-ID or CSeq within its first 16 KiB.
pub fn peek(message: &[u8]) -> Option<Peek<'_>> {
    let lines = lines(message)?;
    let is_request = !lines.start.starts_with(b"SIP/");
    let cseq = lines.cseq?;
    let method = if is_request {
        lines.start.get(..memchr::memchr(b' ', lines.start)?)?
    } else {
        trim(cseq.get(cseq.iter().position(|byte| byte.is_ascii_whitespace())?..)?)
    };
    let status = if is_request {
        None
    } else {
        let code = lines
            .start
            .get(8..11)
            .and_then(|code| std::str::from_utf8(code).ok());
        Some(StatusCode::new(code?.parse().ok()?)?)
    };
    Some(Peek {
        is_request,
        method,
        call_id: lines.call_id?,
        branch: lines.via.and_then(branch),
        from_tag: lines.from.and_then(tag),
        to_tag: lines.to.and_then(tag),
        replaces_tag: lines.replaces.and_then(|value| parameter(value, "to-tag")),
        status,
    })
}

/// The value of the parameter `name` (written `;name=`) by a plain search, quotes and all else left aside.
fn parameter<'a>(value: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut rest = value;
    loop {
        let at = memchr::memchr(b';', rest)?;
        rest = rest.get(at + 1..)?;
        let param = rest.trim_ascii_start();
        let found = param.get(..name.len())?;
        if found.eq_ignore_ascii_case(name.as_bytes())
            && let Some(value) = param
                .get(name.len()..)?
                .trim_ascii_start()
                .strip_prefix(b"=")
        {
            let value = value.trim_ascii_start();
            let end = value
                .iter()
                .position(|byte| matches!(byte, b';' | b',' | b' ' | b'\t' | b'\r' | b'\n' | b'>'));
            return value
                .get(..end.unwrap_or(value.len()))
                .filter(|value| !value.is_empty());
        }
    }
}

fn branch(via: &[u8]) -> Option<&[u8]> {
    // Only the first element counts.
    let first = via.get(..memchr::memchr(b',', via).unwrap_or(via.len()))?;
    parameter(first, "branch")
}

fn tag(value: &[u8]) -> Option<&[u8]> {
    // A `tag` inside the angle brackets would be the URI's.
    let after = memchr::memrchr(b'>', value)
        .and_then(|at| value.get(at..))
        .unwrap_or(value);
    parameter(after, "tag")
}

/// Answers a request without keeping anything and without parsing it whole: 503 for load that is shed, 403 for
/// strangers, 400 for what cannot be parsed. Gives the response and, for UDP, its address; on a connection it goes back
/// on that connection. The same request always gets the same To tag (RFC 3261 §8.2.7).
///
/// `None` for a response, an ACK (RFC 3261 §17.1.1.3), or when Via, From, To, Call-ID or CSeq is absent or unusable.
pub fn stateless_response(
    request: &[u8],
    source: SocketAddr,
    status: StatusCode,
    reason: &str,
    headers: &[ExtraHeader],
) -> Option<(Bytes, SocketAddr)> {
    let lines = lines(request)?;
    if lines.start.starts_with(b"SIP/") || lines.start.starts_with(b"ACK ") {
        return None;
    }
    let (from, to, call_id, cseq) = (lines.from?, lines.to?, lines.call_id?, lines.cseq?);
    let unfolded: Vec<u8> = lines
        .via?
        .iter()
        .map(|&byte| {
            if matches!(byte, b'\r' | b'\n') {
                b' '
            } else {
                byte
            }
        })
        .collect();
    let top = Via::parse_first(&unfolded).ok()?;
    let mut writer = MessageWriter::response(status, reason);
    let mut first = true;
    scan(request, |name, value| {
        if name != HeaderName::Via {
            return;
        }
        if first {
            let mut via = Vec::with_capacity(value.len() + 48);
            received_via(&unfolded, &top, source, None, &mut via);
            writer.header(HeaderName::Via, via);
        } else {
            writer.header(HeaderName::Via, value);
        }
        first = false;
    });
    writer.header(HeaderName::From, from);
    let tagged = NameAddr::parse(to).map_or_else(|_| tag(to).is_some(), |to| to.tag().is_some());
    if tagged {
        writer.header(HeaderName::To, to);
    } else {
        let mut hasher = DefaultHasher::new();
        for part in [call_id, from, cseq] {
            hasher.write(part);
            hasher.write_u8(0);
        }
        writer.header(
            HeaderName::To,
            [to, format!(";tag=s{:016x}", hasher.finish()).as_bytes()].concat(),
        );
    }
    writer
        .header(HeaderName::CallId, call_id)
        .header(HeaderName::CSeq, cseq)
        .extra(headers);
    Some((writer.finish(), response_address(&top, source)))
}
