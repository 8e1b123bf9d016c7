//! The steps of a flow: names become places, and steps that only lead on are joined.

use std::collections::BTreeMap;
use std::ops::Range;

use skillcall_protocol::sma::action::MAX_ACTIONS;
use toml::Spanned;

use super::action::{self, CheckedAction, Surroundings};
use super::caller::is_endpoint;
use super::finding::Findings;
use super::kinds::{self, Plain};
use super::locale::CheckedLocale;
use super::shape::{Flow, Source};
use super::{destination, number, walk};
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
    pub(super) by_hours: Option<(u16, Next, Next)>,
    pub(super) hand_over: Option<(String, bool)>,
    pub(super) attempt: bool,
}

impl CheckedStep {
    /// A step that hands over to a handler.
    fn handler(name: &str, url: &str, signed: bool) -> Self {
        Self {
            name: name.to_owned(),
            actions: Vec::new(),
            then: Next::Stay,
            on_digits: Vec::new(),
            on_other_digits: None,
            on_failure: None,
            on_hangup: None,
            by_hours: None,
            hand_over: Some((url.to_owned(), signed)),
            attempt: false,
        }
    }

    /// Whether its last action collects digits and is done by them.
    pub(super) fn collects_digits(&self) -> bool {
        self.actions
            .last()
            .is_some_and(|action| COLLECTS_DIGITS.contains(&action.action_type.as_str()))
    }

    /// Whether one of its actions hangs up.
    pub(super) fn hangs_up(&self) -> bool {
        self.actions
            .iter()
            .any(|action| action.action_type == "Hangup")
    }
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
    source: &Source,
    locales: &[CheckedLocale],
    findings: &mut Findings<'_>,
) -> Option<CheckedFlow> {
    let place = format!("flow[{:?}]", flow.number.get_ref());
    number::check(&flow.number, &format!("{place}.number"), findings);
    let called = source
        .destination
        .iter()
        .filter_map(|destination| destination.number.as_ref())
        .any(|number| number.get_ref() == flow.number.get_ref());
    if !called && !source.destination.is_empty() {
        findings.warning(
            &flow.number.span(),
            format!("{place}.number"),
            "no destination has this number; right only if calls to it come from elsewhere",
        );
    }
    if let Some(url) = &flow.handler {
        return handled(flow, url, &place, findings);
    }
    let written = kinds::plain(flow, &place, findings);
    let names: BTreeMap<&str, u16> = written
        .iter()
        .zip(0u16..)
        .map(|(plain, index)| (plain.name.get_ref().as_str(), index))
        .collect();
    let mut resolver = Resolver { names: &names };
    let start = match flow
        .start
        .as_ref()
        .map(|start| (start, resolver.step(start)))
    {
        Some((_, Ok(Next::Step(start)))) => Some(start),
        Some((start, _)) => {
            findings.error(
                &start.span(),
                format!("{place}.start"),
                no_step(start.get_ref(), &names, false),
            );
            None
        }
        None => {
            findings.error(
                &flow.number.span(),
                &place,
                "has no `start`; expected the name of the first step, or a `handler`",
            );
            None
        }
    };
    let mut steps: Vec<Option<CheckedStep>> = Vec::new();
    for plain in &written {
        let (name, place) = (
            &plain.name,
            format!("{place}.step.{}", plain.name.get_ref()),
        );
        if RESERVED.contains(&name.get_ref().as_str()) {
            findings.error(&name.span(), &place, "is the name of a step; `end` and `stay` have meanings of their own, expected another name");
        }
        steps.push(check_step(
            plain,
            &place,
            source,
            &mut resolver,
            locales,
            findings,
        ));
    }
    let steps: Vec<CheckedStep> = steps.into_iter().collect::<Option<_>>()?;
    let (start, steps) = (start?, inherit(steps));
    let spans: Vec<Range<usize>> = written.iter().map(|plain| plain.name.span()).collect();
    walk::check(&steps, start, &spans, &place, findings);
    let joined = (0..steps.len())
        .filter_map(|index| join(&steps, index))
        .collect();
    Some(CheckedFlow {
        number: flow.number.get_ref().clone(),
        start,
        steps: joined,
    })
}

/// A flow that is nothing but a handler.
fn handled(
    flow: &Flow,
    url: &Spanned<String>,
    place: &str,
    findings: &mut Findings<'_>,
) -> Option<CheckedFlow> {
    check_url(url, &format!("{place}.handler"), findings);
    if flow.start.is_some() || !flow.step.is_empty() {
        findings.error(
            &url.span(),
            place,
            "has a handler and steps; expected one of them",
        );
        return None;
    }
    let step = CheckedStep::handler("handler", url.get_ref(), flow.require_signed_replies);
    Some(CheckedFlow {
        number: flow.number.get_ref().clone(),
        start: 0,
        steps: vec![step],
    })
}

fn check_url(url: &Spanned<String>, place: &str, findings: &mut Findings<'_>) {
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

struct Resolver<'n> {
    names: &'n BTreeMap<&'n str, u16>,
}

impl Resolver<'_> {
    fn step(&self, wanted: &Spanned<String>) -> Result<Next, ()> {
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

fn no_step(found: &str, names: &BTreeMap<&str, u16>, reserved: bool) -> String {
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

fn check_step(
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
        // An attempt's failure leads on by itself.
        if decides
            || joined.attempt != next.attempt
            || next.actions.is_empty()
            || joined.actions.is_empty()
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
