//! URIs: `sip`, `sips`, `tel`, and any other as it stands.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;

use super::ValueError;
use super::escape::{escape_user, unescape};
use super::host::{Host, HostRef};
use super::scan::{Scan, Span, decimal, span_of};

/// A URI's scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme<'a> {
    /// `sip:` (RFC 3261 §19.1).
    Sip,
    /// `sips:` (RFC 3261 §19.1).
    Sips,
    /// `tel:` (RFC 3966).
    Tel,
    /// Another scheme, as it was written.
    Other(&'a str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Parts {
    scheme_end: u32,
    user: Option<Span>,
    password: Option<Span>,
    host: Span,
    port: Option<u16>,
    params: Span,
    headers: Span,
}

/// A URI inside a message, its structure checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UriRef<'a> {
    text: &'a str,
    parts: Parts,
}

/// A URI that owns its text.
#[derive(Clone, PartialEq, Eq)]
pub struct Uri {
    text: Box<str>,
    parts: Parts,
}

impl<'a> UriRef<'a> {
    /// Parses a URI that fills `bytes`.
    ///
    /// # Errors
    /// No scheme, a blank or control character, bytes that are not UTF-8, or a `sip:` URI without a valid host and port.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ValueError> {
        let fail = |at: usize, expected: &'static str| Err(ValueError { at, expected });
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => return fail(error.valid_up_to(), "UTF-8"),
        };
        if let Some(at) = bytes
            .iter()
            .position(|&byte| byte <= b' ' || matches!(byte, b'<' | b'>' | b'"' | 0x7f))
        {
            return fail(
                at,
                "no blank, quote, angle bracket or control character in a URI",
            );
        }
        let Some(colon) = memchr::memchr(b':', bytes) else {
            return fail(bytes.len(), "`:` after the scheme");
        };
        let scheme = text.get(..colon).unwrap_or_default();
        let letters = scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
        if !letters
            || !scheme
                .bytes()
                .next()
                .is_some_and(|byte| byte.is_ascii_alphabetic())
        {
            return fail(0, "a URI scheme");
        }
        let is_sip = scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips");
        let parts = if is_sip {
            sip_parts(bytes, colon)?
        } else {
            other_parts(bytes, colon)?
        };
        Ok(Self { text, parts })
    }

    pub(crate) const fn unknown() -> Self {
        const NONE: Span = Span { start: 0, end: 0 };
        let parts = Parts {
            scheme_end: 0,
            user: None,
            password: None,
            host: NONE,
            port: None,
            params: NONE,
            headers: NONE,
        };
        Self { text: "", parts }
    }

    /// The whole URI.
    pub const fn as_str(&self) -> &'a str {
        self.text
    }

    fn slice(&self, span: Span) -> &'a str {
        self.text
            .get(span.start as usize..span.end as usize)
            .unwrap_or_default()
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme<'a> {
        let scheme = self
            .text
            .get(..self.parts.scheme_end as usize)
            .unwrap_or_default();
        if scheme.eq_ignore_ascii_case("sip") {
            Scheme::Sip
        } else if scheme.eq_ignore_ascii_case("sips") {
            Scheme::Sips
        } else if scheme.eq_ignore_ascii_case("tel") {
            Scheme::Tel
        } else {
            Scheme::Other(scheme)
        }
    }

    /// The user part with its escapes resolved; of a `tel:` URI its number. `None` if there is none.
    pub fn user(&self) -> Option<Cow<'a, str>> {
        self.parts.user.map(|span| unescape(self.slice(span)))
    }

    /// The user part as it was written, escapes and all.
    pub fn raw_user(&self) -> Option<&'a str> {
        self.parts.user.map(|span| self.slice(span))
    }

    /// The password, which nobody should send (RFC 3261 §19.1.1).
    pub fn password(&self) -> Option<Cow<'a, str>> {
        self.parts.password.map(|span| unescape(self.slice(span)))
    }

    /// The host of a `sip:` or `sips:` URI.
    pub fn host(&self) -> Option<HostRef<'a>> {
        HostRef::scan(&mut Scan::new(self.slice(self.parts.host).as_bytes())).ok()
    }

    /// The port, if one is written.
    pub const fn port(&self) -> Option<u16> {
        self.parts.port
    }

    /// The URI parameters: names and values with escapes resolved.
    pub fn params(&self) -> impl Iterator<Item = (Cow<'a, str>, Option<Cow<'a, str>>)> + use<'a> {
        self.slice(self.parts.params)
            .split(';')
            .filter(|param| !param.is_empty())
            .map(|param| match param.split_once('=') {
                Some((name, value)) => (unescape(name), Some(unescape(value))),
                None => (unescape(param), None),
            })
    }

    /// The value of the parameter `name`: `None` if absent, an empty text if it stands without a value.
    pub fn param(&self, name: &str) -> Option<Cow<'a, str>> {
        self.params()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.unwrap_or_default())
    }

    /// The headers after `?` (RFC 3261 §19.1.1), escapes resolved.
    pub fn headers(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> + use<'a> {
        self.slice(self.parts.headers)
            .split('&')
            .filter(|header| !header.is_empty())
            .map(|header| {
                let (name, value) = header.split_once('=').unwrap_or((header, ""));
                (unescape(name), unescape(value))
            })
    }

    /// The URI without its headers part: what a Request-URI may be (RFC 3261 §19.1.5). Only `sip:` and `sips:` have one.
    pub fn without_headers(&self) -> &'a str {
        if !matches!(self.scheme(), Scheme::Sip | Scheme::Sips) {
            return self.text;
        }
        let start = self.parts.headers.start as usize;
        let cut = start
            .checked_sub(1)
            .filter(|at| self.text.as_bytes().get(*at) == Some(&b'?'));
        self.text
            .get(..cut.unwrap_or(self.text.len()))
            .unwrap_or(self.text)
    }

    /// The URI as text with more in its headers part: `name=value`, escaped, with `&` between several (RFC 3261 §19.1.1).
    /// Only `sip:` and `sips:` have such a part: of another scheme it is not read again.
    pub fn with_headers(&self, more: &str) -> String {
        // The user may hold a `?` of its own.
        let separator = if self.without_headers().len() == self.text.len() {
            "?"
        } else if self.text.ends_with(['?', '&']) {
            ""
        } else {
            "&"
        };
        format!("{}{separator}{more}", self.text)
    }

    /// Where to send, if the host is an IP literal: port 5060, or 5061 for `sips:`, when none is written (RFC 3263 §4).
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        let ip = self.host()?.ip()?;
        let default = if self.scheme() == Scheme::Sips {
            5061
        } else {
            5060
        };
        Some(SocketAddr::new(ip, self.port().unwrap_or(default)))
    }

    /// An owned copy.
    pub fn to_owned(self) -> Uri {
        Uri {
            text: self.text.into(),
            parts: self.parts,
        }
    }
}

fn sip_parts(bytes: &[u8], colon: usize) -> Result<Parts, ValueError> {
    let rest = bytes.get(colon + 1..).unwrap_or_default();
    let base = colon + 1;
    // The user part may hold `;` and `?` (RFC 4475 §3.1.1.9), so `@` is looked for first.
    let at = memchr::memchr(b'@', rest);
    let (user, password) = match at {
        None => (None, None),
        Some(0) => {
            return Err(ValueError {
                at: base,
                expected: "a user before `@`",
            });
        }
        Some(at) => {
            let info = rest.get(..at).unwrap_or_default();
            match memchr::memchr(b':', info) {
                Some(split) => (
                    Some(Span::new(base, base + split)),
                    Some(Span::new(base + split + 1, base + at)),
                ),
                None => (Some(Span::new(base, base + at)), None),
            }
        }
    };
    let host_at = at.map_or(0, |at| at + 1);
    let mut scan = Scan::new(rest);
    scan.skip(host_at);
    let shift = |error: ValueError| ValueError {
        at: error.at + base,
        ..error
    };
    HostRef::scan(&mut scan).map_err(shift)?;
    let host = Span::new(base + host_at, base + scan.at());
    let port = if scan.take(b':') {
        let digits = scan.take_while(|byte| byte.is_ascii_digit());
        let port = decimal(digits).and_then(|port| u16::try_from(port).ok());
        Some(port.ok_or_else(|| shift(scan.expected("a port between 0 and 65535")))?)
    } else {
        None
    };
    let params_at = base + scan.at();
    if !scan.end() && !matches!(scan.peek(), Some(b';' | b'?')) {
        return Err(shift(scan.expected("`;`, `?` or the end of the URI")));
    }
    scan.take_while(|byte| byte != b'?');
    let params = Span::new(params_at, base + scan.at());
    scan.take(b'?');
    let headers = Span::new(base + scan.at(), bytes.len());
    Ok(Parts {
        scheme_end: Span::new(0, colon).end,
        user,
        password,
        host,
        port,
        params,
        headers,
    })
}

fn other_parts(bytes: &[u8], colon: usize) -> Result<Parts, ValueError> {
    let rest = bytes.get(colon + 1..).unwrap_or_default();
    if rest.is_empty() {
        return Err(ValueError {
            at: bytes.len(),
            expected: "something after the scheme",
        });
    }
    let number = rest
        .get(..memchr::memchr2(b';', b'?', rest).unwrap_or(rest.len()))
        .unwrap_or_default();
    let after = rest.get(number.len()..).unwrap_or_default();
    let params = after
        .get(..memchr::memchr(b'?', after).unwrap_or(after.len()))
        .unwrap_or_default();
    let end = Span::new(bytes.len(), bytes.len());
    Ok(Parts {
        scheme_end: Span::new(0, colon).end,
        user: bytes
            .get(..colon)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"tel"))
            .then(|| span_of(bytes, number)),
        password: None,
        host: end,
        port: None,
        params: span_of(bytes, params),
        headers: end,
    })
}

impl Uri {
    /// Parses a URI.
    ///
    /// # Errors
    /// As [`UriRef::parse`].
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        UriRef::parse(text.as_bytes()).map(UriRef::to_owned)
    }

    /// A `sip:` URI of a user at a host.
    ///
    /// # Errors
    /// A host that is neither a name nor an address.
    pub fn sip(user: Option<&str>, host: &Host, port: Option<u16>) -> Result<Self, ValueError> {
        use fmt::Write as _;
        let mut text = String::from("sip:");
        if let Some(user) = user {
            escape_user(user, &mut text);
            text.push('@');
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "{host}");
        if let Some(port) = port {
            let _ = write!(text, ":{port}");
        }
        Self::parse(&text)
    }

    /// The URI, borrowed; all getters are there.
    pub const fn as_ref(&self) -> UriRef<'_> {
        UriRef {
            text: &self.text,
            parts: self.parts,
        }
    }

    /// The whole URI.
    pub const fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uri({})", self.text)
    }
}

impl std::str::FromStr for Uri {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        Self::parse(text)
    }
}
