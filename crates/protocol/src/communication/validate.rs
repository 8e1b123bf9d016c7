//! Every rule of facts D1 and D5, each broken one named with its field.

use std::fmt;

use super::{IdType, Participant, StartSession};
use crate::e164::E164;

/// Prefixes of the provider ids that the service knows (facts D1, D5).
const PROVIDER_FAMILIES: [&str; 2] = ["amzn1.alexa.csp.id.", "amzn1.comms.csp.id."];

/// A rule that a request breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The field, as a path into the body.
    pub field: String,
    /// What is wrong, and what would be right.
    pub rule: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.rule)
    }
}

/// What a valid request says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity<'a> {
    /// The participant that dials.
    pub originator: &'a Participant,
    /// The participant that is dialled.
    pub callee: &'a Participant,
}

impl StartSession {
    /// Checks the request by every rule of facts D1 (and D5 for the other id types).
    ///
    /// # Errors
    /// Every rule that is broken, in the order of the body's fields; never an empty list.
    pub fn validate(&self) -> Result<Validity<'_>, Vec<Broken>> {
        let mut broken = Vec::new();
        let mut say = |field: String, rule: String| broken.push(Broken { field, rule });

        if self.participants.len() != 2 {
            say(
                "participants".to_owned(),
                format!(
                    "there are {}, there must be exactly 2",
                    self.participants.len()
                ),
            );
        }
        for (index, participant) in self.participants.iter().enumerate() {
            participant_rules(participant, &format!("participants[{index}]"), &mut say);
        }
        let originators = self
            .participants
            .iter()
            .filter(|p| p.is_originator == Some(true));
        let callees = self
            .participants
            .iter()
            .filter(|p| p.is_originator != Some(true));
        if originators.clone().count() != 1 && self.participants.len() == 2 {
            say(
                "participants[].isOriginator".to_owned(),
                "exactly one participant must say true".to_owned(),
            );
        }
        if let Some(id) = self
            .client_context
            .as_ref()
            .and_then(|c| c.client_session_id.as_deref())
            && !(1..=100).contains(&id.chars().count())
        {
            say(
                "clientContext.clientSessionId".to_owned(),
                format!("has {} characters, must have 1 to 100", id.chars().count()),
            );
        }
        match (originators.clone().next(), callees.clone().next()) {
            (Some(originator), Some(callee)) if broken.is_empty() => {
                Ok(Validity { originator, callee })
            }
            _ => Err(broken),
        }
    }
}

fn participant_rules(participant: &Participant, field: &str, say: &mut impl FnMut(String, String)) {
    let value = &participant.id.value;
    let length = value.chars().count();
    if !(1..=128).contains(&length) {
        say(
            format!("{field}.id.value"),
            format!("has {length} characters, must have 1 to 128"),
        );
    } else if participant.id.kind == IdType::PhoneNumber
        && let Err(error) = E164::parse(value)
    {
        say(format!("{field}.id.value"), error.to_string());
    }
    if let IdType::Other(kind) = &participant.id.kind {
        say(
            format!("{field}.id.type"),
            format!(
                "{kind:?} is unknown; must be PHONE_NUMBER, RAW_ADDRESS or COMMUNICATION_PROFILE_ID"
            ),
        );
    }
    if participant.is_originator == Some(true) {
        match participant
            .endpoint_id
            .as_deref()
            .map(|id| id.chars().count())
        {
            Some(1..=512) => {}
            Some(length) => say(
                format!("{field}.endpointId"),
                format!("has {length} characters, must have 1 to 512"),
            ),
            None => say(
                format!("{field}.endpointId"),
                "is missing; the originator's must be the request's deviceId".to_owned(),
            ),
        }
        if participant.id.kind == IdType::CommunicationProfileId {
            provider_rules(participant, field, say);
        }
    } else {
        provider_rules(participant, field, say);
    }
}

fn provider_rules(participant: &Participant, field: &str, say: &mut impl FnMut(String, String)) {
    let field = format!("{field}.communicationProviderId");
    match participant.communication_provider_id.as_deref() {
        None => say(field, "is missing".to_owned()),
        Some(id) if !(1..=128).contains(&id.chars().count()) => say(
            field,
            format!("has {} characters, must have 1 to 128", id.chars().count()),
        ),
        Some(id) if participant.id.kind == IdType::PhoneNumber => {
            if id != super::PROVIDER_SIP_MEDIA_APPLICATION {
                say(
                    field,
                    format!(
                        "must be {} for a PHONE_NUMBER",
                        super::PROVIDER_SIP_MEDIA_APPLICATION
                    ),
                );
            }
        }
        Some(id) => {
            if !PROVIDER_FAMILIES
                .iter()
                .any(|family| id.starts_with(family))
            {
                say(
                    field,
                    format!(
                        "must begin with {} or {}",
                        PROVIDER_FAMILIES[0], PROVIDER_FAMILIES[1]
                    ),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn valid() -> Value {
        json!({
            "participants": [
                { "id": { "type": "PHONE_NUMBER", "value": "+12045550100" }, "endpointId": "d", "isOriginator": true },
                { "id": { "type": "PHONE_NUMBER", "value": "+16075550199" },
                  "communicationProviderId": super::super::PROVIDER_SIP_MEDIA_APPLICATION }
            ],
            "clientContext": { "clientSessionId": "a1-b2" }
        })
    }

    /// The valid request with one place changed, and the field that must be named.
    fn broken_by(pointer: &str, value: Value) -> Vec<String> {
        let mut body = valid();
        match body.pointer_mut(pointer) {
            Some(place) => *place = value,
            None => {
                let (parent, key) = pointer.rsplit_once('/').unwrap();
                body.pointer_mut(parent).unwrap()[key] = value;
            }
        }
        let request: StartSession = serde_json::from_value(body).unwrap();
        request
            .validate()
            .err()
            .unwrap_or_default()
            .into_iter()
            .map(|b| b.field)
            .collect()
    }

    #[test]
    fn the_example_is_valid_and_knows_who_dials() {
        let request: StartSession = serde_json::from_value(valid()).unwrap();
        let validity = request.validate().unwrap();
        assert_eq!(validity.originator.id.value, "+12045550100");
        assert_eq!(validity.callee.id.value, "+16075550199");
        assert!(broken_by("/participants/1/isOriginator", json!(false)).is_empty());
    }

    #[test]
    fn each_rule_of_d1_is_named_by_its_field() {
        let long = "x".repeat(513);
        for (pointer, value, field) in [
            ("/participants", json!([]), "participants"),
            (
                "/participants/0/id/value",
                json!("2045550100"),
                "participants[0].id.value",
            ),
            (
                "/participants/0/id/value",
                json!(""),
                "participants[0].id.value",
            ),
            (
                "/participants/1/id/type",
                json!("EMAIL"),
                "participants[1].id.type",
            ),
            (
                "/participants/0/endpointId",
                json!(null),
                "participants[0].endpointId",
            ),
            (
                "/participants/0/endpointId",
                json!(long),
                "participants[0].endpointId",
            ),
            (
                "/participants/0/isOriginator",
                json!(false),
                "participants[].isOriginator",
            ),
            (
                "/participants/1/isOriginator",
                json!(true),
                "participants[].isOriginator",
            ),
            (
                "/participants/1/communicationProviderId",
                json!(null),
                "participants[1].communicationProviderId",
            ),
            (
                "/participants/1/communicationProviderId",
                json!("amzn1.alexa.csp.id.other"),
                "participants[1].communicationProviderId",
            ),
            (
                "/clientContext/clientSessionId",
                json!(""),
                "clientContext.clientSessionId",
            ),
            (
                "/clientContext/clientSessionId",
                json!("x".repeat(101)),
                "clientContext.clientSessionId",
            ),
        ] {
            let fields = broken_by(pointer, value);
            assert!(
                fields.iter().any(|found| found == field),
                "{pointer}: {fields:?}"
            );
        }
    }

    #[test]
    fn a_pbx_call_of_d5_is_valid() {
        let request: StartSession = serde_json::from_value(json!({
            "participants": [
                { "id": { "type": "COMMUNICATION_PROFILE_ID", "value": "p" }, "endpointId": "d", "isOriginator": true,
                  "communicationProviderId": super::super::PROVIDER_PBX },
                { "id": { "type": "RAW_ADDRESS", "value": "100" }, "communicationProviderId": super::super::PROVIDER_PBX }
            ]
        }))
        .unwrap();
        assert!(request.validate().is_ok());
    }
}
