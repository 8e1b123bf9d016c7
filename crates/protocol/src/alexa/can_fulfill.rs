//! The answer to CanFulfillIntentRequest (facts A2, A3).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How sure the skill is (facts A3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Sureness {
    /// It cannot.
    No,
    /// It may, once more is known.
    Maybe,
    /// It can.
    Yes,
}

/// Whether the skill could do what the customer wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CanFulfill {
    /// Whether it can.
    pub can_fulfill: Sureness,
    /// The same for each slot.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub slots: BTreeMap<String, CanFulfillSlot>,
}

/// Whether the skill can do something with a slot: of this Alexa takes no MAYBE (`ask-sdk-model`, `CanFulfillSlotValues`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Ability {
    /// It cannot.
    No,
    /// It can.
    Yes,
}

/// What the skill makes of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CanFulfillSlot {
    /// Whether it knows what the value means.
    pub can_understand: Sureness,
    /// Whether it can do something with it.
    pub can_fulfill: Ability,
}

impl CanFulfillSlot {
    /// A slot that can be served as far as it is understood: what is not clear is asked for.
    #[must_use]
    pub fn understood(can_understand: Sureness) -> Self {
        Self {
            can_understand,
            can_fulfill: match can_understand {
                Sureness::No => Ability::No,
                Sureness::Maybe | Sureness::Yes => Ability::Yes,
            },
        }
    }
}
