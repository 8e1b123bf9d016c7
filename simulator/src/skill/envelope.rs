//! Request envelopes (facts A1, A2).

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use skillcall_protocol::signaling::TYPE_PREFIX;

use super::Expected;
use crate::customer::Customer;
use crate::model::{Resolution, SlotValue};

/// A skill session: begins with the first request, ends when the skill or the customer ends it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Session {
    pub(crate) id: String,
    /// No request of this session has been answered yet.
    pub(crate) new: bool,
    /// The attributes of the skill's last answer, echoed in the next request.
    pub(crate) attributes: Map<String, Value>,
    /// What the skill's dialog directive has asked for.
    pub(crate) dialog: Option<Dialog>,
}

/// A question of a dialog (facts A2): the intent so far, and what the next words answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Dialog {
    /// `updatedIntent` of the directive.
    pub(crate) intent: Value,
    pub(crate) question: Question,
}

/// What a dialog asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Question {
    /// The value of a slot.
    Slot(String),
    /// Whether a slot is right.
    ConfirmSlot(String),
    /// Whether the intent is right.
    ConfirmIntent,
}

impl Session {
    pub(crate) fn begin() -> Self {
        Self {
            id: new_id("amzn1.echo-api.session"),
            new: true,
            attributes: Map::new(),
            dialog: None,
        }
    }
}

/// What a request is about.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RequestKind {
    Launch,
    Intent {
        name: String,
        slots: Vec<SlotValue>,
        has_dialog: bool,
    },
    SessionEnded {
        reason: &'static str,
        error: Option<(&'static str, String)>,
    },
    /// An intent within its dialog, as it stands.
    Dialog {
        intent: Value,
    },
    /// A request that nobody spoke, as it stands but for what each request has.
    Other {
        request: Map<String, Value>,
    },
}

impl RequestKind {
    pub(crate) fn type_name(&self) -> &str {
        match self {
            Self::Dialog { .. } => "IntentRequest",
            Self::Other { request } => request
                .get("type")
                .and_then(Value::as_str)
                .unwrap_or_default(),
            Self::Launch => "LaunchRequest",
            Self::Intent { .. } => "IntentRequest",
            Self::SessionEnded { .. } => "SessionEndedRequest",
        }
    }

    /// The type's or the intent's name.
    pub(crate) fn heard(&self) -> &str {
        match self {
            Self::Intent { name, .. } => name,
            Self::Dialog { intent } => intent["name"].as_str().unwrap_or_default(),
            other => other.type_name(),
        }
    }

    /// What the skill may answer.
    pub(crate) fn expected(&self) -> Expected {
        match self.type_name() {
            "Alexa.Authorization.Grant" => Expected::Grant,
            "Alexa.Comms.CallSignaling.InitiateOutboundCall" => Expected::Deferred,
            "CanFulfillIntentRequest" => Expected::CanFulfill,
            "LaunchRequest" | "IntentRequest" => Expected::Speech,
            _ => Expected::Nothing,
        }
    }

    /// The session of a message of CallSignaling.
    pub(crate) fn signaling_session(&self) -> Option<&str> {
        match self {
            Self::Other { request } if self.is_signaling() => request.get("sessionId")?.as_str(),
            _ => None,
        }
    }

    fn is_signaling(&self) -> bool {
        self.type_name().starts_with(TYPE_PREFIX)
    }

    /// Whether the request comes from a device: events and messages come from the cloud (facts A1, A2).
    pub(crate) fn is_of_device(&self) -> bool {
        let kind = self.type_name();
        !["AlexaSkillEvent.", "Messaging.", "Alexa.Authorization."]
            .iter()
            .any(|prefix| kind.starts_with(prefix))
    }
}

/// Names the authority of an entity resolution.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SlotSource<'a> {
    pub(crate) skill_id: &'a str,
}

/// Everything that a request is made of.
#[derive(Debug, Clone)]
pub(crate) struct Asking<'a> {
    pub(crate) kind: &'a RequestKind,
    pub(crate) request_id: &'a str,
    pub(crate) timestamp: Option<Timestamp>,
    pub(crate) locale: &'a str,
    pub(crate) skill_id: &'a str,
    pub(crate) session: Option<&'a Session>,
    pub(crate) customer: &'a Customer,
    pub(crate) api_endpoint: &'a str,
    pub(crate) api_access_token: Option<&'a str>,
    pub(crate) consent_token: Option<&'a str>,
}

impl Asking<'_> {
    /// The body that is signed and sent.
    pub(crate) fn to_json(&self) -> Value {
        let user = self.user();
        let mut system = json!({
            "application": {"applicationId": self.skill_id},
            "user": user,
            "apiEndpoint": self.api_endpoint,
        });
        if self.kind.is_of_device() {
            system["device"] = json!({
                "deviceId": self.customer.device_id,
                "supportedInterfaces": {},
            });
        }
        if let Some(token) = self.api_access_token {
            system["apiAccessToken"] = token.into();
        }
        if let Some(person) = &self.customer.person_id {
            system["person"] = json!({"personId": person});
            if let Some(token) = &self.customer.person_access_token {
                system["person"]["accessToken"] = token.as_str().into();
            }
        }
        if let Some(unit) = &self.customer.unit_id {
            system["unit"] = json!({"unitId": unit});
            if let Some(persistent) = &self.customer.persistent_unit_id {
                system["unit"]["persistentUnitId"] = persistent.as_str().into();
            }
        }
        let mut envelope = json!({
            "version": "1.0",
            "context": {"System": system},
            "request": self.request(),
        });
        if let Some(session) = self.session {
            envelope["session"] = json!({
                "new": session.new,
                "sessionId": session.id,
                "application": {"applicationId": self.skill_id},
                "attributes": session.attributes,
                "user": user,
            });
        }
        envelope
    }

    fn user(&self) -> Value {
        let mut user = json!({"userId": self.customer.user_id});
        if let Some(token) = &self.customer.access_token {
            user["accessToken"] = token.as_str().into();
        }
        let scopes: Map<String, Value> = self
            .customer
            .granted
            .iter()
            .map(|scope| (scope.clone(), json!({"status": "GRANTED"})))
            .chain(
                self.customer
                    .denied
                    .iter()
                    .map(|scope| (scope.clone(), json!({"status": "DENIED"}))),
            )
            .collect();
        if !scopes.is_empty() {
            user["permissions"] = json!({"scopes": scopes});
            if let Some(consent) = self.consent_token {
                user["permissions"]["consentToken"] = consent.into();
            }
        }
        user
    }

    fn request(&self) -> Value {
        let mut request = json!({
            "type": self.kind.type_name(),
            "requestId": self.request_id,
        });
        // Nobody speaks in a message of CallSignaling (facts G2).
        if !self.kind.is_signaling() {
            request["locale"] = self.locale.into();
        }
        if let Some(timestamp) = self.timestamp {
            request["timestamp"] = written(timestamp).into();
        }
        match self.kind {
            RequestKind::Launch => {}
            RequestKind::Intent {
                name,
                slots,
                has_dialog,
            } => {
                let source = SlotSource {
                    skill_id: self.skill_id,
                };
                let mut intent = json!({"name": name, "confirmationStatus": "NONE"});
                if !slots.is_empty() {
                    intent["slots"] = slots
                        .iter()
                        .map(|slot| (slot.name.clone(), source.slot(slot)))
                        .collect();
                }
                request["intent"] = intent;
                if *has_dialog {
                    request["dialogState"] = "STARTED".into();
                }
            }
            RequestKind::Dialog { intent } => {
                request["intent"] = intent.clone();
                request["dialogState"] = "IN_PROGRESS".into();
            }
            RequestKind::Other { request: own } => {
                for (name, value) in own {
                    request[name.as_str()] = value.clone();
                }
            }
            RequestKind::SessionEnded { reason, error } => {
                request["reason"] = (*reason).into();
                if let Some((kind, message)) = error {
                    request["error"] = json!({"type": kind, "message": message});
                }
            }
        }
        request
    }
}

impl SlotSource<'_> {
    pub(crate) fn slot(&self, slot: &SlotValue) -> Value {
        let mut value = json!({"name": slot.name, "confirmationStatus": "NONE"});
        if let Some(said) = &slot.value {
            value["value"] = said.as_str().into();
            value["source"] = "USER".into();
            value["slotValue"] = json!({"type": "Simple", "value": said});
            if let Some(resolution) = &slot.resolution {
                let resolutions = self.resolutions(resolution);
                value["slotValue"]["resolutions"] = resolutions.clone();
                value["resolutions"] = resolutions;
            }
        }
        value
    }

    fn resolutions(&self, resolution: &Resolution) -> Value {
        let code = if resolution.values.is_empty() {
            "ER_SUCCESS_NO_MATCH"
        } else {
            "ER_SUCCESS_MATCH"
        };
        let mut authority = json!({
            "authority": format!("amzn1.er-authority.echo-sdk.{}.{}", self.skill_id, resolution.slot_type),
            "status": {"code": code},
        });
        if !resolution.values.is_empty() {
            authority["values"] = resolution
                .values
                .iter()
                .map(|(name, id)| json!({"value": {"name": name, "id": id}}))
                .collect();
        }
        json!({"resolutionsPerAuthority": [authority]})
    }
}

/// `2024-05-01T10:11:12Z`: whole seconds, as Alexa writes them (facts A1).
fn written(timestamp: Timestamp) -> String {
    timestamp.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// An id of the form `prefix.<uuid>`.
pub(crate) fn new_id(prefix: &str) -> String {
    format!("{prefix}.{}", uuid::Uuid::new_v4())
}
