//! Kinds of steps: what a plan says in one line becomes the actions that do it.

use std::ops::Range;

use toml::{Spanned, Table, Value};

use super::finding::Findings;
use super::shape::{Dial, Flow, Menu, Step, Voicemail};

/// Parts a generated step's number from the name of the step that it comes of; no name of a plan holds it.
pub(super) const PART: char = '#';
/// The most attempts that one `dial` makes.
const MAX_ATTEMPTS: usize = 50;

/// A step whose kind has become actions.
#[derive(Clone)]
pub(super) struct Plain {
    pub(super) name: Spanned<String>,
    pub(super) step: Step,
    /// A failure of this step does not count: another attempt follows.
    pub(super) attempt: bool,
}

/// The steps of a flow, each with actions, or deciding, or handed over.
pub(super) fn plain(flow: &Flow, place: &str, findings: &mut Findings<'_>) -> Vec<Plain> {
    let mut steps = Vec::new();
    for (name, step) in &flow.step {
        let place = format!("{place}.step.{}", name.get_ref());
        let kinds: Vec<&str> = [
            ("actions", step.actions.is_some()),
            ("say", step.say.is_some()),
            ("menu", step.menu.is_some()),
            ("voicemail", step.voicemail.is_some()),
            ("dial", step.dial.is_some()),
            ("when-open", step.when_open.is_some()),
            ("hand-over", step.hand_over.is_some()),
        ]
        .iter()
        .filter(|(_, there)| *there)
        .map(|(kind, _)| *kind)
        .collect();
        if kinds.len() != 1 {
            findings.error(
                &name.span(),
                &place,
                format!(
                    "has {}; expected exactly one of actions, say, menu, voicemail, dial, when-open, hand-over",
                    if kinds.is_empty() { "no kind".to_owned() } else { kinds.join(" and ") }
                ),
            );
            continue;
        }
        if name.get_ref().contains(PART) {
            findings.error(
                &name.span(),
                &place,
                format!("is the name of a step; expected one without {PART}"),
            );
        }
        let mut one = Plain {
            name: name.clone(),
            step: step.clone(),
            attempt: false,
        };
        if let Some(text) = &step.say {
            one.step.actions = Some(vec![at(&text.span(), speak(text.get_ref()))]);
        } else if let Some(menu) = &step.menu {
            one.step.actions = Some(vec![at(&menu.span(), keys(menu.get_ref()))]);
        } else if let Some(voicemail) = &step.voicemail {
            one.step.actions = Some(message(voicemail));
        } else if let Some(dial) = &step.dial {
            steps.extend(attempts(&one, dial, &place, findings));
            continue;
        }
        steps.push(one);
    }
    steps
}

fn at(span: &Range<usize>, table: Table) -> Spanned<Table> {
    Spanned::new(span.clone(), table)
}

fn table<const N: usize>(pairs: [(&str, Value); N]) -> Table {
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

fn speak(text: &Value) -> Table {
    table([("Type", "Speak".into()), ("Text", text.clone())])
}

fn keys(menu: &Menu) -> Table {
    let mut action = table([
        ("Type", "SpeakAndGetDigits".into()),
        ("Text", menu.text.clone()),
        ("Repeat", menu.tries.into()),
        (
            "RepeatDurationInMilliseconds",
            menu.seconds.saturating_mul(1000).into(),
        ),
    ]);
    if let Some(text) = &menu.failure_text {
        action.insert("FailureText".to_owned(), text.clone());
    }
    if let Some(most) = menu.digits {
        action.insert("MinNumberOfDigits".to_owned(), 1.into());
        action.insert("MaxNumberOfDigits".to_owned(), most.into());
        if most > 1 {
            action.insert(
                "TerminatorDigits".to_owned(),
                Value::Array(vec!["#".into()]),
            );
        }
    }
    action
}

fn message(written: &Spanned<Voicemail>) -> Vec<Spanned<Table>> {
    let (span, voicemail) = (written.span(), written.get_ref());
    let mut destination = table([
        ("Type", "S3".into()),
        ("BucketName", voicemail.bucket.clone().into()),
    ]);
    if let Some(prefix) = &voicemail.prefix {
        destination.insert("Prefix".to_owned(), prefix.clone().into());
    }
    let record = table([
        ("Type", "RecordAudio".into()),
        ("DurationInSeconds", voicemail.max_seconds.into()),
        ("SilenceDurationInSeconds", voicemail.silence_seconds.into()),
        ("RecordingTerminators", Value::Array(vec!["#".into()])),
        ("RecordingDestination", Value::Table(destination)),
    ]);
    let mut actions = Vec::new();
    if let Some(text) = &voicemail.text {
        actions.push(at(&span, speak(text)));
    }
    actions.push(at(&span, record));
    actions
}

/// One step an attempt: the numbers in their order, as many rounds as the plan says; each leads to the next by its failure.
fn attempts(
    one: &Plain,
    written: &Spanned<Dial>,
    place: &str,
    findings: &mut Findings<'_>,
) -> Vec<Plain> {
    let (span, dial) = (written.span(), written.get_ref());
    let rounds = usize::try_from(dial.rounds).unwrap_or(0);
    let count = dial.numbers.len().saturating_mul(rounds);
    if count == 0 || count > MAX_ATTEMPTS {
        findings.error(
            &span,
            format!("{place}.dial"),
            format!("makes {count} attempts (numbers times rounds); expected 1 to {MAX_ATTEMPTS}"),
        );
        return vec![one.clone()];
    }
    for number in &dial.numbers {
        // A number that is a variable is known in the call alone.
        if !number.get_ref().contains('{') {
            super::number::check(number, &format!("{place}.dial.numbers"), findings);
        }
    }
    let named = |index: usize| match index {
        0 => one.name.get_ref().clone(),
        index => format!("{}{PART}{}", one.name.get_ref(), index + 1),
    };
    (0..count)
        .zip(dial.numbers.iter().cycle())
        .map(|(index, number)| {
            let mut actions = Vec::new();
            // Between two rounds the caller hears what the plan has for those who wait.
            if index > 0 && index % dial.numbers.len() == 0 {
                if let Some(text) = &dial.wait_text {
                    actions.push(at(&span, speak(text)));
                }
                if let Some(music) = &dial.wait_music {
                    actions.push(at(
                        &span,
                        table([
                            ("Type", "PlayAudio".into()),
                            ("AudioSource", audio(&music.bucket, &music.key)),
                        ]),
                    ));
                }
            }
            let mut bridge = table([
                ("Type", "CallAndBridge".into()),
                ("Number", number.get_ref().clone().into()),
                ("CallTimeoutSeconds", dial.ring_seconds.into()),
            ]);
            if let Some(music) = &dial.ring_music {
                bridge.insert("RingbackTone".to_owned(), audio(&music.bucket, &music.key));
            }
            if let Some(shown) = &dial.caller_id {
                bridge.insert("CallerIdNumber".to_owned(), shown.clone().into());
            }
            actions.push(at(&number.span(), bridge));
            let last = index + 1 == count;
            let mut step = one.step.clone();
            step.actions = Some(actions);
            if !last {
                step.on_failure = Some(Spanned::new(span.clone(), named(index + 1)));
            }
            Plain {
                name: Spanned::new(one.name.span(), named(index)),
                step,
                attempt: !last,
            }
        })
        .collect()
}

fn audio(bucket: &str, key: &str) -> Value {
    Value::Table(table([
        ("Type", "S3".into()),
        ("BucketName", bucket.into()),
        ("Key", key.into()),
    ]))
}
