//! Intents, slots and their resolutions (facts A2).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Declares an enum of wire words that keeps what it does not know.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$inner:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum $name {
            $($(#[$inner])* $variant,)+
            /// A word that this version does not know.
            Other(String),
        }

        impl $name {
            /// The word as it stands on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Other(word) => word,
                }
            }
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                match word.as_str() {
                    $($word => Self::$variant,)+
                    _ => Self::Other(word),
                }
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> Self {
                word.as_str().to_owned()
            }
        }
    };
}

words! {
    /// Where a dialog stands (facts A2).
    DialogState {
        /// The first request of the dialog.
        Started = "STARTED",
        /// Slots are being asked for.
        InProgress = "IN_PROGRESS",
        /// All required slots are filled and confirmed.
        Completed = "COMPLETED",
    }
}

words! {
    /// Whether the customer confirmed an intent or a slot (facts A2).
    #[derive(Default)]
    ConfirmationStatus {
        /// Not asked.
        #[default]
        None = "NONE",
        /// Yes.
        Confirmed = "CONFIRMED",
        /// No.
        Denied = "DENIED",
    }
}

words! {
    /// What an authority says of a slot's value (facts A2).
    StatusCode {
        /// The value matches one of the authority's.
        SuccessMatch = "ER_SUCCESS_MATCH",
        /// The value matches none.
        SuccessNoMatch = "ER_SUCCESS_NO_MATCH",
        /// The authority did not answer in time.
        ErrorTimeout = "ER_ERROR_TIMEOUT",
        /// The authority failed.
        ErrorException = "ER_ERROR_EXCEPTION",
    }
}

/// What the customer wants (facts A2).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// The intent's name in the interaction model.
    pub name: String,
    /// Whether the intent was confirmed.
    #[serde(default)]
    pub confirmation_status: ConfirmationStatus,
    /// The slots by name; absent for intents without.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "null_is_empty"
    )]
    pub slots: BTreeMap<String, Slot>,
    /// Members that this version does not know.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// One slot of an intent (facts A2).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Slot {
    /// The slot's name.
    #[serde(default)]
    pub name: String,
    /// What the customer said; absent when the slot is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Whether the slot was confirmed.
    #[serde(default)]
    pub confirmation_status: ConfirmationStatus,
    /// What the interaction model's authorities make of the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolutions: Option<Resolutions>,
    /// The same in the newer form, which has lists too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot_value: Option<SlotValue>,
    /// USER, or others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Members that this version does not know.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A slot's value in the newer form (facts A2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum SlotValue {
    /// One value.
    Simple {
        /// What the customer said.
        #[serde(default)]
        value: String,
        /// What the authorities make of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resolutions: Option<Resolutions>,
        /// Members that this version does not know.
        #[serde(flatten)]
        more: Map<String, Value>,
    },
    /// Several values.
    List {
        /// The values.
        #[serde(default)]
        values: Vec<SlotValue>,
        /// Members that this version does not know.
        #[serde(flatten)]
        more: Map<String, Value>,
    },
    /// A form that this version does not know.
    #[serde(untagged)]
    Other(Value),
}

/// What each authority makes of a value (facts A2).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resolutions {
    /// One entry an authority.
    #[serde(default)]
    pub resolutions_per_authority: Vec<Resolution>,
    /// Members that this version does not know.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// What one authority makes of a value (facts A2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resolution {
    /// `amzn1.er-authority.echo-sdk.<skill>.<type>`.
    #[serde(default)]
    pub authority: String,
    /// Whether it matched.
    pub status: ResolutionStatus,
    /// The matches, best first.
    #[serde(default)]
    pub values: Vec<ResolvedValue>,
    /// Members that this version does not know.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// Holds the code of a resolution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolutionStatus {
    /// Whether it matched.
    pub code: StatusCode,
    /// Members that this version does not know.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// Holds one match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedValue {
    /// The match.
    pub value: EntityValue,
    /// Members that this version does not know.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A value of a slot type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntityValue {
    /// The value's canonical name.
    #[serde(default)]
    pub name: String,
    /// The value's id in the interaction model; absent when it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Members that this version does not know.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// One value that a slot holds: what was said, and what each authority makes of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading<'s> {
    /// What the customer said.
    pub spoken: Option<&'s str>,
    resolutions: Option<&'s Resolutions>,
}

impl<'s> Reading<'s> {
    /// The matches of all authorities, best first; empty without a match.
    pub fn matches(&self) -> impl Iterator<Item = &'s EntityValue> + use<'s> {
        self.resolutions
            .into_iter()
            .flat_map(|resolutions| &resolutions.resolutions_per_authority)
            .filter(|authority| authority.status.code == StatusCode::SuccessMatch)
            .flat_map(|authority| &authority.values)
            .map(|value| &value.value)
    }
}

impl Slot {
    /// The values that the slot holds: one, or those of a list; empty when the slot is.
    #[must_use]
    pub fn readings(&self) -> Vec<Reading<'_>> {
        let said = |text: &'_ str| !text.trim().is_empty();
        let mut readings = Vec::new();
        if let Some(SlotValue::List { values, .. }) = &self.slot_value {
            for value in values {
                if let SlotValue::Simple {
                    value, resolutions, ..
                } = value
                {
                    readings.push(Reading {
                        spoken: Some(value.as_str()).filter(|text| said(text)),
                        resolutions: resolutions.as_ref(),
                    });
                }
            }
        } else {
            let (newer, resolutions) = match &self.slot_value {
                Some(SlotValue::Simple {
                    value, resolutions, ..
                }) => (Some(value.as_str()), resolutions.as_ref()),
                _ => (None, None),
            };
            readings.push(Reading {
                spoken: self.value.as_deref().or(newer).filter(|text| said(text)),
                resolutions: self.resolutions.as_ref().or(resolutions),
            });
        }
        readings.retain(|reading| reading.spoken.is_some() || reading.matches().next().is_some());
        readings
    }

    /// The matches of all authorities, best first, of a list's values one after the other; empty without a match.
    pub fn matches(&self) -> impl Iterator<Item = &EntityValue> {
        self.readings()
            .into_iter()
            .flat_map(|reading| reading.matches())
    }
}

/// Alexa sends null for an intent without slots, or leaves them out.
fn null_is_empty<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Slot>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_with_resolutions_round_trips() {
        let json = serde_json::json!({
            "name": "CallIntent", "confirmationStatus": "NONE",
            "slots": { "who": {
                "name": "who", "value": "billing", "confirmationStatus": "NONE",
                "resolutions": { "resolutionsPerAuthority": [ {
                    "authority": "amzn1.er-authority.echo-sdk.s.t",
                    "status": { "code": "ER_SUCCESS_MATCH" },
                    "values": [ { "value": { "name": "billing", "id": "BILLING" } } ] } ] },
                "slotValue": { "type": "Simple", "value": "billing" } } }
        });
        let intent: Intent = serde_json::from_value(json.clone()).unwrap();
        let ids: Vec<_> = intent.slots["who"]
            .matches()
            .filter_map(|v| v.id.as_deref())
            .collect();
        assert_eq!(ids, ["BILLING"]);
        assert_eq!(serde_json::to_value(&intent).unwrap(), json);
    }

    #[test]
    fn no_match_and_unknown_codes_match_nothing() {
        for code in ["ER_SUCCESS_NO_MATCH", "ER_ERROR_TIMEOUT", "ER_NEW"] {
            let slot: Slot = serde_json::from_value(serde_json::json!({
                "name": "who", "value": "x",
                "resolutions": { "resolutionsPerAuthority": [ { "authority": "a", "status": { "code": code } } ] }
            }))
            .unwrap();
            assert_eq!(slot.matches().count(), 0, "{code}");
        }
    }

    #[test]
    fn each_value_of_a_list_is_read_and_empty_slots_hold_none() {
        let slot: Slot = serde_json::from_value(serde_json::json!({
            "name": "who", "value": "a and b", "slotValue": { "type": "List", "values": [
                { "type": "Simple", "value": "a", "resolutions": { "resolutionsPerAuthority": [
                    { "authority": "static", "status": { "code": "ER_SUCCESS_NO_MATCH" } },
                    { "authority": "dynamic", "status": { "code": "ER_SUCCESS_MATCH" },
                      "values": [ { "value": { "name": "A", "id": "1" } }, { "value": { "name": "AA" } } ] } ] } },
                { "type": "Simple", "value": "b" }, { "type": "Other", "value": "c" } ] }
        }))
        .unwrap();
        let readings = slot.readings();
        let spoken: Vec<_> = readings.iter().map(|reading| reading.spoken).collect();
        assert_eq!(spoken, [Some("a"), Some("b")]);
        let names: Vec<_> = slot.matches().map(|value| value.name.as_str()).collect();
        assert_eq!(names, ["A", "AA"]);
        for empty in [
            serde_json::json!({"name": "who"}),
            serde_json::json!({"name": "who", "value": " "}),
        ] {
            let slot: Slot = serde_json::from_value(empty).unwrap();
            assert!(slot.readings().is_empty());
        }
    }

    #[test]
    fn list_slots_and_null_slots_are_read() {
        let slot: Slot = serde_json::from_value(serde_json::json!({
            "name": "who", "slotValue": { "type": "List", "values": [ { "type": "Simple", "value": "a" } ] }
        }))
        .unwrap();
        assert!(
            matches!(slot.slot_value, Some(SlotValue::List { ref values, .. }) if values.len() == 1)
        );
        let intent: Intent = serde_json::from_value(
            serde_json::json!({ "name": "AMAZON.HelpIntent", "slots": null }),
        )
        .unwrap();
        assert!(intent.slots.is_empty());
    }
}
