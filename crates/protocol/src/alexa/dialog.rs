//! Directives that steer a dialog of the interaction model. They may only be sent for intents that have a dialog model,
//! which Alexa shows by sending `dialogState` (facts A2).

use serde_json::{Value, json};

use super::Intent;

/// Asks for a slot: what the customer says next fills it.
#[must_use]
pub fn elicit_slot(intent: &Intent, slot: &str) -> Value {
    json!({"type": "Dialog.ElicitSlot", "slotToElicit": slot, "updatedIntent": intent})
}

/// Asks whether the intent is right: the next request's `confirmationStatus` tells.
#[must_use]
pub fn confirm_intent(intent: &Intent) -> Value {
    json!({"type": "Dialog.ConfirmIntent", "updatedIntent": intent})
}
