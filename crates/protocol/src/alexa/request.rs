//! The request envelope (facts A1, A2). Everything that may be absent is optional, and what this
//! version does not know is kept where a handler may want it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{DialogState, Intent};
use crate::ids::{AccessToken, ApiAccessToken, DeviceId, RequestId, SkillId, UserId};

/// A whole request, as Alexa posts it (facts A1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// Always `1.0`.
    #[serde(default = "version")]
    pub version: String,
    /// Absent for requests outside a session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Session>,
    /// Absent in some old requests.
    #[serde(default)]
    pub context: Context,
    /// What is asked.
    pub request: Request,
    /// Members that this version does not know.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

pub(super) fn version() -> String {
    "1.0".to_owned()
}

/// The session (facts A1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Whether this request opens the session.
    #[serde(default)]
    pub new: bool,
    /// The session's id: not that of a communication session.
    #[serde(default)]
    pub session_id: String,
    /// The skill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<Application>,
    /// What the skill's last response left.
    #[serde(
        default,
        skip_serializing_if = "Map::is_empty",
        deserialize_with = "null_is_empty"
    )]
    pub attributes: Map<String, Value>,
    /// Whose account it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
    /// Members that this version does not know.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// Names the skill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Application {
    /// The skill's id.
    pub application_id: SkillId,
    /// Members that this version does not know.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// An Alexa account (facts A1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The account's id, for this skill only.
    pub user_id: UserId,
    /// The linked account's token; absent when none is linked (facts C2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token: Option<AccessToken>,
    /// What the customer granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Permissions>,
    /// Members that this version does not know.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// What the customer granted (facts A1).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Permissions {
    /// The older form of the API token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent_token: Option<AccessToken>,
    /// GRANTED or DENIED by scope.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scopes: BTreeMap<String, Value>,
    /// Members that this version does not know.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// What surrounds the request (facts A1). Members other than `System` are kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Context {
    /// Device, user and where to call back.
    #[serde(rename = "System", default)]
    pub system: System,
    /// AudioPlayer, Viewport, Extensions and whatever else came.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// `context.System` (facts A1).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct System {
    /// The skill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<Application>,
    /// The account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
    /// The device that heard the customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
    /// The recognised speaker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Person>,
    /// The unit of an Alexa Smart Property.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// Where the region's APIs are (facts A6): used only if it is an allowed origin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_endpoint: Option<String>,
    /// The token of this request for those APIs (facts A7).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_access_token: Option<ApiAccessToken>,
    /// Members that this version does not know.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// The device (facts A1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// The device's id, for this skill only.
    pub device_id: DeviceId,
    /// An id that outlives enabling and disabling, on request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistent_endpoint_id: Option<String>,
    /// The interfaces of the device.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub supported_interfaces: Map<String, Value>,
    /// Members that this version does not know.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A recognised speaker (facts A1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// The speaker's id, for this skill only.
    pub person_id: String,
    /// The token of the account linked with the voice profile (facts C2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token: Option<AccessToken>,
    /// Members that this version does not know.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A unit of an Alexa Smart Property, such as a hotel room (facts A1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unit {
    /// The unit's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_id: Option<String>,
    /// An id that stays; needs a permission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistent_unit_id: Option<String>,
    /// Members that this version does not know.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// `request` itself (facts A2). Members of its type that have no field here are kept in `more`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// The type, as it stands on the wire; [`Request::kind`] reads it.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The request's id.
    pub request_id: RequestId,
    /// When Alexa sent it: RFC 3339. Its absence is refused by the freshness rule, not here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// Such as `en-US`; absent for events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Where a dialog stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialog_state: Option<DialogState>,
    /// What the customer wants: in IntentRequest and CanFulfillIntentRequest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// All other members.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// The types of requests (facts A2).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind<'a> {
    /// The skill was opened without saying what for.
    Launch,
    /// The customer said what they want.
    Intent(&'a Intent),
    /// The session is over; no reply is spoken.
    SessionEnded,
    /// A task that the skill handed on is done.
    SessionResumed,
    /// Alexa asks whether the skill could do it.
    CanFulfillIntent(&'a Intent),
    /// Another skill hands on a task.
    ConnectionsRequest,
    /// The answer to a task that the skill handed on.
    ConnectionsResponse,
    /// A message of the Skill Messaging API.
    MessageReceived,
    /// Alexa could not carry out a response.
    ExceptionEncountered,
    /// The grant code of facts G7.
    AuthorizationGrant,
    /// `AlexaSkillEvent.` and this.
    SkillEvent(&'a str),
    /// `Alexa.Comms.CallSignaling.` and this (facts G2).
    CallSignaling(&'a str),
    /// A type that this version does not know, or an intent request without intent.
    Other(&'a str),
}

impl Request {
    /// What kind of request it is.
    #[must_use]
    pub fn kind(&self) -> Kind<'_> {
        let name = self.type_name.as_str();
        match (name, &self.intent) {
            ("LaunchRequest", _) => Kind::Launch,
            ("IntentRequest", Some(intent)) => Kind::Intent(intent),
            ("CanFulfillIntentRequest", Some(intent)) => Kind::CanFulfillIntent(intent),
            ("SessionEndedRequest", _) => Kind::SessionEnded,
            ("SessionResumedRequest", _) => Kind::SessionResumed,
            ("Connections.Request", _) => Kind::ConnectionsRequest,
            ("Connections.Response", _) => Kind::ConnectionsResponse,
            ("Messaging.MessageReceived", _) => Kind::MessageReceived,
            ("System.ExceptionEncountered", _) => Kind::ExceptionEncountered,
            ("Alexa.Authorization.Grant", _) => Kind::AuthorizationGrant,
            _ => {
                if let Some(event) = name.strip_prefix("AlexaSkillEvent.") {
                    Kind::SkillEvent(event)
                } else if let Some(operation) = name.strip_prefix("Alexa.Comms.CallSignaling.") {
                    Kind::CallSignaling(operation)
                } else {
                    Kind::Other(name)
                }
            }
        }
    }
}

/// Why a body is no request.
#[derive(Debug, thiserror::Error)]
#[error("the body is no Alexa request (facts A1): {0}")]
pub struct EnvelopeError(#[from] serde_json::Error);

impl Envelope {
    /// Reads a request body.
    ///
    /// # Errors
    /// When it is no JSON object with `request.type` and `request.requestId`, or an id in it is
    /// malformed; with line and column.
    pub fn read(body: &[u8]) -> Result<Self, EnvelopeError> {
        Ok(serde_json::from_slice(body)?)
    }

    /// The skill that the request is for: of the context, else of the session (facts A1, B).
    #[must_use]
    pub fn skill_id(&self) -> Option<&SkillId> {
        self.context
            .system
            .application
            .as_ref()
            .or(self
                .session
                .as_ref()
                .and_then(|session| session.application.as_ref()))
            .map(|application| &application.application_id)
    }

    /// The account: of the context, else of the session.
    #[must_use]
    pub fn user(&self) -> Option<&User> {
        self.context.system.user.as_ref().or(self
            .session
            .as_ref()
            .and_then(|session| session.user.as_ref()))
    }
}

/// Alexa sends null for attributes that were never set.
fn null_is_empty<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Map<String, Value>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn intent_request() -> Value {
        json!({
            "version": "1.0",
            "session": {
                "new": true, "sessionId": "amzn1.echo-api.session.1",
                "application": { "applicationId": "amzn1.ask.skill.1" },
                "user": { "userId": "amzn1.ask.account.1",
                          "permissions": { "consentToken": "t", "scopes": { "alexa::x": { "status": "GRANTED" } } } }
            },
            "context": {
                "System": {
                    "application": { "applicationId": "amzn1.ask.skill.1" },
                    "device": { "deviceId": "amzn1.ask.device.1", "supportedInterfaces": { "AudioPlayer": {} } },
                    "apiEndpoint": "https://api.amazonalexa.com", "apiAccessToken": "eyJ.t.t"
                },
                "Viewport": { "shape": "RECTANGLE" }
            },
            "request": {
                "type": "IntentRequest", "requestId": "amzn1.echo-api.request.1",
                "timestamp": "2024-05-01T10:11:12Z", "locale": "en-US", "dialogState": "STARTED",
                "intent": { "name": "CallIntent", "confirmationStatus": "NONE" }
            }
        })
    }

    #[test]
    fn nothing_is_lost_on_the_way_through() {
        let json = intent_request();
        let envelope = Envelope::read(json.to_string().as_bytes()).unwrap();
        assert!(
            matches!(envelope.request.kind(), Kind::Intent(intent) if intent.name == "CallIntent")
        );
        assert_eq!(envelope.skill_id().unwrap().as_str(), "amzn1.ask.skill.1");
        assert_eq!(serde_json::to_value(&envelope).unwrap(), json);
    }

    #[test]
    fn only_the_request_is_needed() {
        let json = json!({ "request": { "type": "AlexaSkillEvent.SkillEnabled", "requestId": "1", "eventCreationTime": "t" } });
        let envelope = Envelope::read(json.to_string().as_bytes()).unwrap();
        assert_eq!(envelope.request.kind(), Kind::SkillEvent("SkillEnabled"));
        assert_eq!(envelope.request.more["eventCreationTime"], "t");
        assert!(envelope.skill_id().is_none() && envelope.user().is_none());
    }

    #[test]
    fn unknown_types_are_kept_and_bad_bodies_named() {
        let json =
            json!({ "request": { "type": "AudioPlayer.PlaybackStarted", "requestId": "1" } });
        let envelope = Envelope::read(json.to_string().as_bytes()).unwrap();
        assert_eq!(
            envelope.request.kind(),
            Kind::Other("AudioPlayer.PlaybackStarted")
        );
        let error = Envelope::read(br#"{"request":{"type":"LaunchRequest"}}"#)
            .unwrap_err()
            .to_string();
        assert!(error.contains("requestId"), "{error}");
    }

    #[test]
    fn a_debug_print_hides_tokens() {
        let envelope = Envelope::read(intent_request().to_string().as_bytes()).unwrap();
        assert!(!format!("{envelope:?}").contains("eyJ.t.t"));
    }
}
