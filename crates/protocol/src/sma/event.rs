//! The events that the SIP media application posts to its handler (facts E2, E3, L).
//!
//! Written exactly as there; read leniently: numbers may be strings and strings numbers, unknown keys are kept where
//! they matter and passed over where not, `SipApplicationId` is taken for `SipMediaApplicationId`.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::SCHEMA_VERSION;
use super::attributes::TransactionAttributes;
use super::error_type::ErrorType;
use super::headers::SipHeaders;
use super::ids::{CallId, ParticipantTag, TransactionId};

/// One event (facts E2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Event {
    /// Always "1.0" when we write it.
    #[serde(default = "schema_version")]
    pub schema_version: String,
    /// Counts the invocations of this call from 1. A retry carries the same number (our choice: Amazon does not say).
    #[serde(default, deserialize_with = "lenient::number")]
    pub sequence: u32,
    /// What happened. One of Amazon's pages writes the key `InvocationEvent` (facts E3), which is read too.
    #[serde(alias = "InvocationEvent")]
    pub invocation_event_type: InvocationEventType,
    /// The action concerned; absent on NEW_INBOUND_CALL, RINGING, CALL_ANSWERED and INVALID_LAMBDA_RESPONSE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_data: Option<ActionData>,
    /// The call and its legs.
    #[serde(default)]
    pub call_details: CallDetails,
    /// Only on INVALID_LAMBDA_RESPONSE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_type: Option<ErrorType>,
    /// Only on INVALID_LAMBDA_RESPONSE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
}

impl Event {
    /// An event without action data and errors.
    pub fn new(sequence: u32, kind: InvocationEventType, call_details: CallDetails) -> Self {
        Self {
            schema_version: schema_version(),
            sequence,
            invocation_event_type: kind,
            action_data: None,
            call_details,
            error_type: None,
            error_message: None,
        }
    }

    /// The leg that triggered the event: the one that ActionData names, else LEG-A (facts F5).
    pub fn triggering_leg(&self) -> Option<&Participant> {
        let named = self.action_data.as_ref().and_then(|data| {
            let parameters = &data.parameters;
            let text = |key| {
                parameters
                    .get(key)
                    .and_then(Value::as_str)
                    .filter(|text| !text.is_empty())
            };
            match (text("CallId"), text("ParticipantTag")) {
                (Some(id), _) => self
                    .call_details
                    .participants
                    .iter()
                    .find(|leg| leg.call_id.as_str() == id),
                (None, Some(tag)) => self.call_details.participant(&ParticipantTag::from(tag)),
                (None, None) => None,
            }
        });
        named.or_else(|| self.call_details.participant(&ParticipantTag::LegA))
    }
}

fn schema_version() -> String {
    SCHEMA_VERSION.to_owned()
}

macro_rules! event_types {
    ($($(#[$doc:meta])* $name:ident = $wire:literal),+ $(,)?) => {
        /// `InvocationEventType` (facts E3).
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum InvocationEventType {
            $($(#[$doc])* $name,)+
            /// An event that this version does not know.
            Other(String),
        }

        impl InvocationEventType {
            /// The type as it is written on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$name => $wire,)+
                    Self::Other(name) => name,
                }
            }
        }

        impl From<&str> for InvocationEventType {
            fn from(name: &str) -> Self {
                match name {
                    $($wire => Self::$name,)+
                    other => Self::Other(other.to_owned()),
                }
            }
        }
    };
}

event_types! {
    /// A call reached a number or a host of a SIP rule.
    NewInboundCall = "NEW_INBOUND_CALL",
    /// A call was made through the API.
    NewOutboundCall = "NEW_OUTBOUND_CALL",
    /// The outbound leg rings.
    Ringing = "RINGING",
    /// The outbound leg answered; not sent for bridged legs.
    CallAnswered = "CALL_ANSWERED",
    /// An action, or a whole list, is done (facts F2).
    ActionSuccessful = "ACTION_SUCCESSFUL",
    /// An action failed; the rest of the list is dropped.
    ActionFailed = "ACTION_FAILED",
    /// An update cut off an interruptible action (facts F8).
    ActionInterrupted = "ACTION_INTERRUPTED",
    /// The ReceiveDigits listener has digits.
    DigitsReceived = "DIGITS_RECEIVED",
    /// Somebody asked for an update of the call through the API (facts F8).
    CallUpdateRequested = "CALL_UPDATE_REQUESTED",
    /// A leg ended.
    Hangup = "HANGUP",
    /// The handler's last reply was not acceptable.
    InvalidLambdaResponse = "INVALID_LAMBDA_RESPONSE",
}

impl fmt::Display for InvocationEventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for InvocationEventType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for InvocationEventType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from(String::deserialize(deserializer)?.as_str()))
    }
}

/// `ActionData`: which action, with which parameters, and what came of it (facts E3, L).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ActionData {
    /// The action's type, or `CallCreateRequest`, `CallUpdateRequest`, `Hangup`, `ReceiveDigits`.
    #[serde(rename = "Type", default)]
    pub kind: String,
    /// The parameters as the handler gave them, with the leg's `CallId`; what the handler sent comes back unchanged.
    #[serde(default, deserialize_with = "lenient::map")]
    pub parameters: Map<String, Value>,
    /// ReceiveDigits and the actions that get digits; "" when ReceiveDigits has been armed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_digits: Option<String>,
    /// RecordAudio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording_destination: Option<StoredRecording>,
    /// RecordAudio, when a digit ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording_terminator_used: Option<String>,
    /// StartCallRecording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_recording_destination: Option<StoredCallRecording>,
    /// StartBotConversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent_result: Option<Value>,
    /// ACTION_FAILED.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_type: Option<ErrorType>,
    /// ACTION_FAILED.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// "Type: text", the form of a few of Amazon's pages (facts E3, F7); written beside the two above for the errors that
    /// those pages show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// ModifyChimeMeetingAttendees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_list: Option<Vec<Value>>,
}

impl ActionData {
    /// The data of an action with its parameters.
    pub fn new(kind: impl Into<String>, parameters: Map<String, Value>) -> Self {
        Self {
            kind: kind.into(),
            parameters,
            ..Self::default()
        }
    }

    /// The error, whichever of the two forms it came in.
    pub fn failure(&self) -> Option<(ErrorType, &str)> {
        if let Some(error_type) = &self.error_type {
            return Some((
                error_type.clone(),
                self.error_message.as_deref().unwrap_or_default(),
            ));
        }
        let error = self.error.as_deref()?;
        let (kind, text) = error.split_once(':').unwrap_or((error, ""));
        Some((ErrorType::from(kind.trim()), text.trim()))
    }
}

/// Where RecordAudio put its recording (facts L).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StoredRecording {
    /// "S3", whatever store is behind it.
    #[serde(rename = "Type", default = "s3")]
    pub kind: String,
    /// The bucket.
    #[serde(default)]
    pub bucket_name: String,
    /// The key in the bucket.
    #[serde(default)]
    pub key: String,
}

/// Where a call recording goes (facts L).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StoredCallRecording {
    /// "S3", whatever store is behind it.
    #[serde(rename = "Type", default = "s3")]
    pub kind: String,
    /// Bucket and key, with a slash between them.
    #[serde(default)]
    pub location: String,
}

fn s3() -> String {
    "S3".to_owned()
}

/// `CallDetails` (facts E2).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CallDetails {
    /// The whole call.
    #[serde(default)]
    pub transaction_id: TransactionId,
    /// The handler's own notes; absent until it has set some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_attributes: Option<TransactionAttributes>,
    /// The account, 12 digits.
    #[serde(default, deserialize_with = "lenient::text")]
    pub aws_account_id: String,
    /// The region.
    #[serde(default)]
    pub aws_region: String,
    /// The SIP rule that led here; absent on calls made through the API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sip_rule_id: Option<String>,
    /// The SIP media application.
    #[serde(default, alias = "SipApplicationId")]
    pub sip_media_application_id: String,
    /// The legs, LEG-A first.
    #[serde(default)]
    pub participants: Vec<Participant>,
}

impl CallDetails {
    /// The newest leg with this tag.
    pub fn participant(&self, tag: &ParticipantTag) -> Option<&Participant> {
        self.participants
            .iter()
            .rev()
            .find(|leg| leg.participant_tag == *tag)
    }
}

/// One leg (facts E2).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Participant {
    /// The leg's id.
    #[serde(default)]
    pub call_id: CallId,
    /// The leg's role.
    #[serde(default)]
    pub participant_tag: ParticipantTag,
    /// The called number or user.
    #[serde(default, deserialize_with = "lenient::text")]
    pub to: String,
    /// The calling number or user.
    #[serde(default, deserialize_with = "lenient::text")]
    pub from: String,
    /// Who called whom.
    #[serde(default)]
    pub direction: Direction,
    /// Milliseconds since 1970, as a string.
    #[serde(default, deserialize_with = "lenient::text")]
    pub start_time_in_milliseconds: String,
    /// Absent until the leg is answered (facts E2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ParticipantStatus>,
    /// Custom, User-to-User and Diversion headers; absent when none came (facts E2, F9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sip_headers: Option<SipHeaders>,
}

/// `Direction` of a leg, seen from the SIP media application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Direction {
    /// It came to us.
    #[default]
    Inbound,
    /// We made it.
    Outbound,
}

/// `Status` of a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParticipantStatus {
    /// Answered.
    Connected,
    /// Ended.
    Disconnected,
}

mod lenient {
    //! Scalars that peers write in more than one way.

    use serde::{Deserialize, Deserializer, de::Error};
    use serde_json::{Map, Value};

    pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let number = match &value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        number
            .and_then(|n| u32::try_from(n).ok())
            .ok_or_else(|| D::Error::custom(format!("found {value}, expected a whole number")))
    }

    pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Null => Ok(String::new()),
            Value::String(text) => Ok(text),
            Value::Number(number) => Ok(number.to_string()),
            other => Err(D::Error::custom(format!(
                "found {other}, expected a string"
            ))),
        }
    }

    pub(super) fn map<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Map<String, Value>, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
