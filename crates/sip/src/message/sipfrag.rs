//! `message/sipfrag` bodies as NOTIFYs of a transfer carry them (RFC 3420, RFC 3515 §2.4.5).

use std::fmt;

use super::ValueError;
use super::scan::{decimal, text, trim};
use super::status::StatusCode;

/// The status line of a fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SipFrag {
    /// The status.
    pub status: StatusCode,
    /// The reason phrase; empty for the status's own.
    pub reason: String,
}

impl SipFrag {
    /// Reads the status line that a fragment begins with. Line ends may be CRLF or LF: it is no message of the wire.
    ///
    /// # Errors
    /// No status line of SIP/2.0, or a status that is none of 100 to 699.
    pub fn parse(body: &[u8]) -> Result<Self, ValueError> {
        let fail = |at| ValueError {
            at,
            expected: "a status line `SIP/2.0 200 OK`",
        };
        let line = body.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let rest = line
            .get(..8)
            .filter(|version| version.eq_ignore_ascii_case(b"SIP/2.0 "))
            .and_then(|_| line.get(8..))
            .ok_or_else(|| fail(0))?;
        let rest = trim(rest);
        let code = rest.get(..3).and_then(decimal).ok_or_else(|| fail(8))?;
        let status = u16::try_from(code)
            .ok()
            .and_then(StatusCode::new)
            .ok_or_else(|| fail(8))?;
        let reason = rest.get(3..).unwrap_or_default();
        if !reason.is_empty() && !reason.starts_with(b" ") {
            return Err(fail(11));
        }
        Ok(Self {
            status,
            reason: text(trim(reason)).into_owned(),
        })
    }
}

impl fmt::Display for SipFrag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0 {} ", self.status)?;
        let reason = if self.reason.is_empty() {
            self.status.phrase()
        } else {
            &self.reason
        };
        for letter in reason.chars().filter(|letter| !letter.is_control()) {
            write!(f, "{letter}")?;
        }
        f.write_str("\r\n")
    }
}
