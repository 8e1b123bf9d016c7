//! Hangup, Pause and VoiceFocus (facts F6).

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::Parameters;
use super::types::LegSelector;
use crate::sma::fields::{FieldError, Fields};

/// `SipResponseCode` of Hangup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HangupCode {
    /// 0, the default: a normal end.
    #[default]
    Normal,
    /// 480: not available.
    Unavailable,
    /// 486: busy.
    Busy,
}

impl HangupCode {
    /// The number on the wire.
    pub fn code(self) -> u16 {
        match self {
            Self::Normal => 0,
            Self::Unavailable => 480,
            Self::Busy => 486,
        }
    }
}

impl Serialize for HangupCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.code())
    }
}

/// Hangup: end a leg.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Hangup {
    /// Why.
    pub sip_response_code: HangupCode,
    /// Which leg.
    #[serde(flatten)]
    pub leg: LegSelector,
}

impl Parameters for Hangup {
    fn read(fields: &Fields<'_>) -> Result<Self, FieldError> {
        let sip_response_code = match fields.number("SipResponseCode", 0, 699)? {
            None | Some(0) => HangupCode::Normal,
            Some(480) => HangupCode::Unavailable,
            Some(486) => HangupCode::Busy,
            Some(_) => return Err(fields.invalid("SipResponseCode", "0, 480 or 486")),
        };
        Ok(Self {
            sip_response_code,
            leg: LegSelector::read(fields)?,
        })
    }
}

/// Pause: wait.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Pause {
    /// 1 or more.
    pub duration_in_milliseconds: u32,
    /// Which leg.
    #[serde(flatten)]
    pub leg: LegSelector,
}

impl Pause {
    /// The duration.
    pub fn duration(&self) -> Duration {
        Duration::from_millis(self.duration_in_milliseconds.into())
    }
}

impl Parameters for Pause {
    fn read(fields: &Fields<'_>) -> Result<Self, FieldError> {
        Ok(Self {
            duration_in_milliseconds: fields.required_number(
                "DurationInMilliseconds",
                1,
                u32::MAX,
            )?,
            leg: LegSelector::read(fields)?,
        })
    }
}

/// VoiceFocus: suppress noise.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct VoiceFocus {
    /// On or off.
    pub enable: bool,
    /// Which leg.
    #[serde(flatten)]
    pub leg: LegSelector,
}

impl Parameters for VoiceFocus {
    fn read(fields: &Fields<'_>) -> Result<Self, FieldError> {
        Ok(Self {
            enable: fields
                .boolean("Enable")?
                .ok_or_else(|| fields.missing("Enable", "true or false"))?,
            leg: LegSelector::read(fields)?,
        })
    }
}
