//! What must hold beyond the shape: ids, numbers, names that lead to one destination only.

use std::collections::BTreeMap;

use skillcall_protocol::e164::E164;
use skillcall_protocol::ids::{LwaClientId, SkillId};
use toml::Spanned;

use super::COMMUNICATION_PROVIDER_ID;
use super::finding::Findings;
use super::flow::{self, CheckedFlow};
use super::locale::{self, CheckedLocale};
use super::shape::{Destination, Source};
use crate::compiled::CallerSource;
use crate::name::{is_locale, language, normalise};
use crate::template::{self, Piece};

/// A plan that can be compiled, if nothing was found wrong.
pub(super) struct Checked<'s> {
    pub(super) skill_id: &'s str,
    pub(super) lwa_client_id: Option<&'s str>,
    pub(super) communication_provider_id: &'s str,
    pub(super) destinations: Vec<CheckedDestination<'s>>,
    pub(super) flows: Vec<CheckedFlow>,
    pub(super) locales: Vec<CheckedLocale>,
}

/// A destination, ready to be compiled.
pub(super) struct CheckedDestination<'s> {
    pub(super) id: String,
    pub(super) name: &'s str,
    pub(super) names: Vec<String>,
    pub(super) number: &'s str,
    pub(super) caller: Vec<CallerSource>,
    pub(super) announce: Vec<(String, Vec<Piece>)>,
}

/// The most destinations that a plan has: an entry of the index holds no more.
const MAX_DESTINATIONS: usize = 10_000;
/// The longest name, in characters: Alexa's slot values are no longer.
const MAX_NAME_CHARS: usize = 140;

pub(super) fn check<'s>(source: &'s Source, findings: &mut Findings<'_>) -> Checked<'s> {
    let skill = &source.skill;
    if let Err(error) = SkillId::parse(skill.id.get_ref().as_str()) {
        findings.error(&skill.id.span(), "skill.id", error.to_string());
    }
    if let Some(id) = &skill.lwa_client_id
        && let Err(error) = LwaClientId::parse(id.get_ref().as_str())
    {
        findings.error(&id.span(), "skill.lwa-client-id", error.to_string());
    }
    let provider = skill.communication_provider_id.as_ref();
    if let Some(id) = provider
        && !(1..=128).contains(&id.get_ref().chars().count())
    {
        findings.error(
            &id.span(),
            "skill.communication-provider-id",
            "expected 1 to 128 characters",
        );
    }
    let locales = locale::check(source, findings);
    let flows = flows(source, &locales, findings);
    let destinations = destinations(source, &locales, findings);
    Checked {
        skill_id: skill.id.get_ref(),
        lwa_client_id: skill.lwa_client_id.as_ref().map(|id| id.get_ref().as_str()),
        communication_provider_id: provider.map_or(COMMUNICATION_PROVIDER_ID, |id| id.get_ref()),
        destinations,
        flows,
        locales,
    }
}

fn flows(
    source: &Source,
    locales: &[CheckedLocale],
    findings: &mut Findings<'_>,
) -> Vec<CheckedFlow> {
    let mut seen: BTreeMap<&str, ()> = BTreeMap::new();
    let mut flows = Vec::new();
    for written in &source.flow {
        let number = written.number.get_ref();
        if seen.insert(number, ()).is_some() {
            findings.error(
                &written.number.span(),
                "flow.number",
                format!("{number:?} has a flow already; expected one flow a number"),
            );
        }
        flows.extend(flow::check(written, locales, findings));
    }
    flows
}

fn destinations<'s>(
    source: &'s Source,
    locales: &[CheckedLocale],
    findings: &mut Findings<'_>,
) -> Vec<CheckedDestination<'s>> {
    let mut ids: BTreeMap<String, &str> = BTreeMap::new();
    let mut names: BTreeMap<String, &str> = BTreeMap::new();
    let mut checked = Vec::new();
    if source.destination.is_empty() {
        findings.warning(&source.skill.id.span(), "destination", "there is none, so the skill can call nobody; expected [[destination]] with name and number");
    }
    if source.destination.len() > MAX_DESTINATIONS {
        findings.error(
            &source.skill.id.span(),
            "destination",
            format!(
                "there are {}; expected at most {MAX_DESTINATIONS}",
                source.destination.len()
            ),
        );
        return checked;
    }
    for destination in &source.destination {
        let place = format!("destination[{:?}]", destination.name.get_ref());
        let id = match &destination.id {
            Some(id) => id.get_ref().clone(),
            None => normalise(destination.name.get_ref()).replace(' ', "-"),
        };
        let id_span = destination.id.as_ref().unwrap_or(&destination.name).span();
        if id.is_empty() || id.chars().count() > MAX_NAME_CHARS || id.chars().any(char::is_control)
        {
            findings.error(
                &id_span,
                format!("{place}.id"),
                format!("expected 1 to {MAX_NAME_CHARS} characters, none a control"),
            );
        }
        if let Some(other) = ids.insert(id.clone(), destination.name.get_ref()) {
            findings.error(
                &id_span,
                format!("{place}.id"),
                format!("{id:?} is the id of {other:?} already; expected an id of its own"),
            );
        }
        let mut own_names = Vec::new();
        for name in std::iter::once(&destination.name).chain(&destination.synonyms) {
            check_name(
                name,
                destination,
                &place,
                &mut names,
                &mut own_names,
                findings,
            );
        }
        if let Err(error) = E164::parse(destination.number.get_ref()) {
            findings.error(
                &destination.number.span(),
                format!("{place}.number"),
                error.to_string(),
            );
        } else if !source
            .flow
            .iter()
            .any(|flow| flow.number.get_ref() == destination.number.get_ref())
        {
            findings.warning(&destination.number.span(), format!("{place}.number"), "no [[flow]] here answers this number; right only if the sidecar has another handler for it");
        }
        checked.push(CheckedDestination {
            id,
            name: destination.name.get_ref(),
            names: own_names,
            number: destination.number.get_ref(),
            caller: caller(destination, &place, findings),
            announce: announce(destination, &place, locales, findings),
        });
    }
    checked
}

fn check_name<'s>(
    name: &Spanned<String>,
    destination: &'s Destination,
    place: &str,
    names: &mut BTreeMap<String, &'s str>,
    own: &mut Vec<String>,
    findings: &mut Findings<'_>,
) {
    let normal = normalise(name.get_ref());
    if normal.is_empty() || name.get_ref().chars().count() > MAX_NAME_CHARS {
        findings.error(&name.span(), place, format!("found the name {:?}; expected 1 to {MAX_NAME_CHARS} characters, a letter or digit among them", name.get_ref()));
    } else if own.contains(&normal) {
        findings.warning(
            &name.span(),
            place,
            format!(
                "{:?} sounds like another name of the same destination",
                name.get_ref()
            ),
        );
    } else if let Some(other) = names.insert(normal.clone(), destination.name.get_ref()) {
        findings.error(
            &name.span(),
            place,
            format!(
                "{:?} leads to {other:?} already; expected names that lead to one destination only",
                name.get_ref()
            ),
        );
    } else {
        own.push(normal);
    }
}

fn caller(
    destination: &Destination,
    place: &str,
    findings: &mut Findings<'_>,
) -> Vec<CallerSource> {
    let Some(written) = &destination.caller else {
        return vec![CallerSource::Profile];
    };
    if written.is_empty() {
        findings.error(
            &destination.name.span(),
            format!("{place}.caller"),
            "is empty, but a call needs the caller's number; expected [\"profile\"]",
        );
    }
    let mut sources = Vec::new();
    for source in written {
        match source.get_ref().as_str() {
            "profile" => sources.push(CallerSource::Profile),
            other => findings.error(
                &source.span(),
                format!("{place}.caller"),
                format!("found {other:?}; expected \"profile\""),
            ),
        }
    }
    sources
}

fn announce(
    destination: &Destination,
    place: &str,
    locales: &[CheckedLocale],
    findings: &mut Findings<'_>,
) -> Vec<(String, Vec<Piece>)> {
    let Some(written) = &destination.announce else {
        return Vec::new();
    };
    let (span, place) = (written.span(), format!("{place}.announce"));
    let expected = "expected a text, or a table with a text for each locale, as { en-US = \"…\" }";
    let texts: Vec<(&str, &toml::Value)> = match written.get_ref() {
        text @ toml::Value::String(_) => locales
            .iter()
            .map(|locale| (locale.tag.as_str(), text))
            .collect(),
        toml::Value::Table(each) => each
            .iter()
            .map(|(tag, text)| (tag.as_str(), text))
            .collect(),
        other => {
            findings.error(
                &span,
                &place,
                format!("found {}; {expected}", other.type_str()),
            );
            return Vec::new();
        }
    };
    let mut announce = Vec::new();
    for (tag, text) in texts {
        if !is_locale(tag) {
            findings.error(
                &findings.key_within(&span, tag),
                &place,
                format!("found {tag:?}; expected locales, as {{ en-US = \"…\" }}"),
            );
            continue;
        }
        if locale::serving(locales, tag).is_none_or(|l| language(&l.tag) != language(tag)) {
            findings.warning(
                &findings.key_within(&span, tag),
                &place,
                format!("there is no [locale.{tag}], so the skill never speaks it"),
            );
        }
        match text.as_str().map(template::parse) {
            // Facts A3: the skill must announce the call in speech.
            Some(Ok(pieces)) if pieces.is_empty() => {
                findings.error(&span, &place, "is empty, but the call must be announced; expected a text, or no `announce` for the built-in one");
            }
            Some(Ok(pieces)) => announce.push((tag.to_owned(), pieces)),
            Some(Err(error)) => findings.error(&span, &place, error.to_string()),
            None => findings.error(
                &span,
                &place,
                format!("found {}; {expected}", text.type_str()),
            ),
        }
    }
    announce
}
