//! What component and sidecar tell each other about calls: our own interface, signed in both directions.

use serde::{Deserialize, Serialize};

use super::exception::{Refusal, SignalingException};
use super::message::Message;
use crate::ids::{RequestId, UserId};

/// Where the sidecar takes Alexa's messages: `POST`, a [`Forward`].
pub const FORWARD_PATH: &str = "/v1/signaling";

/// A message of Alexa's, as the component forwards it: `POST` [`FORWARD_PATH`]. It is repeated with the same
/// `requestId` until the sidecar has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Forward {
    /// The id of Alexa's request: a repetition has the same.
    pub request_id: RequestId,
    /// The time stamp of Alexa's request (RFC 3339), for people and for the order within a session.
    pub timestamp: String,
    /// The account whose device the session has.
    pub account: UserId,
    /// Where the account's region has its APIs: an origin.
    pub api_endpoint: String,
    /// What Alexa said.
    pub message: Message,
}

/// A message to Alexa, as the sidecar orders it: `POST /signaling` of the component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// The account whose token is used.
    pub account: UserId,
    /// Where the account's region has its APIs; without it the component's default is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_endpoint: Option<String>,
    /// What is to be said to Alexa.
    pub message: Message,
}

/// What Alexa answered to an [`Order`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Alexa's HTTP status; any 2xx is success.
    pub status: u16,
    /// The name of the exception (facts G5), when one is known.
    pub exception: Option<String>,
    /// Alexa's words for developers.
    pub message: Option<String>,
}

impl Outcome {
    /// Alexa has taken it.
    #[must_use]
    pub fn taken(status: u16) -> Self {
        Self {
            status,
            exception: None,
            message: None,
        }
    }

    /// Whether Alexa has taken it.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The exception, when one is known.
    #[must_use]
    pub fn exception(&self) -> Option<SignalingException> {
        self.exception.as_deref().map(SignalingException::from_name)
    }
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        Self {
            status: refusal.status,
            exception: refusal
                .exception
                .map(|exception| exception.name().to_owned()),
            message: refusal.message,
        }
    }
}
