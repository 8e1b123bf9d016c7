//! From bytes to a [`Message`] (RFC 3261 §7, §18.3; RFC 4475 for what to refuse).

use bytes::Bytes;

use super::Message;
use super::address::NameAddr;
use super::error::{ParseError, ParseErrorKind as Kind, ValueError};
use super::headers::{Core, Head, Line};
use super::method::Method;
use super::name::HeaderName;
use super::request::Request;
use super::response::Response;
use super::scan::{Span, decimal, is_blank, is_token, span_of, trim};
use super::start_line::{request_line, status_line};
use super::values::CSeq;
use super::via::Via;

/// The longest message that is read, in bytes.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// The most headers that a message may have.
pub const MAX_HEADERS: usize = 256;

/// How the message was cut out of what came from the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// One datagram: without Content-Length the body is the rest; what exceeds Content-Length is dropped (RFC 3261 §18.3).
    Datagram,
    /// A byte stream: Content-Length is required.
    Stream,
}

/// Parses one message.
///
/// CRLFs before the start line are passed over (RFC 3261 §7.5).
///
/// # Errors
/// See [`ParseErrorKind`](super::ParseErrorKind); [`ParseError::status`] is the answer that fits.
pub fn parse(wire: Bytes, framing: Framing) -> Result<Message, ParseError> {
    if wire.len() > MAX_MESSAGE {
        return Err(ParseError::new(
            Kind::TooLarge,
            &wire,
            MAX_MESSAGE,
            "at most 65536 bytes",
        ));
    }
    let mut start = 0;
    while wire.get(start..start + 2) == Some(b"\r\n") {
        start += 2;
    }
    let first = wire.get(start..).unwrap_or_default();
    let in_response = first.starts_with(b"SIP/");
    let fix = |error: ParseError| ParseError {
        in_response,
        ..error
    };
    let (wire, lines_end) = unfold(wire, start, framing).map_err(fix)?;
    let start_line_end = line_end(&wire, start).map_err(fix)?;
    let start_line = Span::new(start, start_line_end);
    if in_response {
        let (status, reason) = status_line(&wire, start_line).map_err(fix)?;
        let head = head(wire, start_line_end + 2, lines_end, framing, None).map_err(fix)?;
        return Ok(Message::Response(Response::new(status, reason, head)));
    }
    let (method, uri) = request_line(&wire, start_line)?;
    let head = head(wire, start_line_end + 2, lines_end, framing, Some(&method))?;
    Ok(Message::Request(Request::new(method, uri, head)))
}

/// The offset of the CRLF that ends the line at `start`.
fn line_end(wire: &[u8], start: usize) -> Result<usize, ParseError> {
    let rest = wire.get(start..).unwrap_or_default();
    let fail = |at: usize| {
        Err(ParseError::new(
            Kind::LineEnd,
            wire,
            start + at,
            "CRLF at the end of the line",
        ))
    };
    match memchr::memchr2(b'\r', b'\n', rest) {
        Some(at) if rest.get(at..at + 2) == Some(b"\r\n") => Ok(start + at),
        Some(at) => fail(at),
        None => fail(rest.len()),
    }
}

/// Finds the empty line that ends the headers, and turns each fold (CRLF before a blank) into two spaces, so that no
/// offset moves (RFC 3261 §7.3.1). A datagram may end with its last header line (RFC 4475's `baddn` does).
fn unfold(wire: Bytes, start: usize, framing: Framing) -> Result<(Bytes, usize), ParseError> {
    let mut folded: Option<Vec<u8>> = None;
    let mut at = start;
    let mut fold_allowed = false;
    loop {
        let end = line_end(&wire, at)?;
        if end == at {
            let wire = folded.map_or(wire, Bytes::from);
            return Ok((wire, end));
        }
        match wire.get(end + 2) {
            Some(&next) if is_blank(next) && fold_allowed => {
                let copy = folded.get_or_insert_with(|| wire.to_vec());
                if let Some(gap) = copy.get_mut(end..end + 2) {
                    gap.fill(b' ');
                }
            }
            _ => fold_allowed = true,
        }
        at = end + 2;
        if at >= wire.len() && framing == Framing::Datagram {
            let wire = folded.map_or(wire, Bytes::from);
            return Ok((wire, at));
        }
        if at >= wire.len() {
            return Err(ParseError::new(
                Kind::LineEnd,
                &wire,
                at,
                "an empty line after the headers",
            ));
        }
    }
}

fn head(
    wire: Bytes,
    from: usize,
    to: usize,
    framing: Framing,
    method: Option<&Method>,
) -> Result<Head, ParseError> {
    let mut lines: Vec<Line> = Vec::with_capacity(16);
    let mut at = from;
    while at < to {
        let end = line_end(&wire, at)?;
        if lines.len() >= MAX_HEADERS {
            return Err(ParseError::new(
                Kind::TooManyHeaders,
                &wire,
                at,
                "at most 256 headers",
            ));
        }
        lines.push(line(&wire, at, end)?);
        at = end + 2;
    }
    let core = core(&wire, &lines, to, method)?;
    let body = body(&wire, &lines, to + 2, framing)?;
    Ok(Head {
        wire,
        lines,
        body,
        core,
    })
}

fn line(wire: &[u8], start: usize, end: usize) -> Result<Line, ParseError> {
    let bytes = wire.get(start..end).unwrap_or_default();
    let Some(colon) = memchr::memchr(b':', bytes) else {
        return Err(ParseError::new(Kind::Header, wire, start, "`Name: value`"));
    };
    let name = bytes.get(..colon).unwrap_or_default();
    // HCOLON allows blanks before the colon, but none before the name.
    let blanks = name
        .iter()
        .rev()
        .take_while(|&&byte| is_blank(byte))
        .count();
    let name = name.get(..name.len() - blanks).unwrap_or_default();
    if let Some(bad) = name.iter().position(|&byte| !is_token(byte)) {
        return Err(ParseError::new(
            Kind::Header,
            wire,
            start + bad,
            "a header name of token characters",
        ));
    }
    if name.is_empty() {
        return Err(ParseError::new(Kind::Header, wire, start, "a header name"));
    }
    let value = trim(bytes.get(colon + 1..).unwrap_or_default());
    let value = if value.is_empty() {
        Span::new(end, end)
    } else {
        span_of(wire, value)
    };
    Ok(Line {
        name: HeaderName::from_bytes(name),
        raw_name: span_of(wire, name),
        value,
    })
}

fn core(
    wire: &[u8],
    lines: &[Line],
    end: usize,
    method: Option<&Method>,
) -> Result<Core, ParseError> {
    let mut via = None;
    let mut single: [Option<Span>; 4] = [None; 4];
    // One bit a name; the names are fewer than 64.
    let mut seen = 0u64;
    for line in lines {
        if line.name.is_single() {
            let bit = 1u64 << (line.name as u32 % 64);
            if seen & bit != 0 {
                let error = ParseError::new(
                    Kind::Duplicate,
                    wire,
                    line.raw_name.start as usize,
                    "one such header at most",
                );
                return Err(error.of_header(line.name.as_str()));
            }
            seen |= bit;
        }
        match line.name {
            HeaderName::Via => {
                via.get_or_insert(line.value);
            }
            HeaderName::From => single[0] = Some(line.value),
            HeaderName::To => single[1] = Some(line.value),
            HeaderName::CallId => single[2] = Some(line.value),
            HeaderName::CSeq => single[3] = Some(line.value),
            _ => {}
        }
    }
    let missing = |name: HeaderName| {
        ParseError::new(Kind::Missing, wire, end, "the header").of_header(name.as_str())
    };
    let bad = |name: HeaderName, span: Span| {
        move |error: ValueError| {
            ParseError::new(
                Kind::Header,
                wire,
                span.start as usize + error.at,
                error.expected,
            )
            .of_header(name.as_str())
        }
    };
    let [from, to, call_id, cseq] = single;
    let via_line = via.ok_or_else(|| missing(HeaderName::Via))?;
    let from = from.ok_or_else(|| missing(HeaderName::From))?;
    let to = to.ok_or_else(|| missing(HeaderName::To))?;
    let call_id = call_id
        .filter(|span| span.start < span.end)
        .ok_or_else(|| missing(HeaderName::CallId))?;
    let cseq_span = cseq.ok_or_else(|| missing(HeaderName::CSeq))?;

    let first = Via::parse_first(via_line.of(wire)).map_err(bad(HeaderName::Via, via_line))?;
    let from_addr = NameAddr::parse(from.of(wire)).map_err(bad(HeaderName::From, from))?;
    let to_addr = NameAddr::parse(to.of(wire)).map_err(bad(HeaderName::To, to))?;
    if let Some(at) = call_id.of(wire).iter().position(|&byte| is_blank(byte)) {
        return Err(bad(HeaderName::CallId, call_id)(ValueError {
            at,
            expected: "a Call-ID without blanks",
        }));
    }
    let cseq = CSeq::parse(cseq_span.of(wire)).map_err(bad(HeaderName::CSeq, cseq_span))?;
    if method.is_some_and(|method| *method != cseq.method) {
        let error = ParseError::new(
            Kind::MethodMismatch,
            wire,
            cseq_span.start as usize,
            "the request line's method",
        );
        return Err(error.of_header("CSeq"));
    }
    if let Some(line) = lines
        .iter()
        .find(|line| line.name == HeaderName::MaxForwards)
        && decimal(line.value.of(wire)).is_none()
    {
        let error = ValueError {
            at: 0,
            expected: "a number",
        };
        return Err(bad(HeaderName::MaxForwards, line.value)(error));
    }
    Ok(Core {
        via: via_line,
        branch: first.branch().map(|branch| span_of(wire, branch)),
        sent_by: span_of(wire, first.sent_by),
        from,
        from_tag: from_addr.tag().map(|tag| span_of(wire, tag)),
        to,
        to_tag: to_addr.tag().map(|tag| span_of(wire, tag)),
        call_id,
        cseq: cseq.number,
        cseq_method: cseq.method,
    })
}

fn body(wire: &[u8], lines: &[Line], start: usize, framing: Framing) -> Result<Span, ParseError> {
    let start = start.min(wire.len());
    let available = wire.len() - start;
    let Some(line) = lines
        .iter()
        .find(|line| line.name == HeaderName::ContentLength)
    else {
        return match framing {
            Framing::Datagram => Ok(Span::new(start, wire.len())),
            Framing::Stream => {
                let expected = "Content-Length, which a stream needs (RFC 3261 §18.3)";
                Err(ParseError::new(Kind::Missing, wire, start, expected)
                    .of_header("Content-Length"))
            }
        };
    };
    let at = line.value.start as usize;
    let fail = |expected| {
        ParseError::new(Kind::ContentLength, wire, at, expected).of_header("Content-Length")
    };
    let length = decimal(line.value.of(wire)).ok_or_else(|| fail("a number of bytes"))?;
    match usize::try_from(length) {
        Ok(length) if length <= available => Ok(Span::new(start, start + length)),
        _ => Err(fail("no more than the bytes that follow the headers")),
    }
}
