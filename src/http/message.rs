//! HTTP messages as the logic sees them.

use sha2::{Digest, Sha256};

/// The longest body that is taken: 256 KiB. Alexa's requests have a few kilobytes.
pub const MAX_BODY: usize = 256 * 1024;

/// A request that came in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The method, in capitals.
    pub method: String,
    /// The path with the query, as it was sent.
    pub target: String,
    /// Header names as they came, and the values' bytes.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body; whoever reads it stops after [`MAX_BODY`] and one byte.
    pub body: Vec<u8>,
}

impl Request {
    /// The path without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The first value of a header, whatever the case of its name; none also when it is not UTF-8.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

/// The first value of a header, whatever the case of its name; none also when it is not UTF-8.
#[must_use]
pub fn header<'h>(headers: &'h [(String, Vec<u8>)], name: &str) -> Option<&'h str> {
    headers
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .and_then(|(_, value)| std::str::from_utf8(value).ok())
}

/// A body with its SHA-256, against which the signature is held, and a repetition.
#[derive(Debug, Clone, Copy)]
pub struct Body<'b> {
    /// The bytes.
    pub bytes: &'b [u8],
    /// Their SHA-256.
    pub sha256: [u8; 32],
}

impl<'b> Body<'b> {
    /// Of these bytes.
    #[must_use]
    pub fn of(bytes: &'b [u8]) -> Self {
        let sha256 = Sha256::digest(bytes).into();
        Self { bytes, sha256 }
    }
}

/// A response that goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Header names, in lower case, and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// The media type of answers.
pub const JSON: &str = "application/json";
/// The media type of refusals (RFC 9457 §3).
pub const PROBLEM: &str = "application/problem+json";

impl Response {
    /// A response with JSON in it.
    #[must_use]
    pub fn json(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            headers: vec![("content-type", JSON.to_owned())],
            body,
        }
    }

    /// The media type.
    #[must_use]
    pub fn content_type(&self) -> &str {
        self.headers
            .iter()
            .find(|(name, _)| *name == "content-type")
            .map_or(JSON, |(_, value)| value)
    }
}
