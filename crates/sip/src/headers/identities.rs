//! P-Asserted-Identity and P-Preferred-Identity (RFC 3325), and what a carrier says it has verified (`verstat`).

use std::fmt;

use super::elements::name_addr;
use crate::message::{HeaderName, Headers, NameAddr, Scheme, Uri, UriRef, ValueError};

/// A display name and a URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedUri {
    /// The display name.
    pub display: Option<String>,
    /// The URI.
    pub uri: Uri,
}

impl NamedUri {
    fn of_address(address: &NameAddr<'_>) -> Result<Self, ValueError> {
        Ok(Self {
            display: address.display().map(|name| name.into_owned()),
            uri: address.uri()?.to_owned(),
        })
    }
}

impl fmt::Display for NamedUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&name_addr(self.display.as_deref(), self.uri.as_str()))
    }
}

/// Who a caller is: at most one `sip:` or `sips:` and one `tel:` identity (RFC 3325 §9.1, §9.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identities {
    /// The `sip:` or `sips:` identity.
    pub sip: Option<NamedUri>,
    /// The `tel:` identity.
    pub tel: Option<NamedUri>,
}

impl Identities {
    /// Reads the header `name` (P-Asserted-Identity or P-Preferred-Identity); the first of each kind counts, and what
    /// cannot be read is left out.
    pub fn read(headers: Headers<'_>, name: HeaderName) -> Self {
        let mut found = Self::default();
        for address in headers.addresses(name).flatten().take(4) {
            let Ok(named) = NamedUri::of_address(&address) else {
                continue;
            };
            let place = match address.uri().map(|uri| uri.scheme()) {
                Ok(Scheme::Sip | Scheme::Sips) => &mut found.sip,
                Ok(Scheme::Tel) => &mut found.tel,
                _ => continue,
            };
            place.get_or_insert(named);
        }
        found
    }

    /// Whether nobody is named.
    pub const fn is_empty(&self) -> bool {
        self.sip.is_none() && self.tel.is_none()
    }

    /// The values to write, one a header.
    pub fn values(&self) -> impl Iterator<Item = String> + '_ {
        self.sip
            .iter()
            .chain(&self.tel)
            .map(|named| named.to_string())
    }
}

/// What the network says about a caller's number (3GPP TS 24.229 §7.2A.20; ATIS-1000074).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verstat {
    /// `TN-Validation-Passed`.
    Passed,
    /// `TN-Validation-Failed`.
    Failed,
    /// `No-TN-Validation`.
    NotDone,
    /// Another value, as it was written: `TN-Validation-Passed-A` and its like.
    Other(String),
}

impl Verstat {
    /// The `verstat` of a `tel:` URI, or of the number in a `sip:` URI: there it stands among the parameters of the
    /// user part or of the URI.
    pub fn of(uri: &UriRef<'_>) -> Option<Self> {
        let in_user = uri.raw_user().and_then(|user| {
            user.split(';').skip(1).find_map(|param| {
                let (name, value) = param.split_once('=')?;
                name.eq_ignore_ascii_case("verstat")
                    .then(|| value.to_owned())
            })
        });
        let value = in_user.or_else(|| uri.param("verstat").map(|value| value.into_owned()))?;
        Some(match value.to_ascii_lowercase().as_str() {
            "tn-validation-passed" => Self::Passed,
            "tn-validation-failed" => Self::Failed,
            "no-tn-validation" => Self::NotDone,
            _ => Self::Other(value),
        })
    }
}
