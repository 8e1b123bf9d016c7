//! How a conversation stands, and the times and keys that Lex's session attributes set.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde_json::{Value, json};
use skillcall_protocol::sma::action::SpeechParameters;

use super::{BotAbility, BotMessage, BotStart, TurnId};
use crate::engine::command::{PlayId, SpeechId};

/// Times that session attributes may set.
const RANGE: std::ops::RangeInclusive<u64> = 1..=60_000;

/// A conversation that runs.
#[derive(Debug)]
pub(in crate::engine) struct Conversation {
    pub(super) alias_arn: String,
    pub(super) locale: String,
    pub(super) session: String,
    pub(super) ability: BotAbility,
    pub(super) start: Option<BotStart>,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) intent: Option<String>,
    pub(super) slot: Option<String>,
    /// What is still to be said.
    pub(super) to_say: VecDeque<BotMessage>,
    /// What was said last, for whoever did not answer.
    pub(super) said: Vec<BotMessage>,
    pub(super) digits: String,
    pub(super) silences: u32,
    /// Whether somebody is waiting for speech.
    pub(super) listening: bool,
    /// What the bot answered last.
    pub(super) result: Option<Value>,
    /// Nothing more is asked.
    pub(super) is_over: bool,
    pub(super) phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// A message is being rendered.
    Rendering(SpeechId),
    /// It is being said.
    Saying(SpeechId, PlayId),
    /// The caller's turn.
    Listening,
    /// The bot's turn.
    Asking(TurnId),
}

impl Conversation {
    /// A setting of Lex's session attributes: for the slot, the intent, or all (`*`).
    pub(super) fn setting(&self, names: &[&str]) -> Option<&str> {
        let intent = self.intent.as_deref().unwrap_or("*");
        let slot = self.slot.as_deref().unwrap_or("*");
        let places = [(intent, slot), (intent, "*"), ("*", slot), ("*", "*")];
        names.iter().find_map(|name| {
            places.iter().find_map(|(intent, slot)| {
                let key = format!("x-amz-lex:{name}:{intent}:{slot}");
                self.attributes.get(&key).map(String::as_str)
            })
        })
    }

    pub(super) fn time(&self, names: &[&str], default: Duration) -> Duration {
        self.setting(names)
            .and_then(|value| value.trim().parse().ok())
            .filter(|millis| RANGE.contains(millis))
            .map_or(default, Duration::from_millis)
    }

    pub(super) fn key(&self, name: &str, default: char) -> char {
        let mut value = self.setting(&[name]).unwrap_or_default().chars();
        value
            .next()
            .filter(|_| value.next().is_none())
            .unwrap_or(default)
    }

    pub(super) fn may_interrupt(&self) -> bool {
        !self.is_over && self.setting(&["allow-interrupt"]) != Some("false")
    }

    /// What is spoken, and how.
    pub(super) fn speech(&self, message: BotMessage) -> SpeechParameters {
        let mut speech = match message {
            BotMessage::PlainText(text) => SpeechParameters::text(text),
            BotMessage::Ssml(text) => SpeechParameters::ssml(text),
        };
        speech.voice_id.clone_from(&self.ability.voice);
        speech.language_code = Some(self.locale.replace('_', "-"));
        speech
    }

    pub(in crate::engine) fn speeches(&self) -> Option<SpeechId> {
        match self.phase {
            Phase::Rendering(speech) | Phase::Saying(speech, _) => Some(speech),
            Phase::Listening | Phase::Asking(_) => None,
        }
    }

    pub(in crate::engine) fn playing(&self) -> Option<PlayId> {
        match self.phase {
            Phase::Saying(_, play) => Some(play),
            _ => None,
        }
    }

    pub(in crate::engine) fn asking(&self) -> Option<TurnId> {
        match self.phase {
            Phase::Asking(turn) => Some(turn),
            _ => None,
        }
    }

    pub(in crate::engine) fn is_listening(&self) -> bool {
        self.listening
    }

    /// The result of a conversation in which nobody said anything that counted: what the bot answered last, failed.
    pub(super) fn failed_result(&self) -> Value {
        let mut result = self.result.clone().unwrap_or_else(|| {
            json!({
                "SessionId": self.session,
                "SessionState": {
                    "SessionAttributes": self.attributes,
                    "Intent": {"Name": "FallbackIntent", "Slots": {}, "ConfirmationState": "None"},
                },
                "Interpretations": [],
            })
        });
        if let Some(intent) = result.pointer_mut("/SessionState/Intent") {
            intent["State"] = json!("Failed");
        }
        result
    }
}
