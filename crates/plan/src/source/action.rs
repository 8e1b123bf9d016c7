//! Actions as the plan writes them become actions as the wire has them.
//!
//! A plan may write parameters flat beside `Type`, leave out what follows from the rest, and give a text in several
//! locales. What comes out is checked by the rules that the sidecar uses (facts F6).

use serde_json::{Map, Value};
use skillcall_protocol::sma::Action;
use toml::Spanned;

use super::finding::Findings;
use super::locale::CheckedLocale;
use crate::name::{best_locale, is_locale};
use crate::template::{self, Piece, Variable, escape_json};

/// The time for each try of collecting digits when the plan names none, in milliseconds.
const REPEAT_DURATION_MS: u64 = 5000;
const SPEECH_KEYS: [&str; 5] = ["Text", "Engine", "LanguageCode", "TextType", "VoiceId"];

/// An action, ready to be compiled.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CheckedAction {
    pub(super) action_type: String,
    /// One for each locale that differs from the default, which comes first.
    pub(super) json: Vec<(String, Vec<Piece>)>,
}

/// What the plan says around an action.
pub(super) struct Surroundings<'s> {
    pub(super) place: String,
    pub(super) index: usize,
    /// The digits that the step names; they bound what is collected.
    pub(super) digits: Vec<&'s str>,
    pub(super) locales: &'s [CheckedLocale],
}

pub(super) fn check(
    written: &Spanned<toml::Table>,
    around: &Surroundings<'_>,
    findings: &mut Findings<'_>,
) -> Option<CheckedAction> {
    let (span, place) = (
        written.span(),
        format!("{}.actions[{}]", around.place, around.index),
    );
    let table = written.get_ref();
    let Some(action_type) = table.get("Type").and_then(toml::Value::as_str) else {
        findings.error(
            &span,
            place,
            format!("has no Type; expected one of {}", Action::TYPES.join(", ")),
        );
        return None;
    };
    if !Action::TYPES.contains(&action_type) {
        let span = findings.key_within(&span, action_type);
        findings.error(
            &span,
            place,
            format!(
                "Type is {action_type:?}; expected one of {}",
                Action::TYPES.join(", ")
            ),
        );
        return None;
    }
    let parameters = match (table.get("Parameters"), table.len()) {
        (Some(toml::Value::Table(parameters)), 2) => parameters.clone(),
        (Some(_), _) => {
            let span = findings.key_within(&span, "Parameters");
            findings.error(&span, place, "found `Parameters` that is no table, or other keys beside it; expected all parameters in it, or all beside `Type`");
            return None;
        }
        (None, _) => table
            .iter()
            .filter(|(key, _)| *key != "Type")
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect(),
    };
    let mut json: Vec<(String, Vec<Piece>)> = Vec::new();
    for locale in around.locales {
        let localised = localise(
            &toml::Value::Table(parameters.clone()),
            locale,
            around.locales,
        );
        let Some(Value::Object(mut map)) = localised else {
            findings.error(&span, place, "holds a date or a number without end; expected texts, numbers, true or false, lists and tables");
            return None;
        };
        complete(action_type, &mut map, around, locale);
        let pieces = compile(action_type, &map, &span, &place, around.index, findings)?;
        if json.first().is_none_or(|(_, first)| *first != pieces) {
            json.push((locale.tag.clone(), pieces));
        }
    }
    Some(CheckedAction {
        action_type: action_type.to_owned(),
        json,
    })
}

/// The value in one locale: a table whose keys are all locales gives way to the text that serves it.
fn localise(value: &toml::Value, locale: &CheckedLocale, all: &[CheckedLocale]) -> Option<Value> {
    Some(match value {
        toml::Value::String(text) => Value::String(locale.fill(text)),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => Value::Number(serde_json::Number::from_f64(*number)?),
        toml::Value::Boolean(truth) => Value::Bool(*truth),
        toml::Value::Datetime(_) => return None,
        toml::Value::Array(list) => Value::Array(
            list.iter()
                .map(|v| localise(v, locale, all))
                .collect::<Option<_>>()?,
        ),
        toml::Value::Table(table)
            if !table.is_empty() && table.keys().all(|key| is_locale(key)) =>
        {
            let tags: Vec<&str> = table.keys().map(String::as_str).collect();
            let tags = tags.iter().copied();
            let default = all.first().map_or("en-US", |l| l.tag.as_str());
            let index = best_locale(&locale.tag, tags.clone())
                .or_else(|| best_locale(default, tags))
                .unwrap_or(0);
            localise(table.iter().nth(index)?.1, locale, all)?
        }
        toml::Value::Table(table) => Value::Object(
            table
                .iter()
                .map(|(k, v)| Some((k.clone(), localise(v, locale, all)?)))
                .collect::<Option<_>>()?,
        ),
    })
}

/// Fills in what the plan may leave out.
fn complete(
    action_type: &str,
    map: &mut Map<String, Value>,
    around: &Surroundings<'_>,
    locale: &CheckedLocale,
) {
    match action_type {
        "Speak" => speak_in(map, locale),
        "SpeakAndGetDigits" => {
            if !map.contains_key("SpeechParameters") {
                let speech: Map<_, _> = SPEECH_KEYS
                    .iter()
                    .filter_map(|key| map.remove_entry(*key))
                    .collect();
                map.insert("SpeechParameters".into(), Value::Object(speech));
            }
            if let Some(text) = map.remove("FailureText") {
                let failure: Map<_, _> = [("Text".to_owned(), text)].into_iter().collect();
                map.entry("FailureSpeechParameters")
                    .or_insert(Value::Object(failure));
            }
            if let Some(Value::Object(failure)) = map.get_mut("FailureSpeechParameters") {
                speak_in(failure, locale);
            }
            if let Some(Value::Object(speech)) = map.get_mut("SpeechParameters") {
                speak_in(speech, locale);
            }
            bound_digits(map, around);
        }
        "PlayAudioAndGetDigits" => bound_digits(map, around),
        "CallAndBridge" => {
            if let Some(number) = map.remove("Number") {
                let endpoint: Map<_, _> = [
                    ("BridgeEndpointType".to_owned(), Value::from("PSTN")),
                    ("Uri".to_owned(), number),
                ]
                .into_iter()
                .collect();
                map.entry("Endpoints")
                    .or_insert(Value::Array(vec![Value::Object(endpoint)]));
            }
            // Facts F6: a skill's call may not show its caller's number, so the skill's own stands there.
            map.entry("CallerIdNumber")
                .or_insert(Value::from("{called.number}"));
        }
        "SendDigits"
        | "StartCallRecording"
        | "StopCallRecording"
        | "PauseCallRecording"
        | "ResumeCallRecording"
        | "VoiceFocus"
            if !map.contains_key("ParticipantTag") =>
        {
            map.entry("CallId")
                .or_insert(Value::from("{leg-a.call-id}"));
        }
        _ => {}
    }
}

/// A prompt in another language than the SIP media application's own needs its voice and language said.
fn speak_in(speech: &mut Map<String, Value>, locale: &CheckedLocale) {
    if speech
        .get("Text")
        .and_then(Value::as_str)
        .is_some_and(|text| text.trim_start().starts_with("<speak"))
    {
        speech.entry("TextType").or_insert(Value::from("ssml"));
    }
    let Some(voice) = &locale.voice else { return };
    if !speech.contains_key("VoiceId") && !speech.contains_key("LanguageCode") {
        speech.insert("VoiceId".into(), Value::from(voice.clone()));
        speech.insert("LanguageCode".into(), Value::from(locale.tag.clone()));
    }
}

/// The keys that a step waits for say how many digits there are and which are right.
fn bound_digits(map: &mut Map<String, Value>, around: &Surroundings<'_>) {
    map.entry("RepeatDurationInMilliseconds")
        .or_insert(Value::from(REPEAT_DURATION_MS));
    let longest = around
        .digits
        .iter()
        .map(|digits| digits.len())
        .max()
        .unwrap_or(0);
    if longest > 0 {
        map.entry("MaxNumberOfDigits")
            .or_insert(Value::from(longest));
        map.entry("MinNumberOfDigits").or_insert(Value::from(
            around.digits.iter().map(|d| d.len()).min().unwrap_or(0),
        ));
    }
}

/// Finds the variables, and checks the action with their samples in place.
fn compile(
    action_type: &str,
    map: &Map<String, Value>,
    span: &std::ops::Range<usize>,
    place: &str,
    index: usize,
    findings: &mut Findings<'_>,
) -> Option<Vec<Piece>> {
    let mut pieces = vec![Piece::Literal(format!(
        "{{\"Type\":\"{action_type}\",\"Parameters\":"
    ))];
    if let Err((text, error)) = write(&Value::Object(map.clone()), &mut pieces) {
        let span = findings.key_within(span, &text);
        findings.error(&span, place, error.to_string());
        return None;
    }
    push(&mut pieces, "}");
    let Value::Object(sample) = sampled(&Value::Object(map.clone())) else {
        return None;
    };
    if action_type == "CallAndBridge"
        && map.get("CallerIdNumber").and_then(Value::as_str) == Some("{caller.number}")
    {
        let span = findings.key_within(span, "CallerIdNumber");
        findings.error(&span, place, "CallerIdNumber is {caller.number}, which a skill's call may not show; expected {called.number} or a number of your own");
        return None;
    }
    match Action::parse(index, action_type, &sample) {
        Ok(_) => Some(pieces),
        Err(error) => {
            let key = error.field.rsplit('.').next().unwrap_or_default();
            let key = key.split('[').next().unwrap_or_default();
            let span = findings.key_within(span, key);
            findings.error(&span, place, format!("{action_type}: {}", error.message()));
            None
        }
    }
}

/// The value with a sample in place of each variable.
fn sampled(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(match template::parse(text) {
            Ok(pieces) => pieces.iter().map(sample).collect(),
            Err(_) => text.clone(),
        }),
        Value::Array(list) => Value::Array(list.iter().map(sampled).collect()),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(k, v)| (k.clone(), sampled(v))).collect())
        }
        other => other.clone(),
    }
}

fn sample(piece: &Piece) -> String {
    match piece {
        Piece::Literal(text) => text.clone(),
        Piece::Variable(variable) => Variable::sample(*variable).to_owned(),
    }
}

/// Writes the value as JSON, parted at its variables.
fn write(
    value: &Value,
    pieces: &mut Vec<Piece>,
) -> Result<(), (String, template::UnknownVariable)> {
    match value {
        Value::String(text) => {
            push(pieces, "\"");
            for piece in template::parse(text).map_err(|error| (text.clone(), error))? {
                match piece {
                    Piece::Literal(text) => {
                        let mut escaped = String::with_capacity(text.len());
                        escape_json(&text, &mut escaped);
                        push(pieces, &escaped);
                    }
                    Piece::Variable(_) => pieces.push(piece),
                }
            }
            push(pieces, "\"");
        }
        Value::Array(list) => {
            for (n, item) in list.iter().enumerate() {
                push(pieces, if n == 0 { "[" } else { "," });
                write(item, pieces)?;
            }
            push(pieces, if list.is_empty() { "[]" } else { "]" });
        }
        Value::Object(map) => {
            for (n, (key, item)) in map.iter().enumerate() {
                let mut escaped = String::from(if n == 0 { "{\"" } else { ",\"" });
                escape_json(key, &mut escaped);
                escaped.push_str("\":");
                push(pieces, &escaped);
                write(item, pieces)?;
            }
            push(pieces, if map.is_empty() { "{}" } else { "}" });
        }
        other => push(pieces, &other.to_string()),
    }
    Ok(())
}

fn push(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        Some(Piece::Literal(literal)) => literal.push_str(text),
        _ => pieces.push(Piece::Literal(text.to_owned())),
    }
}
