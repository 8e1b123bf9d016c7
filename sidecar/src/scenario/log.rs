//! What happened in a scenario, for its expectations and for people.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use skillcall_protocol::sma::action::Digit;
use skillcall_protocol::sma::{Event, InvocationEventType};

use crate::engine::{LegId, PlayId};

/// One thing that happened.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// From the call's beginning, by the virtual clock.
    pub(super) at: Duration,
    /// On which leg.
    pub(super) leg: Option<LegId>,
    pub(super) what: Happened,
}

/// What a leg hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    /// A text that is spoken, by the application or by the other party.
    Words(String),
    /// `bucket/key`.
    File(String),
    /// The ringing tone.
    RingingTone,
    /// Digits.
    Digits(String),
}

/// What happened.
#[derive(Debug, Clone)]
pub(super) enum Happened {
    Event {
        event: Arc<Event>,
        json: Value,
        attempt: u32,
    },
    Reply {
        sequence: u32,
        reply: Value,
    },
    HandlerFailed {
        told: String,
    },
    Rings,
    Answered,
    Rejected(u16),
    Called {
        number: String,
        details: Value,
    },
    Refused(u16),
    Hears {
        play: Option<PlayId>,
        heard: Heard,
    },
    PlayedWhole(PlayId),
    Stopped,
    Says(String),
    Presses(Digit),
    Bridged,
    Parted,
    Records(String),
    Recorded {
        place: String,
        words: String,
        length: Duration,
    },
    Joins(String),
    Told(String),
    HangsUp,
    HungUp,
    Ended(u16),
    Updates(Value),
    Note {
        problem: bool,
        text: String,
    },
    Over,
}

/// Everything that happened, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Log {
    pub(super) entries: Vec<Entry>,
}

impl Log {
    pub(super) fn push(&mut self, at: Duration, leg: Option<LegId>, what: Happened) {
        self.entries.push(Entry { at, leg, what });
    }

    /// The entries from a place on, with their places.
    pub(super) fn since(&self, place: usize) -> impl Iterator<Item = (usize, &Entry)> {
        self.entries.iter().enumerate().skip(place)
    }

    pub(super) fn is_over(&self) -> bool {
        self.entries
            .iter()
            .any(|entry| matches!(entry.what, Happened::Over))
    }
}

/// An event by its type and action, as a scenario writes it.
pub(super) fn event_name(event: &Event) -> String {
    let kind = &event.invocation_event_type;
    match &event.action_data {
        Some(data) if *kind != InvocationEventType::Hangup && !data.kind.is_empty() => {
            format!("{kind} {}", data.kind)
        }
        _ => kind.to_string(),
    }
}

/// The names of a reply's actions.
pub(super) fn action_names(reply: &Value) -> Vec<String> {
    let actions = reply.get("Actions").and_then(Value::as_array);
    let name = |action: &Value| {
        let name = action.get("Type").and_then(Value::as_str);
        name.unwrap_or("?").to_owned()
    };
    actions.into_iter().flatten().map(name).collect()
}

impl Happened {
    /// The kind's name in JSON.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Event { .. } => "event",
            Self::Reply { .. } => "reply",
            Self::HandlerFailed { .. } => "handler-failed",
            Self::Rings => "rings",
            Self::Answered => "answered",
            Self::Rejected(_) => "rejected",
            Self::Called { .. } => "called",
            Self::Refused(_) => "refused",
            Self::Hears { .. } => "hears",
            Self::PlayedWhole(_) => "played",
            Self::Stopped => "stopped",
            Self::Says(_) => "says",
            Self::Presses(_) => "presses",
            Self::Bridged => "bridged",
            Self::Parted => "parted",
            Self::Records(_) => "records",
            Self::Recorded { .. } => "recorded",
            Self::Joins(_) => "joins",
            Self::Told(_) => "told",
            Self::HangsUp => "hangs-up",
            Self::HungUp => "hung-up",
            Self::Ended(_) => "leg-ended",
            Self::Updates(_) => "updates",
            Self::Note { .. } => "note",
            Self::Over => "over",
        }
    }

    /// What machines want to know of it.
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Event { json, attempt, .. } => json!({ "event": json, "attempt": attempt }),
            Self::Reply { sequence, reply } => json!({ "sequence": sequence, "reply": reply }),
            Self::Called { number, details } => json!({ "number": number, "details": details }),
            Self::Recorded {
                place,
                words,
                length,
            } => json!({ "place": place, "words": words, "seconds": length.as_secs_f64() }),
            _ => Value::Null,
        }
    }

    /// Whether it is for `-v` only.
    pub(super) fn is_detail(&self) -> bool {
        matches!(
            self,
            Self::PlayedWhole(_) | Self::Note { problem: false, .. }
        )
    }
}

impl fmt::Display for Happened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event { event, attempt, .. } => {
                write!(f, "→ handler: {}", event_name(event))?;
                if *attempt > 1 {
                    write!(f, " (attempt {attempt})")?;
                }
                let Some(data) = &event.action_data else {
                    return Ok(());
                };
                if let Some(digits) = data.received_digits.as_deref().filter(|d| !d.is_empty()) {
                    write!(f, ", digits {digits}")?;
                }
                if let Some((error, message)) = data.failure() {
                    write!(f, ", {error}: {message}")?;
                }
                Ok(())
            }
            Self::Reply { reply, .. } => {
                let names = action_names(reply);
                if names.is_empty() {
                    return f.write_str("← handler: no actions");
                }
                write!(f, "← handler: {}", names.join(", "))
            }
            Self::HandlerFailed { told } => write!(f, "✗ handler: {told}"),
            Self::Rings => f.write_str("hears that it rings"),
            Self::Answered => f.write_str("is answered"),
            Self::Rejected(status) => write!(f, "is refused with {status}"),
            Self::Called { number, .. } => write!(f, "is called: {number}"),
            Self::Refused(status) => write!(f, "refuses with {status}"),
            Self::Hears { heard, .. } => match heard {
                Heard::Words(words) => write!(f, "hears {words:?}"),
                Heard::File(place) => write!(f, "hears the file {place}"),
                Heard::RingingTone => f.write_str("hears a ringing tone"),
                Heard::Digits(digits) => write!(f, "hears the digits {digits}"),
            },
            Self::PlayedWhole(_) => f.write_str("has heard that to its end"),
            Self::Stopped => f.write_str("hears no more of that"),
            Self::Says(words) => write!(f, "says {words:?}"),
            Self::Presses(digit) => write!(f, "presses {digit}"),
            Self::Bridged => f.write_str("both legs hear each other"),
            Self::Parted => f.write_str("the legs do not hear each other any more"),
            Self::Records(place) => write!(f, "is recorded to {place}"),
            Self::Recorded { place, length, .. } => {
                write!(f, "was recorded: {place}, {:.1} s", length.as_secs_f64())
            }
            Self::Joins(meeting) => write!(f, "takes part in the meeting {meeting}"),
            Self::Told(text) => f.write_str(text),
            Self::HangsUp => f.write_str("hangs up"),
            Self::HungUp => f.write_str("is hung up"),
            Self::Ended(code) => write!(f, "has ended ({code})"),
            Self::Updates(arguments) => write!(f, "the call is updated: {arguments}"),
            Self::Note { text, .. } => write!(f, "note: {text}"),
            Self::Over => f.write_str("the call is over"),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9.3} s  ", self.at.as_secs_f64())?;
        if let Some(leg) = self.leg {
            write!(f, "{} ", leg.tag().as_str())?;
        }
        write!(f, "{}", self.what)
    }
}
