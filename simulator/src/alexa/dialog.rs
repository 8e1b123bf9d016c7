//! Dialogs that a skill steers by directives (facts A2): the next words answer what the directive asks.

use serde_json::Value;

use super::Alexa;
use crate::model::Heard;
use crate::skill::{Dialog, Question, RequestKind, SlotSource};

/// What a directive asks; none when it is no question of a dialog.
pub(super) fn asked(directive: &Value) -> Option<Dialog> {
    let slot = |name: &str| directive[name].as_str().map(str::to_owned);
    let question = match directive["type"].as_str()? {
        "Dialog.ElicitSlot" => Question::Slot(slot("slotToElicit")?),
        "Dialog.ConfirmSlot" => Question::ConfirmSlot(slot("slotToConfirm")?),
        "Dialog.ConfirmIntent" => Question::ConfirmIntent,
        _ => return None,
    };
    let intent = directive.get("updatedIntent")?.clone();
    Some(Dialog { intent, question })
}

impl Alexa {
    /// The request that goes on with a dialog; none when the words have nothing to do with it.
    pub(super) fn in_dialog(
        &self,
        dialog: &Dialog,
        utterance: &str,
        heard: &Heard,
    ) -> Option<RequestKind> {
        let source = SlotSource {
            skill_id: &self.skill_id,
        };
        let mut intent = dialog.intent.clone();
        let name = intent["name"].as_str()?.to_owned();
        let status = |sure: bool| if sure { "CONFIRMED" } else { "DENIED" };
        match &dialog.question {
            Question::ConfirmIntent => {
                let sure = self.model.confirmation(utterance)?;
                intent["confirmationStatus"] = status(sure).into();
            }
            Question::ConfirmSlot(slot) => {
                let sure = self.model.confirmation(utterance)?;
                intent["slots"][slot.as_str()]["confirmationStatus"] = status(sure).into();
            }
            Question::Slot(slot) => match heard {
                // The same intent anew: what it fills counts.
                Heard::Intent { name: said, slots } if *said == name => {
                    for value in slots.iter().filter(|value| value.value.is_some()) {
                        intent["slots"][value.name.as_str()] = source.slot(value);
                    }
                }
                Heard::Intent { name: said, .. } if said != "AMAZON.FallbackIntent" => return None,
                Heard::Launch | Heard::Exit => return None,
                Heard::Intent { .. } | Heard::NotUnderstood => {
                    let value = self.model.slot_value(&name, slot, utterance)?;
                    intent["slots"][slot.as_str()] = source.slot(&value);
                }
            },
        }
        Some(RequestKind::Dialog { intent })
    }
}
