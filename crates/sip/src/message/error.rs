//! Why bytes are not a SIP message.

use std::fmt;

use super::StatusCode;

/// Why one header value cannot be read: what was expected, and at which byte of the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} at byte {at} of the value")]
pub struct ValueError {
    /// Offset in the value, in bytes from 0.
    pub at: usize,
    /// What would have been right there.
    pub expected: &'static str,
}

/// The kind of a [`ParseError`], which decides the SIP status that answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// More bytes than [`super::MAX_MESSAGE`]: 513.
    TooLarge,
    /// More headers than [`super::MAX_HEADERS`]: 400.
    TooManyHeaders,
    /// Neither a request line nor a status line (RFC 3261 §7.1, §7.2): 400.
    StartLine,
    /// A version other than `SIP/2.0`: 505.
    Version,
    /// A line that does not end in CRLF, or a CR or LF on its own: 400.
    ///
    /// LF-only messages are refused: RFC 3261 §7 asks for CRLF, and elements that disagree about where a line ends
    /// disagree about which headers there are.
    LineEnd,
    /// A header whose name or value breaks its grammar: 400.
    Header,
    /// A header that every message of this kind must carry is absent (RFC 3261 §8.1.1): 400.
    Missing,
    /// A header that may stand once stands twice (RFC 4475 §3.3.8): 400.
    Duplicate,
    /// `Content-Length` is no number, or larger than the body (RFC 3261 §18.3): 400.
    ContentLength,
    /// `CSeq` names another method than the request line (RFC 3261 §8.1.1.5): 400.
    MethodMismatch,
}

/// Why bytes are not a SIP message: what was wrong, where, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// What is wrong.
    pub kind: ParseErrorKind,
    /// The header concerned, if one is.
    pub header: Option<&'static str>,
    /// Byte offset in the message, from 0.
    pub offset: usize,
    /// Line, from 1.
    pub line: usize,
    /// Byte in that line, from 1.
    pub column: usize,
    /// What would have been right there.
    pub expected: &'static str,
    /// The bytes began like a response, so nobody may be answered.
    pub in_response: bool,
}

impl ParseError {
    pub(crate) fn new(
        kind: ParseErrorKind,
        wire: &[u8],
        offset: usize,
        expected: &'static str,
    ) -> Self {
        let before = wire.get(..offset.min(wire.len())).unwrap_or_default();
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        let column = before.len() - memchr::memrchr(b'\n', before).map_or(0, |at| at + 1) + 1;
        Self {
            kind,
            header: None,
            offset,
            line,
            column,
            expected,
            in_response: wire.starts_with(b"SIP/"),
        }
    }

    pub(crate) const fn of_header(mut self, header: &'static str) -> Self {
        self.header = Some(header);
        self
    }

    /// The status that answers such a request; `None` for a response, which is dropped (RFC 3261 §18.1.2).
    pub const fn status(&self) -> Option<StatusCode> {
        if self.in_response {
            return None;
        }
        Some(match self.kind {
            ParseErrorKind::TooLarge => StatusCode::MESSAGE_TOO_LARGE,
            ParseErrorKind::Version => StatusCode::VERSION_NOT_SUPPORTED,
            _ => StatusCode::BAD_REQUEST,
        })
    }

    /// The reason phrase that tells the sender what is wrong, as RFC 3261 §21.4.1 asks.
    pub const fn reason(&self) -> &'static str {
        match self.kind {
            ParseErrorKind::TooLarge => "Message Too Large",
            ParseErrorKind::TooManyHeaders => "Too Many Headers",
            ParseErrorKind::StartLine => "Malformed Request-Line",
            ParseErrorKind::Version => "Version Not Supported",
            ParseErrorKind::LineEnd => "Lines Must End In CRLF",
            ParseErrorKind::Header => "Malformed Header",
            ParseErrorKind::Missing => "Missing Header",
            ParseErrorKind::Duplicate => "Header Given Twice",
            ParseErrorKind::ContentLength => "Wrong Content-Length",
            ParseErrorKind::MethodMismatch => "CSeq Method Does Not Match",
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason())?;
        if let Some(header) = self.header {
            write!(f, " ({header})")?;
        }
        write!(
            f,
            " at line {}, byte {}: expected {}",
            self.line, self.column, self.expected
        )
    }
}

impl std::error::Error for ParseError {}
