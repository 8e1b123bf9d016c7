//! StartCommunicationSession: the request that starts a call, its answer and its errors (facts D).
//!
//! [`StartSession`] is built strictly ([`StartSession::skill_call`]) and read leniently, as
//! [`StartSession::validate`] names every rule of facts D1 that a request breaks.

mod error;
mod validate;

pub use error::{CommunicationError, ErrorCode};
pub use validate::{Broken, Validity};

use serde::{Deserialize, Serialize};

use crate::e164::E164;
use crate::ids::{ClientSessionId, DeviceId, SessionId};

/// The path of StartCommunicationSession at the request's `apiEndpoint` (facts D1).
pub const PATH: &str = "/v1/communications/session";

/// The provider of a call to a SIP media application's number (facts D1).
pub const PROVIDER_SIP_MEDIA_APPLICATION: &str =
    "amzn1.alexa.csp.id.82bb98bc-384a-11ed-a261-0242ac120002";

/// The provider of a call to an extension of an Alexa Smart Properties PBX (facts D5).
pub const PROVIDER_PBX: &str = "amzn1.comms.csp.id.c0e1cd84-a846-11ed-afa1-0242ac120002";

/// The path of a unit's communication profile at the region's API endpoint, by the unit's persistent id (facts D5).
#[must_use]
pub fn profile_path(persistent_unit: &str) -> String {
    let id = crate::messaging::encoded(persistent_unit);
    format!("/v1/communications/profile?entity.type=UNIT&entity.id={id}")
}

/// The scope of the skill's own token for [`profile_path`]. The facts say only that it is a token of Login with Amazon (D5);
/// of the scopes that were seen (H), this is the one of PBX calling: our choice.
pub const PBX_SCOPE: &str = "amazon_communication::network:siptrunk";

/// The body of a StartCommunicationSession request (facts D1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartSession {
    /// The two ends: one originator, one not.
    #[serde(default)]
    pub participants: Vec<Participant>,
    /// What comes back in the device's User-to-User header (facts E1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_context: Option<ClientContext>,
}

/// One end of the session (facts D1, D5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Participant {
    /// Who it is.
    pub id: ParticipantId,
    /// The device that dials: on the originator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_id: Option<String>,
    /// True on the originator; absent or false on the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_originator: Option<bool>,
    /// Which provider carries the call: on the other participant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub communication_provider_id: Option<String>,
}

/// How a participant is named (facts D1, D5).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParticipantId {
    /// What kind of name it is.
    #[serde(rename = "type")]
    pub kind: IdType,
    /// The number, address or profile id: 1 to 128 characters.
    pub value: String,
}

impl std::fmt::Debug for ParticipantId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "ParticipantId({} ***{})",
            self.kind.as_str(),
            crate::ids::tail(&self.value, 4)
        )
    }
}

/// The kinds of participant names (facts D1, D5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum IdType {
    /// An E.164 number: the only kind that is documented for skill calling.
    PhoneNumber,
    /// An extension of a PBX.
    RawAddress,
    /// A communication profile of an Alexa Smart Properties unit.
    CommunicationProfileId,
    /// A kind that this version does not know.
    Other(String),
}

impl IdType {
    /// The kind as it stands on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::PhoneNumber => "PHONE_NUMBER",
            Self::RawAddress => "RAW_ADDRESS",
            Self::CommunicationProfileId => "COMMUNICATION_PROFILE_ID",
            Self::Other(kind) => kind,
        }
    }
}

impl From<String> for IdType {
    fn from(kind: String) -> Self {
        match kind.as_str() {
            "PHONE_NUMBER" => Self::PhoneNumber,
            "RAW_ADDRESS" => Self::RawAddress,
            "COMMUNICATION_PROFILE_ID" => Self::CommunicationProfileId,
            _ => Self::Other(kind),
        }
    }
}

impl From<IdType> for String {
    fn from(kind: IdType) -> Self {
        kind.as_str().to_owned()
    }
}

/// What the skill gives along and finds again in the INVITE (facts D1, E1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientContext {
    /// 1 to 100 characters, unique per session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_session_id: Option<String>,
}

/// The body of a successful answer (facts D2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionStarted {
    /// Alexa's id of the session.
    pub session_id: SessionId,
}

/// Who calls, as StartCommunicationSession names it (facts D1, D5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Originator {
    /// The customer's own number (facts D1).
    Number(E164),
    /// The communication profile of the unit that the device stands in, and the provider of the call (facts D5).
    Profile {
        /// The profile's id.
        id: String,
        /// The provider that carries the call.
        provider: String,
    },
}

/// Who is called, as StartCommunicationSession names it (facts D1, D5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callee {
    /// The number, extension or profile.
    pub id: ParticipantId,
    /// The provider that carries the call.
    pub provider: String,
}

impl StartSession {
    /// The request of facts D1: the customer's device calls a SIP media application's number.
    #[must_use]
    pub fn skill_call(
        caller: &E164,
        device: &DeviceId,
        dialled: &E164,
        csi: &ClientSessionId,
    ) -> Self {
        let callee = Callee {
            id: ParticipantId {
                kind: IdType::PhoneNumber,
                value: dialled.as_str().to_owned(),
            },
            provider: PROVIDER_SIP_MEDIA_APPLICATION.to_owned(),
        };
        Self::between(Originator::Number(caller.clone()), device, callee, csi)
    }

    /// The request of facts D1 or D5: a device calls, whoever calls and is called.
    #[must_use]
    pub fn between(
        originator: Originator,
        device: &DeviceId,
        callee: Callee,
        csi: &ClientSessionId,
    ) -> Self {
        let (kind, value, provider) = match originator {
            Originator::Number(number) => (IdType::PhoneNumber, String::from(number), None),
            Originator::Profile { id, provider } => {
                (IdType::CommunicationProfileId, id, Some(provider))
            }
        };
        Self {
            participants: vec![
                Participant {
                    id: ParticipantId { kind, value },
                    endpoint_id: Some(device.as_str().to_owned()),
                    is_originator: Some(true),
                    communication_provider_id: provider,
                },
                Participant {
                    id: callee.id,
                    endpoint_id: None,
                    is_originator: None,
                    communication_provider_id: Some(callee.provider),
                },
            ],
            client_context: Some(ClientContext {
                client_session_id: Some(csi.as_str().to_owned()),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> StartSession {
        StartSession::skill_call(
            &E164::parse("+12045550100").unwrap(),
            &DeviceId::parse("amzn1.ask.device.TEST").unwrap(),
            &E164::parse("+16075550199").unwrap(),
            &ClientSessionId::parse("a1-b2").unwrap(),
        )
    }

    #[test]
    fn the_request_is_that_of_d1() {
        let expected = serde_json::json!({
            "participants": [
                { "id": { "type": "PHONE_NUMBER", "value": "+12045550100" },
                  "endpointId": "amzn1.ask.device.TEST", "isOriginator": true },
                { "id": { "type": "PHONE_NUMBER", "value": "+16075550199" },
                  "communicationProviderId": "amzn1.alexa.csp.id.82bb98bc-384a-11ed-a261-0242ac120002" }
            ],
            "clientContext": { "clientSessionId": "a1-b2" }
        });
        assert_eq!(serde_json::to_value(example()).unwrap(), expected);
        assert_eq!(
            serde_json::from_value::<StartSession>(expected).unwrap(),
            example()
        );
    }

    #[test]
    fn a_debug_print_hides_the_numbers() {
        let printed = format!("{:?}", example());
        assert!(!printed.contains("2045550100"), "{printed}");
        assert!(printed.contains("***0100"), "{printed}");
    }
}
