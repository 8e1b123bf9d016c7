//! A parsed response.

use std::borrow::Cow;
use std::sync::Arc;

use super::headers::{Head, Headers};
use super::scan::{Span, text};
use super::status::StatusCode;

/// A parsed response (RFC 3261 §7.2). Cloning it copies a pointer.
#[derive(Debug, Clone)]
pub struct Response {
    data: Arc<Data>,
}

#[derive(Debug)]
struct Data {
    status: StatusCode,
    reason: Span,
    head: Head,
}

impl Response {
    pub(crate) fn new(status: StatusCode, reason: Span, head: Head) -> Self {
        Self {
            data: Arc::new(Data {
                status,
                reason,
                head,
            }),
        }
    }

    pub(crate) fn head(&self) -> &Head {
        &self.data.head
    }

    /// The status code.
    pub fn status(&self) -> StatusCode {
        self.data.status
    }

    /// The reason phrase, which may be empty.
    pub fn reason(&self) -> Cow<'_, str> {
        text(self.data.head.bytes(self.data.reason))
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
