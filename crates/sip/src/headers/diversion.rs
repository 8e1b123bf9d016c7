//! Diversion (RFC 5806): who has sent the call on, the last first.

use std::fmt;

use super::elements::{MAX_ELEMENTS, name_addr, token_or_quoted};
use crate::message::{Addresses, HeaderName, Headers, NameAddr, Uri, ValueError, decimal};

/// One diversion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diversion {
    /// Who diverted.
    pub uri: Uri,
    /// The display name.
    pub display: Option<String>,
    /// Why: `user-busy`, `no-answer`, `unconditional`, `deflection`, or what else was written.
    pub reason: Option<String>,
    /// How many diversions this one stands for; 1 where nothing is said.
    pub counter: u32,
    /// `full`, `name`, `uri`, `off`: what of it may be shown.
    pub privacy: Option<String>,
    /// `yes` or `no`: whether the diverting user was verified.
    pub screen: Option<String>,
}

impl Diversion {
    /// Reads one address of a Diversion header.
    ///
    /// # Errors
    /// A malformed URI.
    pub fn of_address(address: &NameAddr<'_>) -> Result<Self, ValueError> {
        let params = address.params();
        let value = |name: &str| params.value(name).map(|value| value.into_owned());
        let counter = params
            .find("counter")
            .and_then(|param| param.raw)
            .and_then(decimal);
        Ok(Self {
            uri: address.uri()?.to_owned(),
            display: address.display().map(|name| name.into_owned()),
            reason: value("reason"),
            counter: counter
                .and_then(|count| u32::try_from(count).ok())
                .unwrap_or(1),
            privacy: value("privacy"),
            screen: value("screen"),
        })
    }

    /// Parses one value.
    ///
    /// # Errors
    /// A malformed address.
    pub fn parse(value: &[u8]) -> Result<Self, ValueError> {
        Self::of_address(&NameAddr::parse(value)?)
    }

    /// All diversions of a message, the last one first; what follows something malformed in one header is left out.
    pub fn list(headers: Headers<'_>) -> Vec<Self> {
        headers
            .all(HeaderName::Diversion)
            .flat_map(Addresses::new)
            .take(MAX_ELEMENTS)
            .filter_map(|address| Self::of_address(&address.ok()?).ok())
            .collect()
    }

    /// How often a call was diverted: the counters added (RFC 5806 §3), to stop one that goes in circles.
    pub fn count(diversions: &[Self]) -> u32 {
        diversions
            .iter()
            .fold(0, |sum, diversion| sum.saturating_add(diversion.counter))
    }
}

impl fmt::Display for Diversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&name_addr(self.display.as_deref(), self.uri.as_str()))?;
        if let Some(reason) = &self.reason {
            write!(f, ";reason={}", token_or_quoted(reason))?;
        }
        if self.counter != 1 {
            write!(f, ";counter={}", self.counter)?;
        }
        for (name, value) in [("privacy", &self.privacy), ("screen", &self.screen)] {
            if let Some(value) = value {
                write!(f, ";{name}={}", token_or_quoted(value))?;
            }
        }
        Ok(())
    }
}
