//! Destinations: how they are reached, names that lead to them, who stands in while they are closed.

use std::collections::BTreeMap;

use toml::Spanned;

use super::caller::{self, CheckedCallers};
use super::finding::Findings;
use super::locale::CheckedLocale;
use super::number;
use super::shape::{Caller, Destination, Source};
use super::words::texts;
use crate::compiled::CallerSource;
use crate::name::normalise;
use crate::template::Piece;

/// How a destination is reached, ready to be compiled.
pub(super) enum CheckedAddress<'s> {
    Number(&'s str),
    Extension(&'s str),
    Profile(&'s str),
}

/// A destination, ready to be compiled.
pub(super) struct CheckedDestination<'s> {
    pub(super) id: String,
    pub(super) name: &'s str,
    pub(super) names: Vec<String>,
    pub(super) address: CheckedAddress<'s>,
    pub(super) provider: Option<&'s str>,
    pub(super) caller: Vec<CallerSource>,
    pub(super) announce: Vec<(String, Vec<Piece>)>,
    pub(super) spoken: Vec<(String, String)>,
    pub(super) confirm: bool,
    pub(super) hours: Option<u16>,
    pub(super) fallback: Option<u16>,
}

/// The most destinations that a plan has: an entry of the index holds no more.
const MAX_DESTINATIONS: usize = 10_000;
/// The longest name, in characters: Alexa's slot values are no longer.
const MAX_NAME_CHARS: usize = 140;

/// Whether a name is the destination's own or a synonym: only synonyms may be shared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Name,
    Synonym,
}

pub(super) fn check<'s>(
    source: &'s Source,
    locales: &[CheckedLocale],
    callers: &CheckedCallers<'s>,
    findings: &mut Findings<'_>,
) -> Vec<CheckedDestination<'s>> {
    let mut ids: BTreeMap<String, &str> = BTreeMap::new();
    let mut names: BTreeMap<String, (&str, Use)> = BTreeMap::new();
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
        let id = id_of(destination);
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
        let name = std::iter::once((&destination.name, Use::Name));
        let synonyms = destination.synonyms.iter().map(|s| (s, Use::Synonym));
        for (name, used) in name.chain(synonyms) {
            check_name(
                name,
                used,
                destination,
                &place,
                &mut names,
                &mut own_names,
                findings,
            );
        }
        let usual = Caller::default();
        let settings = source.caller.as_ref().unwrap_or(&usual);
        checked.push(CheckedDestination {
            id,
            name: destination.name.get_ref(),
            names: own_names,
            address: address(destination, source, &place, findings),
            provider: provider(destination, &place, findings),
            caller: match &destination.caller {
                None => callers.order.clone(),
                Some(written) => {
                    let place = format!("{place}.caller");
                    if written.is_empty() {
                        findings.error(&destination.name.span(), &place, "is empty, but a call needs the caller's number; expected [\"profile\"]");
                    }
                    caller::sources(written, &place, settings, findings)
                }
            },
            announce: texts(destination.announce.as_ref(), &format!("{place}.announce"), locales, findings),
            spoken: spoken(destination, &place, locales, findings),
            confirm: destination.confirm,
            hours: destination.hours.as_ref().and_then(|name| hours(name, source, &place, findings)),
            fallback: destination.fallback.as_ref().and_then(|name| find(name, source, &format!("{place}.fallback"), findings)),
        });
    }
    fallbacks(source, &checked, findings);
    checked
}

fn id_of(destination: &Destination) -> String {
    match &destination.id {
        Some(id) => id.get_ref().clone(),
        None => normalise(destination.name.get_ref()).replace(' ', "-"),
    }
}

/// The place of the destination that another part of the plan names by its name or id.
pub(super) fn find(
    wanted: &Spanned<String>,
    source: &Source,
    place: &str,
    findings: &mut Findings<'_>,
) -> Option<u16> {
    let text = wanted.get_ref();
    let found = source
        .destination
        .iter()
        .zip(0u16..)
        .find(|(destination, _)| destination.name.get_ref() == text || id_of(destination) == *text);
    if found.is_none() {
        let known: Vec<&str> = source
            .destination
            .iter()
            .map(|d| d.name.get_ref().as_str())
            .collect();
        findings.error(
            &wanted.span(),
            place,
            format!(
                "found {text:?}, which is no destination; expected one of {}",
                known.join(", ")
            ),
        );
    }
    found.map(|(_, place)| place)
}

/// The place of opening hours.
pub(super) fn hours(
    wanted: &Spanned<String>,
    source: &Source,
    place: &str,
    findings: &mut Findings<'_>,
) -> Option<u16> {
    let found = source
        .hours
        .keys()
        .zip(0u16..)
        .find(|(name, _)| name.get_ref() == wanted.get_ref());
    if found.is_none() {
        let known: Vec<&str> = source
            .hours
            .keys()
            .map(|name| name.get_ref().as_str())
            .collect();
        findings.error(
            &wanted.span(),
            format!("{place}.hours"),
            format!(
                "found {:?}, but there is no [hours.{}]; expected one of {}",
                wanted.get_ref(),
                wanted.get_ref(),
                known.join(", ")
            ),
        );
    }
    found.map(|(_, place)| place)
}

/// Who stands in for somebody that stands in for them would never be found.
fn fallbacks(source: &Source, checked: &[CheckedDestination<'_>], findings: &mut Findings<'_>) {
    for (index, destination) in checked.iter().enumerate() {
        let Some(written) = source
            .destination
            .get(index)
            .and_then(|d| d.fallback.as_ref())
        else {
            continue;
        };
        let place = format!("destination[{:?}].fallback", destination.name);
        if destination.hours.is_none() {
            findings.warning(
                &written.span(),
                &place,
                "there are no `hours`, so it is never used",
            );
        }
        let (mut at, mut steps) = (destination.fallback, 0);
        while let Some(next) = at {
            if usize::from(next) == index || steps > checked.len() {
                findings.error(
                    &written.span(),
                    &place,
                    "leads back to itself; expected a destination that ends the row",
                );
                break;
            }
            steps += 1;
            at = checked.get(usize::from(next)).and_then(|d| d.fallback);
        }
    }
}

fn address<'s>(
    destination: &'s Destination,
    source: &Source,
    place: &str,
    findings: &mut Findings<'_>,
) -> CheckedAddress<'s> {
    let limited = |value: &Spanned<String>, key: &str, findings: &mut Findings<'_>| {
        if !(1..=128).contains(&value.get_ref().chars().count()) {
            findings.error(
                &value.span(),
                format!("{place}.{key}"),
                "expected 1 to 128 characters",
            );
        }
    };
    match (
        &destination.number,
        &destination.extension,
        &destination.communication_profile,
    ) {
        (Some(found), None, None) => {
            let before = findings.count();
            number::check(found, &format!("{place}.number"), findings);
            let answered = source
                .flow
                .iter()
                .any(|flow| flow.number.get_ref() == found.get_ref());
            if !answered && findings.count() == before {
                findings.warning(&found.span(), format!("{place}.number"), "no [[flow]] here answers this number; right only if the sidecar has another handler for it");
            }
            CheckedAddress::Number(found.get_ref())
        }
        (None, Some(extension), None) => {
            limited(extension, "extension", findings);
            CheckedAddress::Extension(extension.get_ref())
        }
        (None, None, Some(profile)) => {
            limited(profile, "communication-profile", findings);
            CheckedAddress::Profile(profile.get_ref())
        }
        _ => {
            findings.error(
                &destination.name.span(),
                place,
                "expected exactly one of number, extension and communication-profile",
            );
            CheckedAddress::Number("")
        }
    }
}

fn provider<'s>(
    destination: &'s Destination,
    place: &str,
    findings: &mut Findings<'_>,
) -> Option<&'s str> {
    let provider = destination.provider.as_ref()?;
    if !(1..=128).contains(&provider.get_ref().chars().count()) {
        findings.error(
            &provider.span(),
            format!("{place}.provider"),
            "expected 1 to 128 characters",
        );
    }
    Some(provider.get_ref())
}

fn check_name<'s>(
    name: &Spanned<String>,
    used: Use,
    destination: &'s Destination,
    place: &str,
    names: &mut BTreeMap<String, (&'s str, Use)>,
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
    } else {
        match names.get(&normal) {
            // Both have it as a synonym: the customer is asked which one is meant.
            Some((_, Use::Synonym)) if used == Use::Synonym => own.push(normal),
            Some((other, _)) => findings.error(
                &name.span(),
                place,
                format!(
                    "{:?} leads to {other:?} already; expected names that lead to one destination only, or a synonym of both",
                    name.get_ref()
                ),
            ),
            None => {
                names.insert(normal.clone(), (destination.name.get_ref(), used));
                own.push(normal);
            }
        }
    }
}

fn spoken(
    destination: &Destination,
    place: &str,
    locales: &[CheckedLocale],
    findings: &mut Findings<'_>,
) -> Vec<(String, String)> {
    let place = format!("{place}.spoken");
    texts(destination.spoken.as_ref(), &place, locales, findings)
        .into_iter()
        .filter_map(|(tag, pieces)| match pieces.as_slice() {
            [Piece::Literal(text)] if !text.starts_with("<speak") => Some((tag, text.clone())),
            _ => {
                let span = destination
                    .spoken
                    .as_ref()
                    .map_or(0..0, |written| written.span());
                findings.error(&span, &place, "expected plain words without a variable");
                None
            }
        })
        .collect()
}
