//! The steps of a flow: names become places, and steps that only lead on are joined.

use std::collections::BTreeMap;
use std::ops::Range;

use skillcall_protocol::e164::E164;
use skillcall_protocol::sma::action::MAX_ACTIONS;
use toml::Spanned;

use super::action::{self, CheckedAction, Surroundings};
use super::finding::Findings;
use super::locale::CheckedLocale;
use super::shape::{Flow, Step};
use crate::compiled::Next;

/// A flow, ready to be compiled.
pub(super) struct CheckedFlow {
    pub(super) number: String,
    pub(super) start: u16,
    pub(super) steps: Vec<CheckedStep>,
}

/// A step, ready to be compiled.
#[derive(Clone)]
pub(super) struct CheckedStep {
    pub(super) name: String,
    pub(super) actions: Vec<CheckedAction>,
    pub(super) then: Next,
    pub(super) on_digits: Vec<(String, Next)>,
    pub(super) on_other_digits: Option<Next>,
    pub(super) on_failure: Option<Next>,
    pub(super) on_hangup: Option<Next>,
}

/// Names that are no step's.
const RESERVED: [&str; 2] = ["end", "stay"];
/// Facts F2: the success of these is reported by itself, even in the middle of a list.
const REPORTED_ALONE: [&str; 13] = [
    "CallAndBridge",
    "Hangup",
    "JoinChimeMeeting",
    "ModifyChimeMeetingAttendees",
    "PlayAudioAndGetDigits",
    "RecordAudio",
    "SpeakAndGetDigits",
    "StartBotConversation",
    "SendDigits",
    "StartCallRecording",
    "StopCallRecording",
    "PauseCallRecording",
    "ResumeCallRecording",
];
/// After these the call goes on by itself, so a step that ends with one stays when it says nothing else.
const GOES_ON: [&str; 5] = [
    "CallAndBridge",
    "JoinChimeMeeting",
    "StartBotConversation",
    "ReceiveDigits",
    "Hangup",
];
const COLLECTS_DIGITS: [&str; 3] = [
    "SpeakAndGetDigits",
    "PlayAudioAndGetDigits",
    "ReceiveDigits",
];

pub(super) fn check(
    flow: &Flow,
    locales: &[CheckedLocale],
    findings: &mut Findings<'_>,
) -> Option<CheckedFlow> {
    let place = format!("flow[{:?}]", flow.number.get_ref());
    if let Err(error) = E164::parse(flow.number.get_ref()) {
        findings.error(
            &flow.number.span(),
            format!("{place}.number"),
            error.to_string(),
        );
    }
    let names: BTreeMap<&str, u16> = flow
        .step
        .keys()
        .zip(0u16..)
        .map(|(name, index)| (name.get_ref().as_str(), index))
        .collect();
    let mut resolver = Resolver {
        names: &names,
        reached: vec![false; names.len()],
    };
    let start = match resolver.step(&flow.start) {
        Ok(Next::Step(start)) => Some(start),
        Ok(_) | Err(_) => {
            findings.error(
                &flow.start.span(),
                format!("{place}.start"),
                no_step(flow.start.get_ref(), &names, false),
            );
            None
        }
    };
    let mut steps: Vec<Option<CheckedStep>> = Vec::new();
    for (name, step) in &flow.step {
        let place = format!("{place}.step.{}", name.get_ref());
        if RESERVED.contains(&name.get_ref().as_str()) {
            findings.error(&name.span(), &place, "is the name of a step; `end` and `stay` have meanings of their own, expected another name");
        }
        steps.push(check_step(
            name,
            step,
            &place,
            &mut resolver,
            locales,
            findings,
        ));
    }
    for ((name, _), reached) in flow.step.iter().zip(&resolver.reached) {
        if !reached {
            findings.warning(
                &name.span(),
                format!("{place}.step.{}", name.get_ref()),
                "nothing leads to this step",
            );
        }
    }
    let steps: Vec<CheckedStep> = steps.into_iter().collect::<Option<_>>()?;
    let steps = inherit(steps);
    let joined = (0..steps.len())
        .filter_map(|index| join(&steps, index))
        .collect();
    Some(CheckedFlow {
        number: flow.number.get_ref().clone(),
        start: start?,
        steps: joined,
    })
}

struct Resolver<'n> {
    names: &'n BTreeMap<&'n str, u16>,
    reached: Vec<bool>,
}

impl Resolver<'_> {
    fn step(&mut self, wanted: &Spanned<String>) -> Result<Next, ()> {
        match wanted.get_ref().as_str() {
            "end" => Ok(Next::End),
            "stay" => Ok(Next::Stay),
            name => {
                let index = *self.names.get(name).ok_or(())?;
                if let Some(reached) = self.reached.get_mut(usize::from(index)) {
                    *reached = true;
                }
                Ok(Next::Step(index))
            }
        }
    }

    fn follow(
        &mut self,
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

fn no_step(found: &str, names: &BTreeMap<&str, u16>, reserved: bool) -> String {
    let mut known: Vec<&str> = names.keys().copied().collect();
    if reserved {
        known.extend(RESERVED);
    }
    format!(
        "found {found:?}, which is no step of this flow; expected one of {}",
        known.join(", ")
    )
}

fn check_step(
    name: &Spanned<String>,
    step: &Step,
    place: &str,
    resolver: &mut Resolver<'_>,
    locales: &[CheckedLocale],
    findings: &mut Findings<'_>,
) -> Option<CheckedStep> {
    if step.actions.is_empty() || step.actions.len() > MAX_ACTIONS {
        findings.error(
            &name.span(),
            place,
            format!(
                "has {} actions; expected 1 to {MAX_ACTIONS}",
                step.actions.len()
            ),
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
    for (index, written) in step.actions.iter().enumerate() {
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

/// Where a step names no step for a failure or a hang-up, the one that it leads to by `then` does.
fn inherit(steps: Vec<CheckedStep>) -> Vec<CheckedStep> {
    let found = |index: usize, of: fn(&CheckedStep) -> Option<Next>| {
        let mut at = index;
        for _ in 0..steps.len() {
            let step = steps.get(at)?;
            if let Some(next) = of(step) {
                return Some(next);
            }
            let Next::Step(then) = step.then else {
                return None;
            };
            at = usize::from(then);
        }
        None
    };
    let inherited: Vec<_> = (0..steps.len())
        .map(|n| (found(n, |s| s.on_failure), found(n, |s| s.on_hangup)))
        .collect();
    steps
        .iter()
        .zip(inherited)
        .map(|(step, (on_failure, on_hangup))| CheckedStep {
            on_failure,
            on_hangup,
            ..step.clone()
        })
        .collect()
}

/// The step with those joined to it that follow by `then` without a decision between them, as far as one reply
/// holds them. The joined step reports like its last one.
fn join(steps: &[CheckedStep], index: usize) -> Option<CheckedStep> {
    let first = steps.get(index)?;
    let mut joined = first.clone();
    while let Next::Step(next) = joined.then {
        let next = steps.get(usize::from(next))?;
        let decides = joined.actions.iter().any(|a| {
            REPORTED_ALONE.contains(&a.action_type.as_str()) || a.action_type == "ReceiveDigits"
        }) || !joined.on_digits.is_empty();
        if decides
            || next.name == first.name
            || joined.actions.len() + next.actions.len() > MAX_ACTIONS
            || joined.on_failure != next.on_failure
            || joined.on_hangup != next.on_hangup
        {
            break;
        }
        joined.actions.extend(next.actions.iter().cloned());
        joined = CheckedStep {
            name: joined.name,
            actions: joined.actions,
            ..next.clone()
        };
    }
    Some(joined)
}
