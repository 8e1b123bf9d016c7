//! Who can be called with a button of the page.

use serde::{Deserialize, Serialize};
use skillcall_protocol::communication::{IdType, ParticipantId};

/// Somebody who can be called. Exactly one of `address`, `number` and `profile` is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Contact {
    /// What the button says after "Call".
    pub name: String,
    /// A RAW_ADDRESS (facts G2).
    #[serde(default)]
    pub address: Option<String>,
    /// A PHONE_NUMBER in E.164.
    #[serde(default)]
    pub number: Option<String>,
    /// A COMMUNICATION_PROFILE_ID.
    #[serde(default)]
    pub profile: Option<String>,
}

impl Contact {
    /// Who it is as a participant; `None` when not exactly one id is given.
    pub fn id(&self) -> Option<ParticipantId> {
        let (kind, value) = match (&self.address, &self.number, &self.profile) {
            (Some(value), None, None) => (IdType::RawAddress, value),
            (None, Some(value), None) => (IdType::PhoneNumber, value),
            (None, None, Some(value)) => (IdType::CommunicationProfileId, value),
            _ => return None,
        };
        Some(ParticipantId {
            kind,
            value: value.clone(),
        })
    }
}
