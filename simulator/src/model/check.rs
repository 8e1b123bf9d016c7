//! What makes an interaction model unusable.

use std::collections::BTreeSet;
use std::fmt;

use super::document::{Document, Intent};
use super::sample::{Piece, pieces};

/// One broken rule and its place in the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where, as a path such as `interactionModel.languageModel.intents[2].samples[0]`.
    pub place: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

const ROOT: &str = "interactionModel.languageModel";

/// All findings, in the document's order; empty when the model is usable.
pub fn check(document: &Document) -> Vec<Finding> {
    let model = &document.interaction_model.language_model;
    let mut findings = Vec::new();
    check_invocation_name(&model.invocation_name, &mut findings);
    let mut types = BTreeSet::new();
    for (at, slot_type) in model.types.iter().enumerate() {
        let place = format!("{ROOT}.types[{at}]");
        if !types.insert(slot_type.name.as_str()) {
            push(
                &mut findings,
                &place,
                format!("the type {:?} is there twice", slot_type.name),
            );
        }
        if slot_type.values.is_empty() && !slot_type.name.starts_with("AMAZON.") {
            push(
                &mut findings,
                &place,
                format!(
                    "the type {:?} has no values; it needs at least one",
                    slot_type.name
                ),
            );
        }
        for (value_at, value) in slot_type.values.iter().enumerate() {
            if value.name.value.trim().is_empty() {
                push(
                    &mut findings,
                    &format!("{place}.values[{value_at}].name.value"),
                    "must not be empty".to_owned(),
                );
            }
        }
    }
    let mut names = BTreeSet::new();
    for (at, intent) in model.intents.iter().enumerate() {
        let place = format!("{ROOT}.intents[{at}]");
        if intent.name.is_empty() {
            push(
                &mut findings,
                &format!("{place}.name"),
                "must not be empty".to_owned(),
            );
        } else if !names.insert(intent.name.as_str()) {
            push(
                &mut findings,
                &place,
                format!("the intent {:?} is there twice", intent.name),
            );
        }
        check_intent(intent, &place, &types, &mut findings);
    }
    if !model
        .intents
        .iter()
        .any(|intent| !intent.name.starts_with("AMAZON."))
    {
        push(
            &mut findings,
            &format!("{ROOT}.intents"),
            "needs at least one intent of the skill's own".to_owned(),
        );
    }
    findings
}

fn check_invocation_name(name: &str, findings: &mut Vec<Finding>) {
    let place = format!("{ROOT}.invocationName");
    let length = name.chars().count();
    if !(2..=50).contains(&length) {
        push(
            findings,
            &place,
            format!("has {length} characters; 2 to 50 are allowed"),
        );
    }
    if let Some(wrong) = name
        .chars()
        .find(|c| (!c.is_alphabetic() || c.is_uppercase()) && !matches!(c, ' ' | '\'' | '.'))
    {
        push(
            findings,
            &place,
            format!(
                "holds {wrong:?}; only lower-case letters, spaces, apostrophes and periods are allowed"
            ),
        );
    }
}

fn check_intent(intent: &Intent, place: &str, types: &BTreeSet<&str>, findings: &mut Vec<Finding>) {
    let mut slots = BTreeSet::new();
    for (at, slot) in intent.slots.iter().enumerate() {
        let slot_place = format!("{place}.slots[{at}]");
        if !slots.insert(slot.name.as_str()) {
            push(
                findings,
                &slot_place,
                format!("the slot {:?} is there twice", slot.name),
            );
        }
        if !slot.slot_type.starts_with("AMAZON.") && !types.contains(slot.slot_type.as_str()) {
            push(
                findings,
                &format!("{slot_place}.type"),
                format!(
                    "{:?} is no type of this model; add it under {ROOT}.types, or take a type AMAZON.…",
                    slot.slot_type
                ),
            );
        }
    }
    if !intent.name.starts_with("AMAZON.") && intent.samples.is_empty() {
        push(
            findings,
            &format!("{place}.samples"),
            format!(
                "the intent {:?} has no samples, so nobody can say it",
                intent.name
            ),
        );
    }
    for (at, sample) in intent.samples.iter().enumerate() {
        let sample_place = format!("{place}.samples[{at}]");
        let parts = match pieces(sample) {
            Ok(parts) => parts,
            Err(message) => {
                push(findings, &sample_place, message);
                continue;
            }
        };
        if parts.is_empty() {
            push(findings, &sample_place, "must not be empty".to_owned());
        }
        for part in parts {
            if let Piece::Slot(name) = part
                && !slots.contains(name)
            {
                push(
                    findings,
                    &sample_place,
                    format!(
                        "{{{name}}} is no slot of {:?}; declare it under {place}.slots",
                        intent.name
                    ),
                );
            }
        }
    }
}

fn push(findings: &mut Vec<Finding>, place: &str, message: String) {
    findings.push(Finding {
        place: place.to_owned(),
        message,
    });
}
