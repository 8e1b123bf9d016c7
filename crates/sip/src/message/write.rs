//! Writing messages.

use std::fmt::{Display, Write as _};

use bytes::Bytes;

use super::method::Method;
use super::name::HeaderName;
use super::scan::is_token;
use super::status::StatusCode;

/// Why a header may not be added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHeader {
    /// The name is no token.
    #[error("header name {0:?}: expected letters, digits or any of -.!%*_+`'~ (RFC 3261 §25.1)")]
    Name(String),
    /// The value holds a line end, which would let it add headers of its own.
    #[error("value of header {0}: expected a single line, found CR or LF")]
    Value(String),
    /// The stack writes this header itself.
    #[error("header {0} is written by the SIP core itself and cannot be added")]
    Reserved(String),
}

/// A header that a user of this crate adds to a message; it cannot break the message's lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraHeader {
    name: Box<str>,
    value: Box<[u8]>,
}

impl ExtraHeader {
    /// Checks a name and a value.
    ///
    /// # Errors
    /// See [`InvalidHeader`]. Reserved are the headers that route or frame a message: Via, From, To, Call-ID, CSeq,
    /// Contact, Max-Forwards, Content-Length, Content-Type, Route and Record-Route.
    pub fn new(name: &str, value: impl AsRef<[u8]>) -> Result<Self, InvalidHeader> {
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(InvalidHeader::Name(name.to_owned()));
        }
        if matches!(
            HeaderName::from_bytes(name.as_bytes()),
            HeaderName::Via
                | HeaderName::From
                | HeaderName::To
                | HeaderName::CallId
                | HeaderName::CSeq
                | HeaderName::Contact
                | HeaderName::MaxForwards
                | HeaderName::ContentLength
                | HeaderName::ContentType
                | HeaderName::Route
                | HeaderName::RecordRoute
        ) {
            return Err(InvalidHeader::Reserved(name.to_owned()));
        }
        let value = value.as_ref();
        if memchr::memchr2(b'\r', b'\n', value).is_some() {
            return Err(InvalidHeader::Value(name.to_owned()));
        }
        Ok(Self {
            name: name.into(),
            value: value.into(),
        })
    }

    /// `Retry-After` in seconds (RFC 3261 §20.33).
    pub fn retry_after(seconds: u32) -> Self {
        Self {
            name: "Retry-After".into(),
            value: seconds.to_string().into_bytes().into(),
        }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value.
    pub fn value(&self) -> &[u8] {
        &self.value
    }
}

/// Writes one message line by line.
///
/// Values given as `&[u8]` or `Display` come from this crate or were checked by [`ExtraHeader`]; as a last defence each
/// CR or LF inside a value is written as a blank.
#[derive(Debug)]
pub struct MessageWriter {
    out: Vec<u8>,
}

/// Writes text into the message's bytes.
struct Sink<'a>(&'a mut Vec<u8>);

impl std::fmt::Write for Sink<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        put(self.0, text.as_bytes());
        Ok(())
    }
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    if memchr::memchr2(b'\r', b'\n', bytes).is_none() {
        out.extend_from_slice(bytes);
    } else {
        out.extend(bytes.iter().map(|&byte| {
            if matches!(byte, b'\r' | b'\n') {
                b' '
            } else {
                byte
            }
        }));
    }
}

impl MessageWriter {
    /// Begins a request.
    pub fn request(method: &Method, uri: impl AsRef<[u8]>) -> Self {
        let mut out = Vec::with_capacity(1024);
        put(&mut out, method.as_str().as_bytes());
        out.push(b' ');
        put(&mut out, uri.as_ref());
        out.extend_from_slice(b" SIP/2.0\r\n");
        Self { out }
    }

    /// Begins a response; an empty `reason` becomes the status's own phrase.
    pub fn response(status: StatusCode, reason: &str) -> Self {
        let mut out = Vec::with_capacity(1024);
        out.extend_from_slice(b"SIP/2.0 ");
        // Writing to a Vec cannot fail.
        let _ = write!(Sink(&mut out), "{status} ");
        put(
            &mut out,
            if reason.is_empty() {
                status.phrase()
            } else {
                reason
            }
            .as_bytes(),
        );
        out.extend_from_slice(b"\r\n");
        Self { out }
    }

    /// Adds a header.
    pub fn header(&mut self, name: HeaderName, value: impl AsRef<[u8]>) -> &mut Self {
        self.raw_header(name.as_str().as_bytes(), value.as_ref())
    }

    /// Adds a header whose value is formatted.
    pub fn header_fmt(&mut self, name: HeaderName, value: impl Display) -> &mut Self {
        put(&mut self.out, name.as_str().as_bytes());
        self.out.extend_from_slice(b": ");
        // Writing to a Vec cannot fail.
        let _ = write!(Sink(&mut self.out), "{value}");
        self.out.extend_from_slice(b"\r\n");
        self
    }

    /// Adds a header under any name.
    pub fn raw_header(&mut self, name: &[u8], value: &[u8]) -> &mut Self {
        put(&mut self.out, name);
        self.out.extend_from_slice(b": ");
        put(&mut self.out, value);
        self.out.extend_from_slice(b"\r\n");
        self
    }

    /// Adds checked headers.
    pub fn extra(&mut self, headers: &[ExtraHeader]) -> &mut Self {
        for header in headers {
            self.raw_header(header.name().as_bytes(), header.value());
        }
        self
    }

    /// Ends the message without a body.
    pub fn finish(mut self) -> Bytes {
        self.out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
        Bytes::from(self.out)
    }

    /// Ends the message with a body.
    pub fn finish_with(mut self, content_type: &str, body: &[u8]) -> Bytes {
        self.header(HeaderName::ContentType, content_type);
        self.header_fmt(HeaderName::ContentLength, body.len());
        self.out.extend_from_slice(b"\r\n");
        self.out.extend_from_slice(body);
        Bytes::from(self.out)
    }
}
