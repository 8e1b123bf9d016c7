//! A flow: its steps, checked, walked and joined.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;

use super::action::CheckedAction;
use super::finding::Findings;
use super::join::{inherit, join};
use super::kinds;
use super::locale::CheckedLocale;
use super::shape::{Flow, Source};
use super::step::{self, Resolver, check_url, no_step};
use super::{number, walk};
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
    pub(super) fn handler(name: &str, url: &str, signed: bool) -> Self {
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
pub(super) const RESERVED: [&str; 2] = ["end", "stay"];
/// Facts F2: the success of these is reported by itself, even in the middle of a list.
pub(super) const REPORTED_ALONE: [&str; 13] = [
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
pub(super) const GOES_ON: [&str; 5] = [
    "CallAndBridge",
    "JoinChimeMeeting",
    "StartBotConversation",
    "ReceiveDigits",
    "Hangup",
];
pub(super) const COLLECTS_DIGITS: [&str; 3] = [
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
        steps.push(step::check(
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
