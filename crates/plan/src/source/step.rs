//! A step: names become places, and what it does becomes what is sent.

use std::collections::BTreeMap;
use std::ops::Range;

use skillcall_protocol::sma::action::MAX_ACTIONS;
use toml::Spanned;

use super::action::{self, CheckedAction, Surroundings};
use super::caller::is_endpoint;
use super::destination;
use super::finding::Findings;
use super::flow::{COLLECTS_DIGITS, CheckedStep, GOES_ON, REPORTED_ALONE, RESERVED};
use super::kinds::{self, Plain};
use super::locale::CheckedLocale;
use super::shape::Source;
use crate::compiled::Next;

/// A handler's URL.
pub(super) fn check_url(url: &Spanned<String>, place: &str, findings: &mut Findings<'_>) {
    if !is_endpoint(url.get_ref()) {
        findings.error(
            &url.span(),
            place,
            format!(
                "found {:?}; expected an https URL, as \"https://calls.example.com/events\"",
                url.get_ref()
            ),
        );
    }
}

/// The names of a flow's steps.
pub(super) struct Resolver<'n> {
    pub(super) names: &'n BTreeMap<&'n str, u16>,
}

impl Resolver<'_> {
    pub(super) fn step(&self, wanted: &Spanned<String>) -> Result<Next, ()> {
        match wanted.get_ref().as_str() {
            "end" => Ok(Next::End),
            "stay" => Ok(Next::Stay),
            name => Ok(Next::Step(*self.names.get(name).ok_or(())?)),
        }
    }

    fn follow(
        &self,
        wanted: &Spanned<String>,
        place: String,
        findings: &mut Findings<'_>,
    ) -> Option<Next> {
        match self.step(wanted) {
            Ok(next) => Some(next),
            Err(()) => {
                findings.error(
                    &wanted.span(),
                    place,
                    no_step(wanted.get_ref(), self.names, true),
                );
                None
            }
        }
    }
}

pub(super) fn no_step(found: &str, names: &BTreeMap<&str, u16>, reserved: bool) -> String {
    let mut known: Vec<&str> = names
        .keys()
        .copied()
        .filter(|name| !name.contains(kinds::PART))
        .collect();
    if reserved {
        known.extend(RESERVED);
    }
    format!(
        "found {found:?}, which is no step of this flow; expected one of {}",
        known.join(", ")
    )
}

pub(super) fn check(
    plain: &Plain,
    place: &str,
    source: &Source,
    resolver: &mut Resolver<'_>,
    locales: &[CheckedLocale],
    findings: &mut Findings<'_>,
) -> Option<CheckedStep> {
    let (name, step) = (&plain.name, &plain.step);
    if step.when_open.is_some() || step.hand_over.is_some() {
        return without_actions(plain, place, source, resolver, findings);
    }
    let written = step.actions.as_deref().unwrap_or_default();
    if written.is_empty() || written.len() > MAX_ACTIONS {
        findings.error(
            &name.span(),
            place,
            format!("has {} actions; expected 1 to {MAX_ACTIONS}", written.len()),
        );
    }
    let mut on_digits = Vec::new();
    for (digits, wanted) in &step.on_digits {
        if digits.get_ref().is_empty()
            || !digits
                .get_ref()
                .chars()
                .all(|c| c.is_ascii_digit() || matches!(c, '*' | '#'))
        {
            findings.error(
                &digits.span(),
                format!("{place}.on-digits"),
                format!(
                    "found {:?}; expected keys of a telephone: 0 to 9, *, #",
                    digits.get_ref()
                ),
            );
        }
        if let Some(next) = resolver.follow(
            wanted,
            format!("{place}.on-digits.{}", digits.get_ref()),
            findings,
        ) {
            on_digits.push((digits.get_ref().clone(), next));
        }
    }
    let digits: Vec<&str> = step
        .on_digits
        .keys()
        .map(|digits| digits.get_ref().as_str())
        .collect();
    let mut actions = Vec::new();
    for (index, written) in written.iter().enumerate() {
        let around = Surroundings {
            place: place.to_owned(),
            index,
            digits: digits.clone(),
            locales,
        };
        actions.push(action::check(written, &around, findings));
    }
    let actions: Vec<CheckedAction> = actions.into_iter().collect::<Option<_>>()?;
    let last = actions.last()?;
    check_reports(&name.span(), place, &actions, !digits.is_empty(), findings);
    let mut follow = |wanted: &Option<Spanned<String>>, key: &str| {
        wanted
            .as_ref()
            .and_then(|wanted| resolver.follow(wanted, format!("{place}.{key}"), findings))
    };
    Some(CheckedStep {
        name: name.get_ref().clone(),
        then: follow(&step.then, "then").unwrap_or(
            if GOES_ON.contains(&last.action_type.as_str()) {
                Next::Stay
            } else {
                Next::End
            },
        ),
        on_digits,
        on_other_digits: follow(&step.on_other_digits, "on-other-digits"),
        on_failure: follow(&step.on_failure, "on-failure"),
        on_hangup: follow(&step.on_hangup, "on-hangup"),
        actions,
        by_hours: None,
        hand_over: None,
        attempt: plain.attempt,
    })
}

/// A step that decides by opening hours, or hands over.
fn without_actions(
    plain: &Plain,
    place: &str,
    source: &Source,
    resolver: &Resolver<'_>,
    findings: &mut Findings<'_>,
) -> Option<CheckedStep> {
    let (name, step) = (&plain.name, &plain.step);
    let beside: Vec<&str> = [
        ("then", step.then.is_some()),
        ("on-digits", !step.on_digits.is_empty()),
        ("on-other-digits", step.on_other_digits.is_some()),
        ("on-hangup", step.on_hangup.is_some()),
        (
            "on-failure",
            step.on_failure.is_some() && step.when_open.is_some(),
        ),
    ]
    .iter()
    .filter(|(_, there)| *there)
    .map(|(key, _)| *key)
    .collect();
    if !beside.is_empty() {
        findings.error(
            &name.span(),
            place,
            format!(
                "has {}, which nothing here leads to; expected it at another step",
                beside.join(" and ")
            ),
        );
    }
    if let Some(when) = &step.when_open {
        let when = when.get_ref();
        let hours = destination::hours(&when.hours, source, place, findings);
        let open = resolver.follow(&when.open, format!("{place}.when-open.open"), findings);
        let closed = resolver.follow(&when.closed, format!("{place}.when-open.closed"), findings);
        return Some(CheckedStep {
            then: open?,
            by_hours: Some((hours?, open?, closed?)),
            hand_over: None,
            ..CheckedStep::handler(name.get_ref(), "", true)
        });
    }
    let hand_over = step.hand_over.as_ref()?.get_ref();
    check_url(&hand_over.url, &format!("{place}.hand-over.url"), findings);
    let on_failure = step
        .on_failure
        .as_ref()
        .and_then(|wanted| resolver.follow(wanted, format!("{place}.on-failure"), findings));
    Some(CheckedStep {
        on_failure,
        ..CheckedStep::handler(
            name.get_ref(),
            hand_over.url.get_ref(),
            hand_over.require_signed_replies,
        )
    })
}

/// A step is done when its last action is reported done, so that report must not be taken for another's.
fn check_reports(
    span: &Range<usize>,
    place: &str,
    actions: &[CheckedAction],
    digits: bool,
    findings: &mut Findings<'_>,
) {
    let Some((last, before)) = actions.split_last() else {
        return;
    };
    if REPORTED_ALONE.contains(&last.action_type.as_str())
        && before.iter().any(|a| a.action_type == last.action_type)
    {
        findings.error(span, place, format!("has {} more than once, and their reports can not be told apart; expected a step for each, joined by `then`", last.action_type));
    }
    if digits && !COLLECTS_DIGITS.contains(&last.action_type.as_str()) {
        findings.error(
            span,
            format!("{place}.on-digits"),
            format!(
                "the step ends with {}; expected one of {} as its last action",
                last.action_type,
                COLLECTS_DIGITS.join(", ")
            ),
        );
    }
}
