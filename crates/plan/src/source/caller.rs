//! Where callers' numbers come from, as the plan writes it.

use std::collections::BTreeMap;

use toml::Spanned;

use super::finding::Findings;
use super::number;
use super::shape::{Caller, FixedCaller, Source};
use crate::compiled::{CallerSource, Place};

/// The `communicationProviderId` of a PBX's calls (facts D5).
pub(super) const PBX_PROVIDER: &str = "amzn1.comms.csp.id.c0e1cd84-a846-11ed-afa1-0242ac120002";

/// A caller whom the plan knows, ready to be compiled.
pub(super) enum CheckedCaller<'s> {
    Number(&'s str),
    Profile(&'s str, &'s str),
}

/// Where callers' numbers come from, ready to be compiled.
#[derive(Default)]
pub(super) struct CheckedCallers<'s> {
    pub(super) order: Vec<CallerSource>,
    pub(super) account_link: Option<(&'s str, &'s str)>,
    pub(super) places: Vec<(String, CheckedCaller<'s>)>,
    pub(super) everywhere: Option<CheckedCaller<'s>>,
}

pub(super) fn check<'s>(source: &'s Source, findings: &mut Findings<'_>) -> CheckedCallers<'s> {
    let Some(caller) = &source.caller else {
        return CheckedCallers {
            order: vec![CallerSource::Profile],
            ..CheckedCallers::default()
        };
    };
    let mut checked = CheckedCallers {
        order: match &caller.order {
            Some(order) => sources(order, "caller.order", caller, findings),
            None => vec![CallerSource::Profile],
        },
        ..CheckedCallers::default()
    };
    if let Some(link) = &caller.account_link {
        if !is_endpoint(link.userinfo.get_ref()) {
            findings.error(
                &link.userinfo.span(),
                "caller.account-link.userinfo",
                "expected an https URL, as \"https://id.example.com/userinfo\": the customer's token goes there",
            );
        }
        let pointer = link.number.get_ref();
        if !pointer.starts_with('/') {
            findings.error(
                &link.number.span(),
                "caller.account-link.number",
                format!(
                    "found {pointer:?}; expected a JSON pointer (RFC 6901), as \"/phone_number\""
                ),
            );
        }
        checked.account_link = Some((link.userinfo.get_ref(), pointer));
    }
    let mut seen = BTreeMap::new();
    for fixed in &caller.fixed {
        let places: Vec<(&Spanned<String>, String)> = [
            fixed
                .device
                .as_ref()
                .map(|id| (id, Place::Device(id.get_ref()).key())),
            fixed
                .unit
                .as_ref()
                .map(|id| (id, Place::Unit(id.get_ref()).key())),
            fixed
                .persistent_unit
                .as_ref()
                .map(|id| (id, Place::PersistentUnit(id.get_ref()).key())),
        ]
        .into_iter()
        .flatten()
        .collect();
        let Some(who) = who(fixed, "caller.fixed", findings) else {
            continue;
        };
        match places.as_slice() {
            [] => {
                if checked.everywhere.replace(who).is_some() {
                    findings.error(
                        &span(fixed),
                        "caller.fixed",
                        "names no place, and another entry does not either; expected one such entry",
                    );
                }
            }
            [(id, key)] => {
                if seen.insert(key.clone(), ()).is_some() {
                    findings.error(
                        &id.span(),
                        "caller.fixed",
                        "is there twice; expected one entry for each place",
                    );
                }
                checked.places.push((key.clone(), who));
            }
            [_, (id, _), ..] => findings.error(
                &id.span(),
                "caller.fixed",
                "names more than one place; expected one of device, unit and persistent-unit",
            ),
        }
    }
    checked
}

fn span(fixed: &FixedCaller) -> std::ops::Range<usize> {
    fixed
        .number
        .as_ref()
        .or(fixed.communication_profile.as_ref())
        .map_or(0..0, |value| value.span())
}

fn who<'s>(
    fixed: &'s FixedCaller,
    place: &str,
    findings: &mut Findings<'_>,
) -> Option<CheckedCaller<'s>> {
    match (&fixed.number, &fixed.communication_profile) {
        (Some(found), None) => {
            number::check(found, &format!("{place}.number"), findings);
            Some(CheckedCaller::Number(found.get_ref()))
        }
        (None, Some(profile)) => {
            if !(1..=128).contains(&profile.get_ref().chars().count()) {
                findings.error(
                    &profile.span(),
                    format!("{place}.communication-profile"),
                    "expected 1 to 128 characters",
                );
            }
            let provider = fixed
                .provider
                .as_ref()
                .map_or(PBX_PROVIDER, |p| p.get_ref());
            Some(CheckedCaller::Profile(profile.get_ref(), provider))
        }
        _ => {
            let at = fixed
                .device
                .as_ref()
                .or(fixed.unit.as_ref())
                .or(fixed.persistent_unit.as_ref())
                .map_or(0..0, |id| id.span());
            findings.error(
                &at,
                place,
                "expected either number or communication-profile",
            );
            None
        }
    }
}

/// A list of sources. Each must have what it needs.
pub(super) fn sources(
    written: &[Spanned<String>],
    place: &str,
    caller: &Caller,
    findings: &mut Findings<'_>,
) -> Vec<CallerSource> {
    let mut sources = Vec::new();
    for source in written {
        let found = CallerSource::ALL
            .into_iter()
            .find(|known| known.name() == source.get_ref());
        let Some(found) = found else {
            let known: Vec<String> = CallerSource::ALL
                .iter()
                .map(|s| format!("{:?}", s.name()))
                .collect();
            findings.error(
                &source.span(),
                place,
                format!(
                    "found {:?}; expected {}",
                    source.get_ref(),
                    known.join(", ")
                ),
            );
            continue;
        };
        let missing = match found {
            CallerSource::AccountLink if caller.account_link.is_none() => {
                Some("[caller.account-link]")
            }
            CallerSource::Fixed if caller.fixed.is_empty() => Some("[[caller.fixed]]"),
            _ => None,
        };
        if let Some(missing) = missing {
            findings.error(
                &source.span(),
                place,
                format!("{:?} needs {missing}, which is not there", source.get_ref()),
            );
        }
        sources.push(found);
    }
    sources
}

/// An https URL, or http on loopback, without user or fragment.
pub(super) fn is_endpoint(url: &str) -> bool {
    let (rest, local) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (rest, false),
        (None, Some(rest)) => (rest, true),
        (None, None) => return false,
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host);
    !host.is_empty()
        && !authority.contains('@')
        && !url.contains('#')
        && url.bytes().all(|b| b.is_ascii_graphic())
        && (!local || matches!(host, "127.0.0.1" | "localhost" | "[::1]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_go_over_https_or_stay_on_the_machine() {
        for right in [
            "https://id.example.com/userinfo",
            "https://a:8443/x?y=z",
            "http://127.0.0.1:7090/x",
            "http://localhost/",
        ] {
            assert!(is_endpoint(right), "{right}");
        }
        for wrong in [
            "http://id.example.com/",
            "ftp://a/",
            "https://",
            "https://u@a/",
            "https://a/#b",
            "https://a b/",
            "a/b",
        ] {
            assert!(!is_endpoint(wrong), "{wrong}");
        }
    }
}
