//! `Digest name=value, name="value"` (RFC 7616 §3.3, RFC 3261 §25.1 `digest-cln`).

use std::borrow::Cow;

use crate::message::{Scan, ValueError, unquote};

/// The most parameters that are read; RFC 7616 knows thirteen.
const MAX_PARAMS: usize = 32;

/// The parameters of a challenge or of credentials.
#[derive(Debug)]
pub(super) struct AuthParams<'a> {
    list: Vec<(&'a str, Cow<'a, str>)>,
}

impl<'a> AuthParams<'a> {
    /// Reads a value whose scheme is Digest.
    pub(super) fn digest(value: &'a [u8]) -> Result<Self, ValueError> {
        let mut scan = Scan::new(value);
        scan.blanks();
        let start = scan;
        if !scan
            .token("an authentication scheme")?
            .eq_ignore_ascii_case("Digest")
        {
            return Err(start.expected("the scheme `Digest`"));
        }
        scan.blanks();
        let mut list = Vec::new();
        loop {
            let name = scan.token("a parameter name")?;
            if !scan.take_loose(b'=') {
                return Err(scan.expected("`=`"));
            }
            let raw = if scan.peek() == Some(b'"') {
                scan.quoted()?
            } else {
                // Real peers leave URIs and base64 unquoted.
                scan.take_while(|byte| !matches!(byte, b',' | b' ' | b'\t' | b'"'))
            };
            let value = match unquote(raw) {
                Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
                Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
            };
            let value = value.ok_or_else(|| scan.expected("UTF-8 in the value before"))?;
            if list.len() >= MAX_PARAMS {
                return Err(scan.expected("at most 32 parameters"));
            }
            list.push((name, value));
            if !scan.take_loose(b',') {
                scan.expect_end("`,` or the end of the value")?;
                return Ok(Self { list });
            }
        }
    }

    /// The first parameter called `name`, without quotes.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self
            .list
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_ref())
    }

    /// As [`AuthParams::get`], where the value must be there.
    pub(super) fn need(&self, name: &str, expected: &'static str) -> Result<&str, ValueError> {
        self.get(name).ok_or(ValueError { at: 0, expected })
    }
}

/// Adds `name="value"`, its quotes and backslashes escaped and what would break the line left out.
pub(super) fn quote(out: &mut String, name: &str, value: &str) {
    separate(out);
    out.push_str(name);
    out.push_str("=\"");
    for letter in value.chars().filter(|letter| !letter.is_control()) {
        if matches!(letter, '"' | '\\') {
            out.push('\\');
        }
        out.push(letter);
    }
    out.push('"');
}

/// Adds `name=value`.
pub(super) fn plain(out: &mut String, name: &str, value: &str) {
    separate(out);
    out.push_str(name);
    out.push('=');
    out.push_str(value);
}

fn separate(out: &mut String) {
    out.push_str(if out.is_empty() { "Digest " } else { ", " });
}
