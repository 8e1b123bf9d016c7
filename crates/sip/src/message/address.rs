//! `name-addr` and `addr-spec`: the values of From, To, Contact, Route and their like.

use std::borrow::Cow;

use super::ValueError;
use super::params::Params;
use super::scan::{Scan, is_blank, is_token, text, trim, unquote};
use super::uri::UriRef;

/// A display name, a URI and header parameters (RFC 3261 §20.10, §25.1).
#[derive(Debug, Clone, Copy)]
pub struct NameAddr<'a> {
    display: &'a [u8],
    uri: &'a [u8],
    params: Params<'a>,
    raw: &'a [u8],
}

impl<'a> NameAddr<'a> {
    /// Parses a value that holds one address.
    ///
    /// Unquoted display names may hold any character but `<` (RFC 4475 §3.1.2.15 leaves that to the reader), and blanks
    /// inside the angle brackets are taken away (§3.1.2.14).
    ///
    /// # Errors
    /// An open quote or bracket, a malformed parameter, or something behind the value.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        let mut scan = Scan::new(value);
        let found = Self::scan(&mut scan, false)?;
        scan.expect_end("the end of the address")?;
        Ok(found)
    }

    /// Reads one address; in a list an unquoted display name ends at a comma.
    fn scan(scan: &mut Scan<'a>, in_list: bool) -> Result<Self, ValueError> {
        scan.blanks();
        let start = *scan;
        let mut open = None;
        let mut probe = *scan;
        while let Some(byte) = probe.peek() {
            match byte {
                b'<' => {
                    open = Some(probe.at());
                    break;
                }
                b'"' => {
                    probe.quoted()?;
                }
                b',' if in_list => break,
                _ => probe.skip(1),
            }
        }
        if let Some(open) = open {
            let display = trim(start.rest().get(..open - start.at()).unwrap_or_default());
            scan.skip(open - start.at() + 1);
            let uri = scan.take_while(|byte| byte != b'>');
            if !scan.take(b'>') {
                return Err(scan.expected("`>`"));
            }
            let uri = trim(uri);
            if uri.is_empty() {
                return Err(ValueError {
                    at: open,
                    expected: "a URI in the angle brackets",
                });
            }
            let params = Params::scan(scan)?;
            let raw = start
                .rest()
                .get(..scan.at() - start.at())
                .unwrap_or_default();
            return Ok(Self {
                display,
                uri,
                params,
                raw,
            });
        }
        // addr-spec: what follows `;` belongs to the header, not to the URI (RFC 3261 §20.10).
        let uri =
            scan.take_while(|byte| !is_blank(byte) && byte != b';' && (byte != b',' || !in_list));
        if uri.is_empty() {
            return Err(scan.expected("a URI"));
        }
        if uri.contains(&b'?') {
            return Err(ValueError {
                at: start.at(),
                expected: "angle brackets around a URI with `?` (RFC 3261 §20.10)",
            });
        }
        let params = Params::scan(scan)?;
        let raw = start
            .rest()
            .get(..scan.at() - start.at())
            .unwrap_or_default();
        Ok(Self {
            display: &[],
            uri,
            params,
            raw,
        })
    }

    /// The display name without quotes; `None` if there is none.
    pub fn display(&self) -> Option<Cow<'a, str>> {
        if self.display.is_empty() {
            return None;
        }
        Some(match unquote(self.display) {
            Cow::Borrowed(bytes) => text(bytes),
            Cow::Owned(bytes) => Cow::Owned(text(&bytes).into_owned()),
        })
    }

    /// The URI.
    ///
    /// # Errors
    /// As [`UriRef::parse`].
    pub fn uri(&self) -> Result<UriRef<'a>, ValueError> {
        UriRef::parse(self.uri)
    }

    /// The URI's bytes.
    pub const fn raw_uri(&self) -> &'a [u8] {
        self.uri
    }

    /// The whole element as it was written.
    pub const fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The header parameters, those behind the URI.
    pub const fn params(&self) -> Params<'a> {
        self.params
    }

    /// The `tag` of a From or To header (RFC 3261 §19.3), as it was written.
    pub fn tag(&self) -> Option<&'a [u8]> {
        self.params.find("tag")?.raw
    }
}

/// The addresses of a comma-separated list (Contact, Route, Record-Route), each read when it is asked for.
#[derive(Debug, Clone)]
pub struct Addresses<'a> {
    scan: Scan<'a>,
    failed: bool,
}

impl<'a> Addresses<'a> {
    /// The list in `value`.
    pub const fn new(value: &'a [u8]) -> Self {
        Self {
            scan: Scan::new(value),
            failed: false,
        }
    }
}

impl<'a> Iterator for Addresses<'a> {
    type Item = Result<NameAddr<'a>, ValueError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.scan.blanks();
        if self.failed || self.scan.end() {
            return None;
        }
        let found = NameAddr::scan(&mut self.scan, true).and_then(|address| {
            if self.scan.take_loose(b',') {
                return Ok(address);
            }
            self.scan
                .expect_end("`,` or the end of the list")
                .map(|()| address)
        });
        self.failed = found.is_err();
        Some(found)
    }
}

/// Whether a display name must be quoted: it is, unless it is made of tokens and blanks.
pub(crate) fn needs_quotes(display: &str) -> bool {
    !display.bytes().all(|byte| is_token(byte) || byte == b' ')
}
