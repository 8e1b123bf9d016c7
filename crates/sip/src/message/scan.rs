//! Walking over the bytes of one header value.

use std::borrow::Cow;

use super::ValueError;

/// A range of bytes inside a message. Messages are at most 64 KiB, so 32 bits are ample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self {
            start: u32::try_from(start).unwrap_or(u32::MAX),
            end: u32::try_from(end).unwrap_or(u32::MAX),
        }
    }

    /// The bytes of the span; empty when it does not lie inside `wire`.
    pub(crate) fn of(self, wire: &[u8]) -> &[u8] {
        wire.get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}

/// Where `inner`, a sub-slice of `outer`, lies in it.
pub(crate) fn span_of(outer: &[u8], inner: &[u8]) -> Span {
    let start = (inner.as_ptr() as usize)
        .wrapping_sub(outer.as_ptr() as usize)
        .min(outer.len());
    Span::new(start, start.saturating_add(inner.len()).min(outer.len()))
}

/// Bytes as text: UTF-8 where they are UTF-8, each other byte as the Latin-1 character it most likely was.
///
/// Old phones send display names in Latin-1 although RFC 3261 §7.3.1 wants UTF-8; nothing is lost or cut off.
pub fn text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            let mut out = String::with_capacity(bytes.len() + 8);
            for chunk in bytes.utf8_chunks() {
                out.push_str(chunk.valid());
                out.extend(chunk.invalid().iter().map(|&byte| char::from(byte)));
            }
            Cow::Owned(out)
        }
    }
}

/// `token` of RFC 3261 §25.1.
pub(crate) const fn is_token(byte: u8) -> bool {
    matches!(byte,
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
}

/// Space and tab; folded lines have become spaces before a value is scanned.
pub(crate) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// `bytes` without blanks at either end.
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && is_blank(*first)
    {
        bytes = rest;
    }
    while let [rest @ .., last] = bytes
        && is_blank(*last)
    {
        bytes = rest;
    }
    bytes
}

/// A bounded, never panicking reader over a header value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    pub(crate) fn skip(&mut self, count: usize) {
        self.at = self.at.saturating_add(count).min(self.bytes.len());
    }

    pub(crate) fn blanks(&mut self) {
        while self.peek().is_some_and(is_blank) {
            self.at += 1;
        }
    }

    /// Takes `byte` if it comes next.
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    /// Takes `byte` with the blanks around it, as `COMMA`, `SEMI`, `EQUAL` and `SLASH` of RFC 3261 §25.1 allow.
    pub(crate) fn take_loose(&mut self, byte: u8) -> bool {
        let before = self.at;
        self.blanks();
        if self.take(byte) {
            self.blanks();
            return true;
        }
        self.at = before;
        false
    }

    pub(crate) fn take_while(&mut self, accept: impl Fn(u8) -> bool) -> &'a [u8] {
        let start = self.at;
        while self.peek().is_some_and(&accept) {
            self.at += 1;
        }
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    pub(crate) fn token(&mut self, expected: &'static str) -> Result<&'a str, ValueError> {
        let found = self.take_while(is_token);
        if found.is_empty() {
            return Err(self.expected(expected));
        }
        // A token is ASCII by `is_token`.
        Ok(std::str::from_utf8(found).unwrap_or_default())
    }

    /// A quoted string with its quotes (RFC 3261 §25.1 `quoted-string`); the cursor stands on the opening quote.
    pub(crate) fn quoted(&mut self) -> Result<&'a [u8], ValueError> {
        let start = self.at;
        if !self.take(b'"') {
            return Err(self.expected("an opening quote"));
        }
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(self.bytes.get(start..self.at).unwrap_or_default());
                }
                Some(b'\\') => self.skip(2),
                Some(_) => self.at += 1,
                None => return Err(self.expected("a closing quote")),
            }
        }
    }

    pub(crate) fn end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    pub(crate) const fn expected(&self, expected: &'static str) -> ValueError {
        ValueError {
            at: self.at,
            expected,
        }
    }

    pub(crate) fn expect_end(&mut self, expected: &'static str) -> Result<(), ValueError> {
        self.blanks();
        if self.end() {
            Ok(())
        } else {
            Err(self.expected(expected))
        }
    }
}

/// The content of a quoted string, its quotes and backslashes taken away.
pub(crate) fn unquote(quoted: &[u8]) -> Cow<'_, [u8]> {
    let inner = quoted
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""))
        .unwrap_or(quoted);
    if !inner.contains(&b'\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut escaped = false;
    for &byte in inner {
        if byte == b'\\' && !escaped {
            escaped = true;
        } else {
            out.push(byte);
            escaped = false;
        }
    }
    Cow::Owned(out)
}

/// A decimal number; too many digits give `u64::MAX`, so that the caller's range check refuses or clamps it.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    let mut value: u64 = 0;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value
            .saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'));
    }
    Some(value)
}
