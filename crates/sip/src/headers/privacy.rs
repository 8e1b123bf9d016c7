//! Privacy (RFC 3323, RFC 3325, RFC 7044).

use std::fmt;

use crate::message::{HeaderName, Headers, text, trim};

/// What is to be hidden.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PrivacyValue {
    /// Nothing, and nobody may hide anything.
    None,
    /// Headers that cannot be hidden without a privacy service.
    Header,
    /// The session.
    Session,
    /// What tells about the user.
    User,
    /// P-Asserted-Identity (RFC 3325 §9.3).
    Id,
    /// History-Info (RFC 7044 §10.1.1).
    History,
    /// The request is to fail if it cannot be done.
    Critical,
    /// Another value, as it was written.
    Other(String),
}

impl PrivacyValue {
    const NAMED: [(&'static str, Self); 7] = [
        ("none", Self::None),
        ("header", Self::Header),
        ("session", Self::Session),
        ("user", Self::User),
        ("id", Self::Id),
        ("history", Self::History),
        ("critical", Self::Critical),
    ];

    fn named(name: &str) -> Self {
        let known = Self::NAMED
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        known.map_or_else(|| Self::Other(name.to_owned()), |(_, value)| value.clone())
    }
}

impl fmt::Display for PrivacyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Other(other) = self {
            return f.write_str(other);
        }
        let found = Self::NAMED.iter().find(|(_, value)| value == self);
        f.write_str(found.map_or("none", |(name, _)| name))
    }
}

/// The value of a Privacy header.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Privacy {
    /// Its parts.
    pub values: Vec<PrivacyValue>,
}

impl Privacy {
    /// Reads a value: parts separated by `;`, and by `,` as some write it. What is no token is left out.
    pub fn parse(value: &[u8]) -> Self {
        let parts = value
            .split(|byte| matches!(byte, b';' | b','))
            .map(trim)
            .filter(|part| {
                !part.is_empty() && part.iter().all(|&byte| crate::message::is_token(byte))
            });
        Self {
            values: parts
                .take(16)
                .map(|part| PrivacyValue::named(&text(part)))
                .collect(),
        }
    }

    /// The Privacy of a message; `None` without the header.
    pub fn read(headers: Headers<'_>) -> Option<Self> {
        headers.get(HeaderName::Privacy).map(Self::parse)
    }

    /// Whether the value is among the parts.
    pub fn has(&self, value: &PrivacyValue) -> bool {
        self.values.contains(value)
    }

    /// Whether P-Asserted-Identity has to go before the message leaves the trust domain (RFC 3325 §7): `id`, or `user`
    /// or `header` asked of a privacy service, and not `none`.
    pub fn hides_identity(&self) -> bool {
        !self.has(&PrivacyValue::None)
            && [PrivacyValue::Id, PrivacyValue::User, PrivacyValue::Header]
                .iter()
                .any(|value| self.has(value))
    }
}

impl fmt::Display for Privacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, value) in self.values.iter().enumerate() {
            if at > 0 {
                f.write_str(";")?;
            }
            value.fmt(f)?;
        }
        Ok(())
    }
}
