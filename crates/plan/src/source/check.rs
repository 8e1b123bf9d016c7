//! What must hold beyond the shape.

use std::collections::BTreeMap;

use skillcall_protocol::ids::{LwaClientId, SkillId};

use super::COMMUNICATION_PROVIDER_ID;
use super::caller::{self, CheckedCallers};
use super::destination::{self, CheckedDestination};
use super::finding::Findings;
use super::flow::{self, CheckedFlow};
use super::hours::{self, CheckedHours};
use super::locale::{self, CheckedLocale};
use super::rules::{self, CheckedIntent, CheckedRule};
use super::shape::Source;

/// A plan that can be compiled, if nothing was found wrong.
pub(super) struct Checked<'s> {
    pub(super) skill_id: &'s str,
    pub(super) lwa_client_id: Option<&'s str>,
    pub(super) communication_provider_id: &'s str,
    pub(super) calls_per_hour: Option<u16>,
    pub(super) callers: CheckedCallers<'s>,
    pub(super) rules: Vec<CheckedRule<'s>>,
    pub(super) intents: Vec<CheckedIntent<'s>>,
    pub(super) hours: Vec<CheckedHours>,
    pub(super) destinations: Vec<CheckedDestination<'s>>,
    pub(super) flows: Vec<CheckedFlow>,
    pub(super) locales: Vec<CheckedLocale>,
}

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
    let callers = caller::check(source, findings);
    let destinations = destination::check(source, &locales, &callers, findings);
    Checked {
        skill_id: skill.id.get_ref(),
        lwa_client_id: skill.lwa_client_id.as_ref().map(|id| id.get_ref().as_str()),
        communication_provider_id: provider.map_or(COMMUNICATION_PROVIDER_ID, |id| id.get_ref()),
        calls_per_hour: rules::calls_per_hour(source, findings),
        callers,
        rules: rules::rules(source, findings),
        intents: rules::intents(source, findings),
        hours: hours::check(source, findings),
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
        flows.extend(flow::check(written, source, locales, findings));
    }
    flows
}
