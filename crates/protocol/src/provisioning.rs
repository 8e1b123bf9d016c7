//! Provisioning of calls by CallSignaling: service providers, their network and users, address books (facts G8).
//!
//! What the services answer is published in part only: lists are read from an array, or from the first member that is one
//! ([`listed`]), and ids by whichever of their names stands there.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::messaging::encoded;

/// The scope of tokens for these services (facts G7).
pub const SCOPE: &str = "amazon_communication::service_provider";

/// Where service providers are.
pub const PROVIDERS_PATH: &str = "/v1/communications/serviceProviders";

/// Where communication profiles are made and asked for.
pub const PROFILE_PATH: &str = "/v1/communications/profile";

/// One provider.
#[must_use]
pub fn provider_path(id: &str) -> String {
    format!("{PROVIDERS_PATH}/{}", encoded(id))
}

/// A provider's network.
#[must_use]
pub fn network_path(id: &str) -> String {
    format!("{}/network", provider_path(id))
}

/// A provider's users.
#[must_use]
pub fn users_path(id: &str) -> String {
    format!("{}/externalUsers", provider_path(id))
}

/// Where a provider's users are looked up.
#[must_use]
pub fn users_query_path(id: &str) -> String {
    format!("{}/query", users_path(id))
}

/// One user of a provider.
#[must_use]
pub fn user_path(provider: &str, user: &str) -> String {
    format!("{}/{}", users_path(provider), encoded(user))
}

/// The contacts of an address book.
#[must_use]
pub fn contacts_path(book: &str) -> String {
    format!("/v1/addressBooks/{}/contacts", encoded(book))
}

/// A service provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceProvider {
    /// The id that the service gives: `amzn1.comms.csp.id.` and a UUID.
    #[serde(default, alias = "id", skip_serializing_if = "Option::is_none")]
    pub service_provider_id: Option<String>,
    /// The id that its owner gives.
    pub service_provider_logical_id: String,
    /// Its names by locale.
    #[serde(default)]
    pub display_name: Vec<LocalName>,
}

/// A name in a locale.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LocalName {
    /// Such as `en-US`.
    pub locale: String,
    /// The name.
    pub value: String,
}

/// What carries a provider's calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    /// `SKILL`.
    pub network_type: String,
    /// Which skill.
    pub skill_configuration: SkillConfiguration,
}

/// The skill that carries calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SkillConfiguration {
    /// Its id.
    pub skill_id: String,
}

impl Network {
    /// The network of a skill.
    #[must_use]
    pub fn of_skill(skill_id: &str) -> Self {
        Self {
            network_type: "SKILL".to_owned(),
            skill_configuration: SkillConfiguration {
                skill_id: skill_id.to_owned(),
            },
        }
    }
}

/// A user of a provider: an endpoint outside of Alexa, with the communication profile that stands for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalUser {
    /// The id that the provider gives.
    pub external_user_id: String,
    /// The communication profile.
    pub amazon_id: String,
    /// `communication-profile`.
    pub amazon_id_type: String,
}

impl ExternalUser {
    /// The user of a communication profile.
    #[must_use]
    pub fn of_profile(id: &str, profile: &str) -> Self {
        Self {
            external_user_id: id.to_owned(),
            amazon_id: profile.to_owned(),
            amazon_id_type: "communication-profile".to_owned(),
        }
    }
}

/// An entry of an address book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contact {
    /// By which people call it.
    pub name: String,
    /// Whom it stands for.
    pub provider_contact: ProviderContact,
}

/// Whom an entry stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderContact {
    /// The external user's id.
    pub id: String,
}

/// The entries of a list: the answer itself, or its first member that is a list. An entry may stand in an object of its own
/// (`{"contact": {…}}`). Entries that cannot be read are left out.
#[must_use]
pub fn listed<T: serde::de::DeserializeOwned>(answer: &Value) -> Vec<T> {
    let list = match answer {
        Value::Array(list) => Some(list),
        Value::Object(members) => members.values().find_map(Value::as_array),
        _ => None,
    };
    let read = |entry: &Value| {
        let inner = match entry {
            Value::Object(members) if members.len() == 1 => members.values().next(),
            _ => None,
        };
        serde_json::from_value(entry.clone())
            .ok()
            .or_else(|| serde_json::from_value(inner?.clone()).ok())
    };
    list.into_iter().flatten().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_bodies_are_those_of_g8() {
        let provider = json!({"serviceProviderLogicalId": "hotel", "displayName": [{"locale": "en-US", "value": "Hotel"}]});
        let read: ServiceProvider = serde_json::from_value(provider.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), provider);
        assert_eq!(
            serde_json::to_value(Network::of_skill("amzn1.ask.skill.1")).unwrap(),
            json!({"networkType": "SKILL", "skillConfiguration": {"skillId": "amzn1.ask.skill.1"}})
        );
        assert_eq!(
            serde_json::to_value(ExternalUser::of_profile("desk", "p")).unwrap(),
            json!({"externalUserId": "desk", "amazonId": "p", "amazonIdType": "communication-profile"})
        );
        assert_eq!(
            user_path("amzn1.comms.csp.id.1", "front desk"),
            "/v1/communications/serviceProviders/amzn1.comms.csp.id.1/externalUsers/front%20desk"
        );
    }

    #[test]
    fn lists_are_read_in_each_form() {
        let contact = json!({"name": "Desk", "providerContact": {"id": "desk"}});
        for answer in [
            json!([contact]),
            json!({"results": [contact]}),
            json!({"next": null, "contacts": [{"contact": contact}]}),
        ] {
            let read: Vec<Contact> = listed(&answer);
            assert_eq!(read.len(), 1, "{answer}");
            assert_eq!(read[0].provider_contact.id, "desk");
        }
        assert!(listed::<Contact>(&json!("x")).is_empty());
        let read: Vec<ServiceProvider> =
            listed(&json!([{"id": "amzn1.comms.csp.id.1", "serviceProviderLogicalId": "l"}]));
        assert_eq!(
            read[0].service_provider_id.as_deref(),
            Some("amzn1.comms.csp.id.1")
        );
    }
}
