//! Reading a message: lenient with what is more than the interface says, exact about what is missing or wrong.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::message::{Message, Operation, OperationName};
use super::parts::{
    CallResult, CustomParams, Participant, RenegotiationKind, ResultCode, SdpDetails, SdpKind,
};
use super::{PARTICIPANTS_MAX, TYPE_PREFIX};
use crate::alexa::Request;
use crate::communication::{IdType, ParticipantId};
use crate::ids::SessionId;

/// Why something is no message of `Alexa.Comms.CallSignaling`. Names what was found but for addresses and descriptions,
/// which are private.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// It is no JSON object.
    #[error("it is no JSON object: {0}")]
    Json(String),
    /// Its type is none of the interface.
    #[error(
        "type is {0:?}; expected \"Alexa.Comms.CallSignaling.\" and an operation of facts G2 or G3"
    )]
    Type(String),
    /// A member is missing.
    #[error("{operation}: {field} is missing; expected {expected}")]
    Missing {
        /// The operation.
        operation: OperationName,
        /// The member's path.
        field: String,
        /// What would be right.
        expected: &'static str,
    },
    /// A member is not as it must be.
    #[error("{operation}: {field} is {found}; expected {expected}")]
    Wrong {
        /// The operation.
        operation: OperationName,
        /// The member's path.
        field: String,
        /// What was found, without what is private.
        found: String,
        /// What would be right.
        expected: &'static str,
    },
}

impl Message {
    /// Reads a flat JSON object.
    ///
    /// # Errors
    /// When it is none, or a member breaks its rule.
    pub fn read(json: &[u8]) -> Result<Self, ParseError> {
        let members: Map<String, Value> =
            serde_json::from_slice(json).map_err(|error| ParseError::Json(error.to_string()))?;
        Self::of_object(&members)
    }

    /// Takes the message from a skill request (facts G2): its members are direct members of `request`.
    ///
    /// # Errors
    /// When the request is of another type, or a member breaks its rule.
    pub fn of_request(request: &Request) -> Result<Self, ParseError> {
        Self::of_members(&request.type_name, &request.more)
    }

    /// Reads a flat object that has its `type` among its members.
    ///
    /// # Errors
    /// As [`Message::read`].
    pub fn of_object(members: &Map<String, Value>) -> Result<Self, ParseError> {
        let name = match members.get("type") {
            Some(Value::String(name)) => name.as_str(),
            Some(other) => return Err(ParseError::Type(kind_of(other).to_owned())),
            None => return Err(ParseError::Type(String::new())),
        };
        Self::of_members(name, members)
    }

    fn of_members(type_name: &str, members: &Map<String, Value>) -> Result<Self, ParseError> {
        let operation = type_name
            .strip_prefix(TYPE_PREFIX)
            .and_then(OperationName::from_name)
            .ok_or_else(|| ParseError::Type(type_name.chars().take(100).collect()))?;
        let reader = Reader { operation };
        let session_id = SessionId::parse(reader.text(members, "sessionId", "sessionId")?)
            .map_err(|error| reader.wrong("sessionId", error.problem, error.expected))?;
        let message = Self {
            session_id,
            operation: reader.operation(members)?,
        };
        message.validate()?;
        Ok(message)
    }
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = Map::deserialize(deserializer)?;
        Self::of_object(&members).map_err(serde::de::Error::custom)
    }
}

/// Reads the members of one operation.
struct Reader {
    operation: OperationName,
}

type Members = Map<String, Value>;

impl Reader {
    fn operation(&self, members: &Members) -> Result<Operation, ParseError> {
        Ok(match self.operation {
            OperationName::InitiateOutboundCall => Operation::InitiateOutboundCall {
                participants: self.participants(members)?,
                sdp: self.sdp(members)?,
            },
            OperationName::InitiateInboundCall => Operation::InitiateInboundCall {
                participants: self.participants(members)?,
                sdp: self.sdp(members)?,
                custom_params: self.custom_params(members)?,
            },
            OperationName::CallRinging => Operation::CallRinging,
            OperationName::CallRingingAck => Operation::CallRingingAck,
            OperationName::CallInProgress => Operation::CallInProgress {
                sdp: self.sdp(members)?,
            },
            OperationName::CallInProgressAck => Operation::CallInProgressAck,
            OperationName::CallAccepted => Operation::CallAccepted {
                sdp: self.optional_sdp(members)?,
            },
            OperationName::CallAcceptedAck => Operation::CallAcceptedAck,
            OperationName::CallUpdate => Operation::CallUpdate {
                kind: self.renegotiation(members)?,
                sdp: self.sdp(members)?,
            },
            OperationName::CallUpdateAck => Operation::CallUpdateAck,
            OperationName::CallUpdateResponse => Operation::CallUpdateResponse {
                kind: self.renegotiation(members)?,
                sdp: self.sdp(members)?,
            },
            OperationName::CallEnded => Operation::CallEnded {
                result: self.result(members)?,
            },
        })
    }

    fn sdp(&self, members: &Members) -> Result<SdpDetails, ParseError> {
        let details = self.object(members, "sdpDetails", "sdpDetails")?;
        let kind = self.text(details, "type", "sdpDetails.type")?;
        self.described(details, kind)
    }

    /// CallAccepted may lack the description, or its members, when it was in CallInProgress (facts G2).
    fn optional_sdp(&self, members: &Members) -> Result<Option<SdpDetails>, ParseError> {
        match members.get("sdpDetails") {
            None | Some(Value::Null) => return Ok(None),
            Some(_) => {}
        }
        let details = self.object(members, "sdpDetails", "sdpDetails")?;
        match details.get("value") {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(value)) if value.is_empty() => return Ok(None),
            Some(_) => {}
        }
        let kind = match details.get("type") {
            None | Some(Value::Null) => SdpKind::Answer.as_str(),
            Some(_) => self.text(details, "type", "sdpDetails.type")?,
        };
        self.described(details, kind).map(Some)
    }

    fn described(&self, details: &Members, kind: &str) -> Result<SdpDetails, ParseError> {
        let kind = match kind {
            "OFFER" => SdpKind::Offer,
            "ANSWER" => SdpKind::Answer,
            other => {
                let found = format!("{:?}", short(other));
                return Err(self.wrong("sdpDetails.type", found, "OFFER or ANSWER"));
            }
        };
        Ok(SdpDetails {
            kind,
            value: self.text(details, "value", "sdpDetails.value")?.to_owned(),
        })
    }

    fn participants(&self, members: &Members) -> Result<Vec<Participant>, ParseError> {
        const EXPECTED: &str = "a list of participants";
        let list = match members.get("participants") {
            Some(Value::Array(list)) => list,
            None | Some(Value::Null) => return Err(self.missing("participants", EXPECTED)),
            Some(other) => return Err(self.wrong("participants", kind_of(other), EXPECTED)),
        };
        // One more than may be is enough to be refused by name.
        list.iter()
            .take(PARTICIPANTS_MAX + 1)
            .enumerate()
            .map(|(index, value)| self.participant(index, value))
            .collect()
    }

    fn participant(&self, index: usize, value: &Value) -> Result<Participant, ParseError> {
        let at = |field: &str| format!("participants[{index}]{field}");
        let Value::Object(members) = value else {
            return Err(self.wrong(&at(""), kind_of(value), "an object"));
        };
        let id = self.object(members, "id", &at(".id"))?;
        let kind = self.text(id, "type", &at(".id.type"))?;
        let name = self.text(id, "value", &at(".id.value"))?;
        let is_originator = match members.get("isOriginator") {
            Some(Value::Bool(value)) => *value,
            None | Some(Value::Null) => {
                return Err(self.missing(&at(".isOriginator"), "true or false"));
            }
            Some(other) => {
                return Err(self.wrong(&at(".isOriginator"), kind_of(other), "true or false"));
            }
        };
        Ok(Participant {
            id: ParticipantId {
                kind: IdType::from(kind.to_owned()),
                value: name.to_owned(),
            },
            is_originator,
        })
    }

    fn renegotiation(&self, members: &Members) -> Result<RenegotiationKind, ParseError> {
        let word = self.text(members, "renegotiationType", "renegotiationType")?;
        Ok(RenegotiationKind::from(word.to_owned()))
    }

    fn result(&self, members: &Members) -> Result<CallResult, ParseError> {
        let result = self.object(members, "callResult", "callResult")?;
        let code = self.text(result, "code", "callResult.code")?;
        let message = match result.get("message") {
            None | Some(Value::Null) => None,
            Some(_) => Some(
                self.text(result, "message", "callResult.message")?
                    .to_owned(),
            ),
        };
        Ok(CallResult {
            code: ResultCode::from(code.to_owned()),
            message,
        })
    }

    fn custom_params(&self, members: &Members) -> Result<Option<CustomParams>, ParseError> {
        match members.get("customParams") {
            None | Some(Value::Null) => Ok(None),
            Some(value) => serde_json::from_value(value.clone())
                .map(Some)
                .map_err(|error| self.wrong("customParams", error, "an object of parameters")),
        }
    }

    fn object<'m>(
        &self,
        members: &'m Members,
        name: &str,
        path: &str,
    ) -> Result<&'m Members, ParseError> {
        match members.get(name) {
            Some(Value::Object(object)) => Ok(object),
            None | Some(Value::Null) => Err(self.missing(path, "an object")),
            Some(other) => Err(self.wrong(path, kind_of(other), "an object")),
        }
    }

    fn text<'m>(
        &self,
        members: &'m Members,
        name: &str,
        path: &str,
    ) -> Result<&'m str, ParseError> {
        match members.get(name) {
            Some(Value::String(text)) => Ok(text),
            None | Some(Value::Null) => Err(self.missing(path, "a string")),
            Some(other) => Err(self.wrong(path, kind_of(other), "a string")),
        }
    }

    fn missing(&self, field: &str, expected: &'static str) -> ParseError {
        ParseError::Missing {
            operation: self.operation,
            field: field.to_owned(),
            expected,
        }
    }

    fn wrong(
        &self,
        field: &str,
        found: impl std::fmt::Display,
        expected: &'static str,
    ) -> ParseError {
        ParseError::Wrong {
            operation: self.operation,
            field: field.to_owned(),
            found: found.to_string(),
            expected,
        }
    }
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
