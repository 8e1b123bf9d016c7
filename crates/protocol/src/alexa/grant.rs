//! The answer to Alexa.Authorization.Grant, which is no response envelope (facts G7).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The event that answers a grant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GrantAnswer {
    /// The event.
    pub event: GrantEvent,
}

/// Header and payload of the event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GrantEvent {
    /// Which event it is.
    pub header: GrantHeader,
    /// Empty when the grant was taken.
    #[serde(default)]
    pub payload: Map<String, Value>,
}

/// Which event it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GrantHeader {
    /// An id of the skill's own.
    pub message_id: String,
    /// `Alexa.Authorization`.
    pub namespace: String,
    /// `AcceptGrant.Response`, or `ErrorResponse`.
    pub name: String,
    /// `3`.
    pub payload_version: String,
}

impl GrantAnswer {
    /// The grant was taken (facts G7).
    #[must_use]
    pub fn accepted(message_id: impl Into<String>) -> Self {
        Self::of(message_id.into(), "AcceptGrant.Response", Map::new())
    }

    /// The grant could not be taken (facts H: ErrorResponse with the type ACCEPT_GRANT_FAILED).
    #[must_use]
    pub fn failed(message_id: impl Into<String>, message: &str) -> Self {
        let payload = match json!({"type": "ACCEPT_GRANT_FAILED", "message": message}) {
            Value::Object(payload) => payload,
            _ => Map::new(),
        };
        Self::of(message_id.into(), "ErrorResponse", payload)
    }

    fn of(message_id: String, name: &str, payload: Map<String, Value>) -> Self {
        Self {
            event: GrantEvent {
                header: GrantHeader {
                    message_id,
                    namespace: "Alexa.Authorization".to_owned(),
                    name: name.to_owned(),
                    payload_version: "3".to_owned(),
                },
                payload,
            },
        }
    }
}
