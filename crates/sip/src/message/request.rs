//! A parsed request.

use std::sync::Arc;

use super::headers::{Head, Headers};
use super::method::Method;
use super::scan::Span;
use super::uri::UriRef;

/// A parsed request (RFC 3261 §7.1). Cloning it copies a pointer.
#[derive(Debug, Clone)]
pub struct Request {
    data: Arc<Data>,
}

#[derive(Debug)]
struct Data {
    method: Method,
    uri: Span,
    head: Head,
}

impl Request {
    pub(crate) fn new(method: Method, uri: Span, head: Head) -> Self {
        Self {
            data: Arc::new(Data { method, uri, head }),
        }
    }

    pub(crate) fn head(&self) -> &Head {
        &self.data.head
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.data.method
    }

    /// The Request-URI.
    pub fn uri(&self) -> UriRef<'_> {
        // The parser has checked it, so the fallback is never taken; it spares a panic path.
        UriRef::parse(self.raw_uri()).unwrap_or_else(|_| UriRef::unknown())
    }

    /// The Request-URI's bytes.
    pub fn raw_uri(&self) -> &[u8] {
        self.data.head.bytes(self.data.uri)
    }

    /// The headers.
    pub fn headers(&self) -> Headers<'_> {
        self.data.head.headers()
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        self.data.head.bytes(self.data.head.body)
    }

    /// The message's bytes, folded lines joined.
    pub fn wire(&self) -> &[u8] {
        &self.data.head.wire
    }
}
