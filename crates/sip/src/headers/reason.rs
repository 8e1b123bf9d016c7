//! Reason (RFC 3326, RFC 6432): why a call ended or was refused.

use std::fmt;

use super::elements::{MAX_ELEMENTS, elements, quoted};
use crate::message::{HeaderName, Headers, Params, Scan, StatusCode, ValueError, decimal};

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Whose causes are counted: `SIP`, `Q.850`, or another, as it was written.
    pub protocol: String,
    /// The cause: a status for `SIP`, 1 to 127 for `Q.850`.
    pub cause: Option<u16>,
    /// Words for people.
    pub text: Option<String>,
}

impl Reason {
    /// A SIP status as the reason, with its own phrase.
    pub fn sip(status: StatusCode) -> Self {
        Self {
            protocol: "SIP".to_owned(),
            cause: Some(status.get()),
            text: Some(status.phrase().to_owned()).filter(|text| !text.is_empty()),
        }
    }

    /// A cause of ITU-T Q.850: 16 is normal clearing, 17 busy, 19 no answer.
    pub fn q850(cause: u16) -> Self {
        Self {
            protocol: "Q.850".to_owned(),
            cause: Some(cause),
            text: None,
        }
    }

    /// Parses one value.
    ///
    /// # Errors
    /// No protocol, or malformed parameters. A cause that is no number counts as none.
    pub fn parse(value: &[u8]) -> Result<Self, ValueError> {
        let mut scan = Scan::new(value);
        scan.blanks();
        let protocol = scan
            .token("a protocol such as `SIP` or `Q.850`")?
            .to_owned();
        let params = Params::scan(&mut scan)?;
        scan.expect_end("`;`, `,` or the end of the Reason")?;
        let cause = params.find("cause").and_then(|param| param.raw);
        Ok(Self {
            protocol,
            cause: cause
                .and_then(decimal)
                .and_then(|cause| u16::try_from(cause).ok()),
            text: params.value("text").map(|text| text.into_owned()),
        })
    }

    /// All reasons of a message; what cannot be read is left out.
    pub fn list(headers: Headers<'_>) -> Vec<Self> {
        headers
            .all(HeaderName::Reason)
            .flat_map(elements)
            .take(MAX_ELEMENTS)
            .filter_map(|element| Self::parse(element).ok())
            .collect()
    }

    /// The Q.850 cause among reasons, translated from the SIP status by RFC 3398 §8.2.6.1 where there is none.
    pub fn q850_of(reasons: &[Self]) -> Option<u16> {
        let of = |protocol: &str| {
            reasons
                .iter()
                .find(|reason| reason.protocol.eq_ignore_ascii_case(protocol))
                .and_then(|reason| reason.cause)
        };
        of("Q.850").or_else(|| {
            Some(match of("SIP")? {
                200 => 16,
                404 => 1,
                401 | 402 | 403 | 407 | 603 => 21,
                405 => 63,
                408 | 480 => 18,
                410 => 22,
                484 => 28,
                486 | 600 => 17,
                488 | 606 => 88,
                502 => 38,
                503 => 41,
                604 => 1,
                _ => 31,
            })
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.protocol)?;
        if let Some(cause) = self.cause {
            write!(f, ";cause={cause}")?;
        }
        if let Some(text) = &self.text {
            write!(f, ";text={}", quoted(text))?;
        }
        Ok(())
    }
}
