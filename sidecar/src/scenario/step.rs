//! The steps of a scenario.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use skillcall_protocol::sma::ParticipantTag;
use skillcall_protocol::sma::action::{Action, Digit};

use super::matching::Pattern;
use super::span::Span;

/// So long a step waits for what it expects.
const PATIENCE: Duration = Duration::from_secs(30);
/// From one key to the next.
const KEY_TO_KEY: Duration = Duration::from_millis(250);

/// A step as it stands in the file: exactly one of the first group, and what may stand beside it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct StepText {
    says: Option<String>,
    dials: Option<String>,
    waits: Option<Span>,
    hangs_up: Option<bool>,
    updates: Option<BTreeMap<String, String>>,
    hears: Option<String>,
    plays: Option<String>,
    rings: Option<bool>,
    gets_digits: Option<String>,
    hears_nothing: Option<Span>,
    event: Option<String>,
    reply: Option<Vec<String>>,
    answered: Option<bool>,
    rejected: Option<u16>,
    called: Option<String>,
    bridged: Option<bool>,
    recorded: Option<String>,
    ended: Option<bool>,

    leg: Option<String>,
    of: Option<String>,
    #[serde(rename = "where")]
    details: Option<toml::Table>,
    within: Option<Span>,
    after: Option<Span>,
    every: Option<Span>,
    #[serde(default)]
    whole: bool,
}

/// A step that can be carried out.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) line: usize,
    pub(super) leg: ParticipantTag,
    pub(super) does: Does,
}

/// What a step does.
#[derive(Debug, Clone)]
pub(super) enum Does {
    /// A party speaks.
    Say(String),
    /// A party presses keys; `None` is a pause.
    Dial(Vec<Option<Digit>>, Duration),
    /// Time passes.
    Wait(Duration),
    /// A party hangs up.
    HangUp,
    /// UpdateSipMediaApplicationCall.
    Update(BTreeMap<String, String>),
    /// Nothing begins to be heard for so long.
    HearNothing(Duration),
    /// Something must come.
    Expect(Expected),
}

/// What must come, and when: times are counted from the step's beginning.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    pub(super) what: What,
    pub(super) within: Duration,
    pub(super) not_before: Duration,
}

/// What must come.
#[derive(Debug, Clone)]
pub(super) enum What {
    /// A text is spoken to the leg, or by the other leg of a bridge; to its end, if `whole`.
    Speech { text: Pattern, whole: bool },
    /// A file is played to the leg: `bucket/key`.
    File { place: Pattern, whole: bool },
    /// The leg hears a ringing tone, or is told that it rings.
    Ringing,
    /// The leg gets digits as tones.
    Digits(String),
    /// The handler is told.
    Event {
        kind: String,
        action: Option<String>,
        details: Option<Value>,
    },
    /// What the handler answered to the event that was expected last: the actions' names, in order.
    Reply {
        actions: Vec<String>,
        details: Option<Value>,
    },
    /// The leg is answered.
    Answered,
    /// The caller is refused.
    Rejected(u16),
    /// Somebody is called.
    Called(Pattern, Option<Value>),
    /// Both legs hear each other.
    Bridged,
    /// A recording is complete: `bucket/key`.
    Recorded(Pattern, Option<Value>),
    /// The call is over.
    Ended,
}

impl StepText {
    /// Checks a step.
    ///
    /// # Errors
    /// In words: what is wrong, and what would be right.
    pub(super) fn check(self, line: usize) -> Result<Step, String> {
        let leg = match self.leg.as_deref() {
            None | Some("LEG-A") => ParticipantTag::LegA,
            Some("LEG-B") => ParticipantTag::LegB,
            Some(other) => {
                return Err(format!("leg = {other:?}; expected \"LEG-A\" or \"LEG-B\""));
            }
        };
        let every = self.every.map_or(KEY_TO_KEY, |span| span.0);
        let details = self.details.map(json).transpose()?;
        let mut found: Vec<(&'static str, Does)> = Vec::new();
        let within = self.within.map_or(PATIENCE, |span| span.0);
        let not_before = self.after.map_or(Duration::ZERO, |span| span.0);
        if not_before > within {
            return Err("after is later than within".to_owned());
        }
        let expect = |what| {
            Does::Expect(Expected {
                what,
                within,
                not_before,
            })
        };
        if let Some(text) = self.says {
            found.push(("says", Does::Say(text)));
        }
        if let Some(keys) = self.dials {
            found.push(("dials", Does::Dial(digits(&keys)?, every)));
        }
        if let Some(span) = self.waits {
            found.push(("waits", Does::Wait(span.0)));
        }
        if yes("hangs-up", self.hangs_up)? {
            found.push(("hangs-up", Does::HangUp));
        }
        if let Some(arguments) = self.updates {
            found.push(("updates", Does::Update(arguments)));
        }
        if let Some(span) = self.hears_nothing {
            found.push(("hears-nothing", Does::HearNothing(span.0)));
        }
        let whole = self.whole;
        if let Some(text) = self.hears {
            let text = Pattern::words(&text)?;
            found.push(("hears", expect(What::Speech { text, whole })));
        }
        if let Some(place) = self.plays {
            let place = Pattern::exact(&place)?;
            found.push(("plays", expect(What::File { place, whole })));
        }
        if yes("rings", self.rings)? {
            found.push(("rings", expect(What::Ringing)));
        }
        if let Some(digits) = self.gets_digits {
            found.push(("gets-digits", expect(What::Digits(digits))));
        }
        if let Some(kind) = self.event {
            let action = self.of;
            let details = details.clone();
            let event = What::Event {
                kind,
                action,
                details,
            };
            found.push(("event", expect(event)));
        } else if self.of.is_some() {
            return Err("`of` names the action of an `event`, and there is none".to_owned());
        }
        if let Some(actions) = self.reply {
            if let Some(unknown) = actions
                .iter()
                .find(|name| !Action::TYPES.contains(&name.as_str()))
            {
                return Err(format!(
                    "reply names {unknown:?}, which is no action; expected some of {}",
                    Action::TYPES.join(", ")
                ));
            }
            let details = details.clone();
            found.push(("reply", expect(What::Reply { actions, details })));
        }
        if yes("answered", self.answered)? {
            found.push(("answered", expect(What::Answered)));
        }
        if let Some(status) = self.rejected {
            found.push(("rejected", expect(What::Rejected(status))));
        }
        if let Some(number) = self.called {
            let number = Pattern::exact(&number)?;
            found.push(("called", expect(What::Called(number, details.clone()))));
        }
        if yes("bridged", self.bridged)? {
            found.push(("bridged", expect(What::Bridged)));
        }
        if let Some(place) = self.recorded {
            let place = Pattern::exact(&place)?;
            found.push(("recorded", expect(What::Recorded(place, details.clone()))));
        }
        if yes("ended", self.ended)? {
            found.push(("ended", expect(What::Ended)));
        }
        let takes_details = matches!(
            found.first(),
            Some(("event" | "reply" | "called" | "recorded", _))
        );
        if details.is_some() && !takes_details {
            return Err("`where` belongs to `event`, `reply`, `called` or `recorded`".to_owned());
        }
        let names: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
        let mut found = found.into_iter();
        match (found.next(), found.next()) {
            (Some((_, does)), None) => Ok(Step { line, leg, does }),
            (None, _) => Err("the step does nothing; expected one of says, dials, waits, hangs-up, updates, hears, \
                 plays, rings, gets-digits, hears-nothing, event, reply, answered, rejected, called, bridged, \
                 recorded, ended"
                .to_owned()),
            (Some(_), Some(_)) => Err(format!(
                "the step does more than one thing ({}); write a [[step]] for each",
                names.join(", ")
            )),
        }
    }
}

fn yes(name: &str, value: Option<bool>) -> Result<bool, String> {
    match value {
        None => Ok(false),
        Some(true) => Ok(true),
        Some(false) => Err(format!("{name} = false says nothing; expected true")),
    }
}

fn digits(keys: &str) -> Result<Vec<Option<Digit>>, String> {
    let read = |key: char| match key {
        ',' => Ok(None),
        key => Digit::new(key).map(Some).ok_or_else(|| {
            format!("dials {key:?}; expected digits 0-9, *, #, A-D, or a comma for half a second")
        }),
    };
    let keys: Vec<_> = keys
        .chars()
        .filter(|key| !key.is_whitespace())
        .map(read)
        .collect::<Result<_, _>>()?;
    if keys.is_empty() {
        return Err("dials nothing".to_owned());
    }
    Ok(keys)
}

fn json(table: toml::Table) -> Result<Value, String> {
    serde_json::to_value(table).map_err(|error| format!("where: {error}"))
}
