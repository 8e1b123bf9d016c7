//! Request envelopes (facts A1, A2).

use jiff::Timestamp;
use serde_json::{Map, Value, json};

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
}

impl Session {
    pub(crate) fn begin() -> Self {
        Self {
            id: new_id("amzn1.echo-api.session"),
            new: true,
            attributes: Map::new(),
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
}

impl RequestKind {
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Launch => "LaunchRequest",
            Self::Intent { .. } => "IntentRequest",
            Self::SessionEnded { .. } => "SessionEndedRequest",
        }
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
    pub(crate) session: &'a Session,
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
            "device": {
                "deviceId": self.customer.device_id,
                "supportedInterfaces": {},
            },
            "apiEndpoint": self.api_endpoint,
        });
        if let Some(token) = self.api_access_token {
            system["apiAccessToken"] = token.into();
        }
        if let Some(person) = &self.customer.person_id {
            system["person"] = json!({"personId": person});
        }
        if let Some(unit) = &self.customer.unit_id {
            system["unit"] = json!({"unitId": unit});
            if let Some(persistent) = &self.customer.persistent_unit_id {
                system["unit"]["persistentUnitId"] = persistent.as_str().into();
            }
        }
        json!({
            "version": "1.0",
            "session": {
                "new": self.session.new,
                "sessionId": self.session.id,
                "application": {"applicationId": self.skill_id},
                "attributes": self.session.attributes,
                "user": user,
            },
            "context": {"System": system},
            "request": self.request(),
        })
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
            "locale": self.locale,
        });
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
    fn slot(&self, slot: &SlotValue) -> Value {
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
