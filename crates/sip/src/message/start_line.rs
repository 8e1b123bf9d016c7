//! Request lines and status lines (RFC 3261 §7.1, §7.2).

use super::error::{ParseError, ParseErrorKind as Kind};
use super::method::Method;
use super::scan::{Span, decimal, is_token, span_of};
use super::status::StatusCode;
use super::uri::UriRef;

pub(super) fn request_line(wire: &[u8], span: Span) -> Result<(Method, Span), ParseError> {
    let line = span.of(wire);
    let base = span.start as usize;
    let fail =
        |at: usize, expected| Err(ParseError::new(Kind::StartLine, wire, base + at, expected));
    let Some(first) = memchr::memchr(b' ', line) else {
        return fail(line.len(), "`METHOD URI SIP/2.0`");
    };
    let method = line.get(..first).unwrap_or_default();
    if let Some(at) = method.iter().position(|&byte| !is_token(byte)) {
        return fail(at, "a method of token characters");
    }
    // A token is ASCII by `is_token`.
    let method = Method::from_token(std::str::from_utf8(method).unwrap_or_default());
    if first == 0 {
        return fail(0, "a method");
    }
    let rest = line.get(first + 1..).unwrap_or_default();
    let Some(second) = memchr::memrchr(b' ', rest) else {
        return fail(line.len(), "a blank and `SIP/2.0`");
    };
    let version = rest.get(second + 1..).unwrap_or_default();
    let version_at = base + first + second + 2;
    if !version.eq_ignore_ascii_case(b"SIP/2.0") {
        let is_version = version
            .get(..4)
            .is_some_and(|name| name.eq_ignore_ascii_case(b"SIP/"));
        let kind = if is_version {
            Kind::Version
        } else {
            Kind::StartLine
        };
        return Err(ParseError::new(
            kind,
            wire,
            version_at,
            "`SIP/2.0` at the end of the request line",
        ));
    }
    let uri = rest.get(..second).unwrap_or_default();
    let checked = UriRef::parse(uri).map_err(|error| {
        ParseError::new(
            Kind::StartLine,
            wire,
            base + first + 1 + error.at,
            error.expected,
        )
    })?;
    if checked.headers().next().is_some() {
        return fail(
            first + 1,
            "a Request-URI without headers (RFC 3261 §19.1.1)",
        );
    }
    Ok((method, span_of(wire, uri)))
}

pub(super) fn status_line(wire: &[u8], span: Span) -> Result<(StatusCode, Span), ParseError> {
    let line = span.of(wire);
    let base = span.start as usize;
    let Some(rest) = line.strip_prefix(b"SIP/2.0 ") else {
        return Err(ParseError::new(
            Kind::Version,
            wire,
            base,
            "`SIP/2.0` and a blank",
        ));
    };
    let code = rest
        .get(..memchr::memchr(b' ', rest).unwrap_or(rest.len()))
        .unwrap_or_default();
    let status = decimal(code)
        .filter(|_| code.len() == 3)
        .and_then(|code| u16::try_from(code).ok());
    let Some(status) = status.and_then(StatusCode::new) else {
        return Err(ParseError::new(
            Kind::StartLine,
            wire,
            base + 8,
            "a status code from 100 to 699",
        ));
    };
    Ok((
        status,
        span_of(
            wire,
            rest.get(code.len() + 1..).unwrap_or(&[]).trim_ascii_end(),
        )
        .in_line(span),
    ))
}

impl Span {
    /// An empty slice has no place of its own; it is put at the end of its line.
    fn in_line(self, line: Self) -> Self {
        if self.start < line.start || self.end > line.end {
            Self {
                start: line.end,
                end: line.end,
            }
        } else {
            self
        }
    }
}
