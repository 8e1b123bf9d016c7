//! Writing the compiled form.

use serde::Serialize;

use super::check::Checked;
use super::finding::Findings;
use crate::compiled::{
    ActionTemplate, Destination, FORMAT, Flow, FlowEntry, LocaleEntry, Localised, MAGIC,
    NamesBuilder, Plan, Step,
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
            number: destination.number,
            caller: destination.caller.clone(),
            announce: localised(&destination.announce),
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
    let plan = Plan {
        skill_id: checked.skill_id,
        lwa_client_id: checked.lwa_client_id,
        communication_provider_id: checked.communication_provider_id,
        default_locale: locales.first().map_or("en-US", |(tag, _)| tag),
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
    };
    let mut all = MAGIC.to_vec();
    all.push(FORMAT);
    all.extend(encode(&plan)?);
    Ok(all)
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
