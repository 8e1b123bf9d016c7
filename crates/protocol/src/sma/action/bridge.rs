//! CallAndBridge (facts F6, F9).

use std::time::Duration;

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};
use serde_json::Value;

use super::Parameters;
use super::audio::AUDIO_SOURCE;
use super::types::{LegSelector, S3Object};
use crate::sma::fields::{FieldError, Fields};
use crate::sma::headers::SipHeaders;

/// CallAndBridge: call another party and bridge it with leg A.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CallAndBridge {
    /// Seconds from the INVITE on, 1 to 120; absent: 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_timeout_seconds: Option<u32>,
    /// E.164: a number of one's own, or leg A's From. A skill call's From may not be used (facts F6).
    pub caller_id_number: String,
    /// Whom to call; one.
    pub endpoints: Vec<BridgeEndpoint>,
    /// What leg A hears while the other rings; absent: an ordinary ringing tone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ringback_tone: Option<S3Object>,
    /// Headers of the INVITE, as facts F9 allows.
    #[serde(skip_serializing_if = "SipHeaders::is_empty")]
    pub sip_headers: SipHeaders,
    /// The leg that is bridged.
    #[serde(flatten)]
    pub leg: LegSelector,
}

impl CallAndBridge {
    /// How long the other party may ring, with the default applied.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.call_timeout_seconds.unwrap_or(30).into())
    }
}

/// One of `Endpoints`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BridgeEndpoint {
    /// A telephone number.
    Pstn {
        /// E.164, with the plus sign.
        uri: String,
    },
    /// A user behind a Voice Connector.
    Aws {
        /// User part of the Request-URI: 1 to 30 of `a-z A-Z 0-9 & = + $ / % - _ ! ~ * ( ) .`.
        uri: String,
        /// ARN of the Voice Connector or group.
        arn: Option<String>,
    },
}

impl BridgeEndpoint {
    /// `Uri`: the number or user.
    pub fn uri(&self) -> &str {
        match self {
            Self::Pstn { uri } | Self::Aws { uri, .. } => uri,
        }
    }

    fn read(fields: &Fields<'_>) -> Result<Self, FieldError> {
        let kind = fields.required_text("BridgeEndpointType", "PSTN or AWS")?;
        let arn = fields.text("Arn", "the ARN of a Voice Connector")?;
        if kind.eq_ignore_ascii_case("PSTN") {
            let expected = "an E.164 number such as +14255550123";
            let uri = fields.required_text("Uri", expected)?;
            if !is_e164(&uri) {
                return Err(fields.invalid("Uri", expected));
            }
            if arn.is_some() {
                return Err(fields.invalid("Arn", "nothing, as BridgeEndpointType is PSTN"));
            }
            Ok(Self::Pstn { uri })
        } else if kind.eq_ignore_ascii_case("AWS") {
            let expected = "1 to 30 characters of a-z A-Z 0-9 & = + $ / % - _ ! ~ * ( ) .";
            let uri = fields.required_text("Uri", expected)?;
            if !is_aws_user(&uri) {
                return Err(fields.invalid("Uri", expected));
            }
            if arn
                .as_ref()
                .is_some_and(|arn| !arn.starts_with("arn:") || arn.len() > 256 || !arn.is_ascii())
            {
                return Err(fields.invalid("Arn", "arn:aws:chime:<region>:<account>:vc/<id>"));
            }
            Ok(Self::Aws { uri, arn })
        } else {
            Err(fields.invalid("BridgeEndpointType", "PSTN or AWS"))
        }
    }
}

impl Serialize for BridgeEndpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (kind, arn) = match self {
            Self::Pstn { .. } => ("PSTN", None),
            Self::Aws { arn, .. } => ("AWS", arn.as_deref()),
        };
        let mut endpoint =
            serializer.serialize_struct("BridgeEndpoint", 2 + usize::from(arn.is_some()))?;
        endpoint.serialize_field("BridgeEndpointType", kind)?;
        endpoint.serialize_field("Uri", self.uri())?;
        if let Some(arn) = arn {
            endpoint.serialize_field("Arn", arn)?;
        }
        endpoint.end()
    }
}

impl Parameters for CallAndBridge {
    fn read(fields: &Fields<'_>) -> Result<Self, FieldError> {
        let caller = "an E.164 number such as +16075550199";
        let caller_id_number = fields.required_text("CallerIdNumber", caller)?;
        if !is_e164(&caller_id_number) {
            return Err(fields.invalid("CallerIdNumber", caller));
        }
        let expected = "a list of one object {BridgeEndpointType, Uri, Arn?}";
        let endpoints = fields
            .objects("Endpoints", expected)?
            .ok_or_else(|| fields.missing("Endpoints", expected))?;
        let [endpoint] = endpoints.as_slice() else {
            return Err(fields.invalid("Endpoints", expected));
        };
        let ringback_tone = match fields.object("RingbackTone", AUDIO_SOURCE)? {
            None => None,
            Some(object) => Some(S3Object::read(&object)?),
        };
        Ok(Self {
            call_timeout_seconds: fields.number("CallTimeoutSeconds", 1, 120)?,
            caller_id_number,
            endpoints: vec![BridgeEndpoint::read(endpoint)?],
            ringback_tone,
            sip_headers: read_headers(fields)?,
            leg: LegSelector::read(fields)?,
        })
    }
}

fn read_headers(fields: &Fields<'_>) -> Result<SipHeaders, FieldError> {
    let mut headers = SipHeaders::new();
    let Some(map) = fields.object("SipHeaders", "a map of header names and values")? else {
        return Ok(headers);
    };
    for (name, value) in map.entries() {
        match value {
            Value::Null => {}
            Value::String(text) => headers.insert(name, text),
            Value::Number(number) => headers.insert(name, number.to_string()),
            _ => return Err(map.invalid(name, "a string")),
        }
    }
    headers
        .check_outgoing()
        .map_err(|told| fields.invalid("SipHeaders", told))?;
    Ok(headers)
}

/// Whether a text is an E.164 number with its plus sign: `+`, then 2 to 15 digits, the first not 0 (facts F10).
pub fn is_e164(number: &str) -> bool {
    number.strip_prefix('+').is_some_and(|digits| {
        (2..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0')
    })
}

/// Whether a text may be the user part of an AWS endpoint's Request-URI (facts F6).
pub fn is_aws_user(user: &str) -> bool {
    (1..=30).contains(&user.len())
        && user
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"&=+$/%-_!~*().".contains(&b))
}
