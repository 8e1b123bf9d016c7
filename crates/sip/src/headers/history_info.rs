//! History-Info (RFC 7044): the targets that a request has had, the first first.

use std::fmt;

use super::elements::{MAX_ELEMENTS, name_addr};
use super::privacy::Privacy;
use super::reason::Reason;
use crate::message::{Addresses, HeaderName, Headers, NameAddr, Uri, ValueError};

/// How a target came to be (RFC 7044 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TargetKind {
    /// `rc`: the same user, reached by a Contact.
    Contact,
    /// `mp`: another user.
    Mapped,
    /// `np`: no change of the target.
    NoChange,
}

impl TargetKind {
    const ALL: [(&'static str, Self); 3] = [
        ("rc", Self::Contact),
        ("mp", Self::Mapped),
        ("np", Self::NoChange),
    ];
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The target, without the Reason and Privacy that its URI carried.
    pub uri: Uri,
    /// The display name.
    pub display: Option<String>,
    /// Its place: `1.2.1` as `[1, 2, 1]`. Empty if it was not given.
    pub index: Vec<u32>,
    /// How it came to be, and from which entry.
    pub kind: Option<(TargetKind, String)>,
    /// Why it was left.
    pub reasons: Vec<Reason>,
    /// Whom it may be shown to.
    pub privacy: Option<Privacy>,
}

impl HistoryEntry {
    /// Parses one value.
    ///
    /// # Errors
    /// A malformed address.
    pub fn parse(value: &[u8]) -> Result<Self, ValueError> {
        Self::of_address(&NameAddr::parse(value)?)
    }

    fn of_address(address: &NameAddr<'_>) -> Result<Self, ValueError> {
        let whole = address.uri()?;
        let params = address.params();
        let (mut reasons, mut privacy, mut kept) = (Vec::new(), None, Vec::new());
        let plain = whole.without_headers();
        let headers = whole
            .as_str()
            .get(plain.len()..)
            .unwrap_or_default()
            .trim_start_matches('?');
        for raw in headers.split('&').filter(|raw| !raw.is_empty()) {
            let name = raw.split('=').next().unwrap_or_default();
            let value = whole
                .headers()
                .find(|(known, _)| known.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.into_owned())
                .unwrap_or_default();
            if name.eq_ignore_ascii_case("Reason") {
                reasons.extend(Reason::parse(value.as_bytes()));
            } else if name.eq_ignore_ascii_case("Privacy") {
                privacy = Some(Privacy::parse(value.as_bytes()));
            } else {
                kept.push(raw);
            }
        }
        let uri = if kept.is_empty() {
            plain.to_owned()
        } else {
            format!("{plain}?{}", kept.join("&"))
        };
        let index = params.find("index").and_then(|param| param.raw);
        let index = index
            .and_then(|raw| std::str::from_utf8(raw).ok())
            .and_then(|text| {
                text.split('.')
                    .take(16)
                    .map(|part| part.parse().ok())
                    .collect::<Option<Vec<u32>>>()
            });
        let kind = TargetKind::ALL.iter().find_map(|(name, kind)| {
            params
                .find(name)
                .map(|param| (*kind, param.value().unwrap_or_default().into_owned()))
        });
        Ok(Self {
            uri: Uri::parse(&uri)?,
            display: address.display().map(|name| name.into_owned()),
            index: index.unwrap_or_default(),
            kind,
            reasons,
            privacy,
        })
    }

    /// All entries of a message; what cannot be read is left out.
    pub fn list(headers: Headers<'_>) -> Vec<Self> {
        headers
            .all(HeaderName::HistoryInfo)
            .flat_map(Addresses::new)
            .take(MAX_ELEMENTS)
            .filter_map(|address| Self::of_address(&address.ok()?).ok())
            .collect()
    }
}

/// Escapes what may not stand in the headers part of a URI (RFC 3261 §25.1 `hvalue`).
fn escaped(text: &str) -> String {
    use fmt::Write as _;
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()[]/?:+$".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

impl fmt::Display for HistoryEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = |name: &str, value: &str| format!("{name}={}", escaped(value));
        let mut headers: Vec<String> = (self.reasons.iter())
            .map(|reason| header("Reason", &reason.to_string()))
            .collect();
        if let Some(privacy) = &self.privacy {
            headers.push(header("Privacy", &privacy.to_string()));
        }
        let uri = if headers.is_empty() {
            self.uri.as_str().to_owned()
        } else {
            self.uri.as_ref().with_headers(&headers.join("&"))
        };
        f.write_str(&name_addr(self.display.as_deref(), &uri))?;
        if !self.index.is_empty() {
            let index: Vec<String> = self.index.iter().map(u32::to_string).collect();
            write!(f, ";index={}", index.join("."))?;
        }
        if let Some((kind, from)) = &self.kind {
            let name = TargetKind::ALL
                .iter()
                .find(|(_, known)| known == kind)
                .map_or("np", |(name, _)| name);
            write!(f, ";{name}={}", super::elements::token_or_quoted(from))?;
        }
        Ok(())
    }
}
