//! Small typed header values.

use super::ValueError;
use super::method::Method;
use super::params::Params;
use super::scan::{Scan, decimal, trim};

/// `CSeq` (RFC 3261 §20.16).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CSeq {
    /// The sequence number, below 2^31 (RFC 3261 §8.1.1.5).
    pub number: u32,
    /// The method.
    pub method: Method,
}

impl CSeq {
    /// Parses a value.
    ///
    /// # Errors
    /// No number below 2^31, or no method.
    pub fn parse(value: &[u8]) -> Result<Self, ValueError> {
        let mut scan = Scan::new(value);
        scan.blanks();
        let start = scan;
        let number = decimal(scan.take_while(|byte| byte.is_ascii_digit()));
        let number = number
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| *number < 1 << 31);
        let number = number.ok_or_else(|| start.expected("a number below 2147483648"))?;
        let before = scan.at();
        scan.blanks();
        if scan.at() == before {
            return Err(scan.expected("a blank before the method"));
        }
        let method = Method::from_token(scan.token("a method")?);
        scan.expect_end("the end of CSeq")?;
        Ok(Self { number, method })
    }
}

/// `Content-Type` (RFC 3261 §20.15).
#[derive(Debug, Clone, Copy)]
pub struct MediaType<'a> {
    /// `application` of `application/sdp`.
    pub kind: &'a str,
    /// `sdp` of `application/sdp`.
    pub subtype: &'a str,
    /// The parameters.
    pub params: Params<'a>,
}

impl<'a> MediaType<'a> {
    /// Parses a value.
    ///
    /// # Errors
    /// Anything but `type/subtype` with well-formed parameters.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        let mut scan = Scan::new(value);
        scan.blanks();
        let kind = scan.token("a media type")?;
        if !scan.take_loose(b'/') {
            return Err(scan.expected("`/` and a subtype"));
        }
        let subtype = scan.token("a media subtype")?;
        let params = Params::scan(&mut scan)?;
        scan.expect_end("the end of Content-Type")?;
        Ok(Self {
            kind,
            subtype,
            params,
        })
    }

    /// Whether this is `kind/subtype`, without regard to case.
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }
}

/// `Retry-After` (RFC 3261 §20.33).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryAfter {
    /// Seconds to wait.
    pub seconds: u32,
}

impl RetryAfter {
    /// Parses a value; a comment and parameters behind the number are passed over.
    ///
    /// # Errors
    /// No number that fits in 32 bits.
    pub fn parse(value: &[u8]) -> Result<Self, ValueError> {
        let mut scan = Scan::new(value);
        scan.blanks();
        let start = scan;
        let seconds = decimal(scan.take_while(|byte| byte.is_ascii_digit()));
        let seconds = seconds.and_then(|seconds| u32::try_from(seconds).ok());
        seconds
            .map(|seconds| Self { seconds })
            .ok_or_else(|| start.expected("seconds below 4294967296"))
    }
}

/// The tokens of a comma-separated list (Allow, Supported, Require, Unsupported). Empty elements are passed over.
#[derive(Debug, Clone)]
pub struct TokenList<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> TokenList<'a> {
    /// The list in `value`.
    pub const fn new(value: &'a [u8]) -> Self {
        Self { rest: Some(value) }
    }
}

impl<'a> Iterator for TokenList<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while let Some(rest) = self.rest {
            let (element, after) = match memchr::memchr(b',', rest) {
                Some(at) => (rest.get(..at).unwrap_or_default(), rest.get(at + 1..)),
                None => (rest, None),
            };
            self.rest = after;
            let element = trim(element);
            if !element.is_empty() {
                return Some(element);
            }
        }
        None
    }
}
