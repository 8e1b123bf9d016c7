//! Parameters: `;name=value` after a header value or inside a URI.

use std::borrow::Cow;

use super::ValueError;
use super::scan::{Scan, is_token, text, unquote};

/// One parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param<'a> {
    /// The name as it was written; names compare without regard to case.
    pub name: &'a str,
    /// The value's bytes, with quotes if it has them; `None` for a bare name.
    pub raw: Option<&'a [u8]>,
}

impl<'a> Param<'a> {
    /// The value as text without quotes; `None` for a bare name.
    pub fn value(&self) -> Option<Cow<'a, str>> {
        let raw = self.raw?;
        Some(match unquote(raw) {
            Cow::Borrowed(bytes) => text(bytes),
            Cow::Owned(bytes) => Cow::Owned(text(&bytes).into_owned()),
        })
    }
}

/// The parameters behind a header value (RFC 3261 §7.3.1), checked when they were parsed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Params<'a> {
    raw: &'a [u8],
}

impl<'a> Params<'a> {
    /// Reads `*( SEMI name [ EQUAL value ] )` and leaves the cursor behind it.
    pub(crate) fn scan(scan: &mut Scan<'a>) -> Result<Self, ValueError> {
        let whole = *scan;
        while scan.take_loose(b';') {
            Self::one(scan)?;
        }
        let length = scan.at() - whole.at();
        Ok(Self {
            raw: whole.rest().get(..length).unwrap_or_default(),
        })
    }

    fn one(scan: &mut Scan<'a>) -> Result<Param<'a>, ValueError> {
        let name = scan.token("a parameter name")?;
        if !scan.take_loose(b'=') {
            return Ok(Param { name, raw: None });
        }
        let raw = if scan.peek() == Some(b'"') {
            scan.quoted()?
        } else {
            // Wider than `gen-value`: real peers put `@`, `/` and `:` (User-to-User, Call-IDs, IPv6) there unquoted.
            let value = scan.take_while(|byte| {
                is_token(byte)
                    || matches!(
                        byte,
                        b'[' | b']' | b':' | b'/' | b'@' | b'?' | b'&' | b'$' | b'='
                    )
                    || byte >= 0x80
            });
            if value.is_empty() {
                return Err(scan.expected("a parameter value"));
            }
            value
        };
        Ok(Param {
            name,
            raw: Some(raw),
        })
    }

    /// All parameters in their order.
    pub fn iter(&self) -> impl Iterator<Item = Param<'a>> + use<'a> {
        let mut scan = Scan::new(self.raw);
        std::iter::from_fn(move || {
            if scan.take_loose(b';') {
                Self::one(&mut scan).ok()
            } else {
                None
            }
        })
    }

    /// The first parameter called `name`.
    pub fn find(&self, name: &str) -> Option<Param<'a>> {
        self.iter()
            .find(|param| param.name.eq_ignore_ascii_case(name))
    }

    /// The value of the first parameter called `name`, without quotes; `None` if it is absent or bare.
    pub fn value(&self, name: &str) -> Option<Cow<'a, str>> {
        self.find(name)?.value()
    }

    /// Whether a parameter called `name` is there, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The parameters' bytes, from the first `;`.
    pub const fn raw(&self) -> &'a [u8] {
        self.raw
    }
}
