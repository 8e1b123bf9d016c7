//! Permission rules, intents and limits, as the plan writes them.

use toml::Spanned;

use super::destination;
use super::finding::Findings;
use super::shape::Source;

/// A rule, ready to be compiled.
pub(super) struct CheckedRule<'s> {
    pub(super) users: Vec<&'s str>,
    pub(super) persons: Vec<&'s str>,
    pub(super) devices: Vec<&'s str>,
    pub(super) units: Vec<&'s str>,
    pub(super) destinations: Option<Vec<u16>>,
    pub(super) allow: bool,
}

/// An intent, ready to be compiled.
pub(super) struct CheckedIntent<'s> {
    pub(super) name: &'s str,
    pub(super) slot: &'s str,
    pub(super) destination: Option<u16>,
}

/// The most calls that a customer's record can hold.
const MAX_CALLS: i64 = 1000;

pub(super) fn rules<'s>(source: &'s Source, findings: &mut Findings<'_>) -> Vec<CheckedRule<'s>> {
    fn list(ids: &[Spanned<String>]) -> Vec<&str> {
        ids.iter().map(|id| id.get_ref().as_str()).collect()
    }
    source
        .permission
        .iter()
        .map(|rule| CheckedRule {
            users: list(&rule.users),
            persons: list(&rule.persons),
            devices: list(&rule.devices),
            units: list(&rule.units),
            destinations: rule.call.as_ref().map(|names| {
                names
                    .iter()
                    .filter_map(|name| destination::find(name, source, "permission.call", findings))
                    .collect()
            }),
            allow: rule.allow,
        })
        .collect()
}

pub(super) fn intents<'s>(
    source: &'s Source,
    findings: &mut Findings<'_>,
) -> Vec<CheckedIntent<'s>> {
    let mut checked: Vec<CheckedIntent<'s>> = Vec::new();
    for intent in &source.intent {
        let name = intent.name.get_ref();
        if name.is_empty() || name.starts_with("AMAZON.") {
            findings.error(
                &intent.name.span(),
                "intent.name",
                format!("found {name:?}; expected an intent of the interaction model's own, as \"CallIntent\""),
            );
        }
        if checked.iter().any(|known| known.name == name) {
            findings.error(
                &intent.name.span(),
                "intent.name",
                format!("{name:?} is there twice"),
            );
        }
        checked.push(CheckedIntent {
            name,
            slot: intent
                .slot
                .as_ref()
                .map_or("destination", |slot| slot.get_ref()),
            destination: intent
                .destination
                .as_ref()
                .and_then(|name| destination::find(name, source, "intent.destination", findings)),
        });
    }
    checked
}

pub(super) fn calls_per_hour(source: &Source, findings: &mut Findings<'_>) -> Option<u16> {
    let calls = source.limits.as_ref()?.calls_per_hour.as_ref()?;
    match u16::try_from(*calls.get_ref()) {
        Ok(found) if (1..=MAX_CALLS).contains(calls.get_ref()) => Some(found),
        _ => {
            findings.error(
                &calls.span(),
                "limits.calls-per-hour",
                format!("found {}; expected 1 to {MAX_CALLS}", calls.get_ref()),
            );
            None
        }
    }
}
