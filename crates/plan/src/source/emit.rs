//! Writing the compiled form.

use serde::Serialize;

use super::caller::{CheckedCaller, CheckedCallers};
use super::check::Checked;
use super::destination::CheckedAddress;
use super::finding::Findings;
use crate::compiled::{
    AccountLink, ActionTemplate, Address, ByHours, CallIntent, Callers, Destination, FORMAT,
    FixedCaller, Flow, FlowEntry, HandOver, Hours, LocaleEntry, Localised, MAGIC, NamesBuilder,
    Plan, Rule, Step,
};
use crate::name::normalise;
use crate::template::{Part, Piece, Template};

/// The largest value that the component's settings carry.
const MAX_BYTES: usize = 1024 * 1024;

pub(super) fn emit(checked: &Checked<'_>, findings: &mut Findings<'_>) -> Option<Vec<u8>> {
    match bytes(checked) {
        Ok(bytes) if bytes.len() <= MAX_BYTES => Some(bytes),
        Ok(bytes) => {
            findings.error(
                &(0..0),
                "",
                format!(
                    "the compiled plan has {} bytes; expected at most {MAX_BYTES}",
                    bytes.len()
                ),
            );
            None
        }
        Err(error) => {
            findings.error(&(0..0), "", format!("the plan can not be encoded: {error}"));
            None
        }
    }
}

fn bytes(checked: &Checked<'_>) -> Result<Vec<u8>, postcard::Error> {
    let (mut names, mut ids) = (NamesBuilder::default(), NamesBuilder::default());
    let mut destinations = Vec::new();
    for (destination, place) in checked.destinations.iter().zip(0u16..) {
        for name in &destination.names {
            names.add(name.clone(), place);
        }
        names.add(normalise(destination.name), place);
        ids.add(destination.id.clone(), place);
        destinations.push(encode(&Destination {
            id: &destination.id,
            name: destination.name,
            address: match destination.address {
                CheckedAddress::Number(number) => Address::Number(number),
                CheckedAddress::Extension(extension) => Address::Extension(extension),
                CheckedAddress::Profile(profile) => Address::Profile(profile),
            },
            provider: destination.provider,
            caller: destination.caller.clone(),
            announce: localised(&destination.announce),
            spoken: destination
                .spoken
                .iter()
                .map(|(tag, name)| (tag.as_str(), name.as_str()))
                .collect(),
            confirm: destination.confirm,
            hours: destination.hours,
            fallback: destination.fallback,
        })?);
    }
    let mut flows = Vec::new();
    for flow in &checked.flows {
        let steps = flow
            .steps
            .iter()
            .map(|step| Step {
                name: &step.name,
                actions: step
                    .actions
                    .iter()
                    .map(|action| ActionTemplate {
                        action_type: &action.action_type,
                        json: localised(&action.json),
                    })
                    .collect(),
                then: step.then,
                on_digits: step
                    .on_digits
                    .iter()
                    .map(|(digits, next)| (digits.as_str(), *next))
                    .collect(),
                on_other_digits: step.on_other_digits,
                on_failure: step.on_failure,
                on_hangup: step.on_hangup,
                by_hours: step.by_hours.map(|(hours, open, closed)| ByHours {
                    hours,
                    open,
                    closed,
                }),
                hand_over: step.hand_over.as_ref().map(|(url, signed)| HandOver {
                    url,
                    require_signed_replies: *signed,
                }),
                attempt: step.attempt,
            })
            .collect();
        flows.push((
            flow.number.as_str(),
            encode(&Flow {
                number: &flow.number,
                start: flow.start,
                steps,
            })?,
        ));
    }
    let mut locales = Vec::new();
    for locale in &checked.locales {
        let texts = locale
            .texts
            .iter()
            .map(|text| encode(&template(text)))
            .collect::<Result<Vec<_>, _>>()?;
        let texts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
        locales.push((locale.tag.as_str(), encode(&texts)?));
    }
    let hours = checked
        .hours
        .iter()
        .map(|hours| {
            encode(&Hours {
                name: &hours.name,
                zone: &hours.zone,
                tzif: hours.tzif,
                week: hours.week.clone(),
                special: hours.special.clone(),
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let (callers, rules, intents) = (
        callers(&checked.callers)?,
        encode(&rules(checked))?,
        encode(&intents(checked))?,
    );
    let plan = Plan {
        skill_id: checked.skill_id,
        lwa_client_id: checked.lwa_client_id,
        communication_provider_id: checked.communication_provider_id,
        default_locale: locales.first().map_or("en-US", |(tag, _)| tag),
        calls_per_hour: checked.calls_per_hour,
        names: names.finish(),
        ids: ids.finish(),
        destinations: destinations.iter().map(Vec::as_slice).collect(),
        flows: flows
            .iter()
            .map(|(number, bytes)| FlowEntry { number, bytes })
            .collect(),
        locales: locales
            .iter()
            .map(|(tag, bytes)| LocaleEntry { tag, bytes })
            .collect(),
        hours: hours.iter().map(Vec::as_slice).collect(),
        callers: &callers,
        rules: &rules,
        intents: &intents,
    };
    let mut all = MAGIC.to_vec();
    all.push(FORMAT);
    all.extend(encode(&plan)?);
    Ok(all)
}

fn callers(checked: &CheckedCallers<'_>) -> Result<Vec<u8>, postcard::Error> {
    fn fixed<'c>(caller: &CheckedCaller<'c>) -> FixedCaller<'c> {
        match caller {
            CheckedCaller::Number(number) => FixedCaller::Number(number),
            CheckedCaller::Profile(id, provider) => FixedCaller::Profile(id, provider),
        }
    }
    let mut places = NamesBuilder::default();
    for ((key, _), place) in checked.places.iter().zip(0u16..) {
        places.add(key.clone(), place);
    }
    encode(&Callers {
        account_link: checked
            .account_link
            .map(|(userinfo, pointer)| AccountLink { userinfo, pointer }),
        places: places.finish(),
        fixed: checked
            .places
            .iter()
            .map(|(_, caller)| fixed(caller))
            .collect(),
        everywhere: checked.everywhere.as_ref().map(fixed),
    })
}

fn rules<'c>(checked: &'c Checked<'_>) -> Vec<Rule<'c>> {
    checked
        .rules
        .iter()
        .map(|rule| Rule {
            users: rule.users.clone(),
            persons: rule.persons.clone(),
            devices: rule.devices.clone(),
            units: rule.units.clone(),
            destinations: rule.destinations.clone(),
            allow: rule.allow,
        })
        .collect()
}

fn intents<'c>(checked: &'c Checked<'_>) -> Vec<CallIntent<'c>> {
    checked
        .intents
        .iter()
        .map(|intent| CallIntent {
            name: intent.name,
            slot: intent.slot,
            destination: intent.destination,
        })
        .collect()
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_allocvec(value)
}

fn localised(texts: &[(String, Vec<Piece>)]) -> Vec<Localised<'_>> {
    texts
        .iter()
        .map(|(locale, pieces)| Localised {
            locale,
            template: template(pieces),
        })
        .collect()
}

fn template(pieces: &[Piece]) -> Template<'_> {
    let parts = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Literal(text) => Part::Literal(text),
            Piece::Variable(variable) => Part::Variable(*variable),
        })
        .collect();
    Template { parts }
}
