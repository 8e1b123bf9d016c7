//! What happens in a call: flows and their steps.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::{Announce, yes};

/// What answers a number.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Flow {
    /// The number, E.164.
    #[schemars(with = "String")]
    pub number: Spanned<String>,
    /// The name of the first step. A flow has a start and steps, or a handler.
    #[schemars(with = "Option<String>")]
    pub start: Option<Spanned<String>>,
    /// The steps by name.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Step>")]
    pub step: BTreeMap<Spanned<String>, Step>,
    /// The URL of a handler to which every event of these calls is handed over.
    #[schemars(with = "Option<String>")]
    pub handler: Option<Spanned<String>>,
    /// Whether the handler's replies must be signed; `true` if absent.
    #[serde(default = "yes")]
    pub require_signed_replies: bool,
}

/// A step: one of `actions`, `say`, `menu`, `voicemail`, `dial`, `when-open` and `hand-over`, and what follows.
///
/// What follows is the name of a step, `end` (hang up) or `stay` (the call goes on as it is).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Step {
    /// SIP media application actions: `Type`, and the parameters beside it or in a table `Parameters`. A text may be a table with one text for each locale.
    #[schemars(with = "Option<Vec<BTreeMap<String, schemars::Schema>>>")]
    pub actions: Option<Vec<Spanned<toml::Table>>>,
    /// Says a text, or SSML: one for all locales, or one for each.
    #[schemars(with = "Option<Announce>")]
    pub say: Option<Spanned<toml::Value>>,
    /// Says a text and waits for keys; `on-digits` says what follows.
    #[schemars(with = "Option<Menu>")]
    pub menu: Option<Spanned<Menu>>,
    /// Takes a message; `then` follows.
    #[schemars(with = "Option<Voicemail>")]
    pub voicemail: Option<Spanned<Voicemail>>,
    /// Calls numbers, one after the other, in rounds; `on-failure` follows when nobody answers.
    #[schemars(with = "Option<Dial>")]
    pub dial: Option<Spanned<Dial>>,
    /// Goes on by opening hours.
    #[schemars(with = "Option<WhenOpen>")]
    pub when_open: Option<Spanned<WhenOpen>>,
    /// Hands the call over to a handler: this event and all that follow.
    #[schemars(with = "Option<HandOver>")]
    pub hand_over: Option<Spanned<HandOver>>,
    /// What follows when the last action is done. If absent: `stay` after CallAndBridge, JoinChimeMeeting,
    /// StartBotConversation, ReceiveDigits and Hangup, else `end`.
    #[schemars(with = "Option<String>")]
    pub then: Option<Spanned<String>>,
    /// What follows on which digits.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub on_digits: BTreeMap<Spanned<String>, Spanned<String>>,
    /// What follows on digits that `on-digits` does not name; if absent, what follows on a failure.
    #[schemars(with = "Option<String>")]
    pub on_other_digits: Option<Spanned<String>>,
    /// What follows when an action fails. If absent, what the step after `then` says; if none says it, an apology, and the call ends.
    #[schemars(with = "Option<String>")]
    pub on_failure: Option<Spanned<String>>,
    /// What the caller's leg does when the other leg has ended. If absent, what the step after `then` says; if none says it, the call ends.
    #[schemars(with = "Option<String>")]
    pub on_hangup: Option<Spanned<String>>,
}

/// A menu.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Menu {
    /// What is said: one text or SSML for all locales, or one for each.
    #[schemars(with = "Announce")]
    pub text: toml::Value,
    /// What is said before another try.
    #[schemars(with = "Option<Announce>")]
    pub failure_text: Option<toml::Value>,
    /// How often it is tried, 1 to 10; 3 if absent.
    #[serde(default = "three")]
    pub tries: i64,
    /// How many seconds each try waits for keys; 5 if absent.
    #[serde(default = "five")]
    pub seconds: i64,
    /// The most digits that are taken, where `on-digits` does not say it; more than one end with `#`.
    pub digits: Option<i64>,
}

/// A voice mail box.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Voicemail {
    /// The bucket that messages go to.
    pub bucket: String,
    /// What the names of messages begin with.
    pub prefix: Option<String>,
    /// What is said before: one text or SSML for all locales, or one for each.
    #[schemars(with = "Option<Announce>")]
    pub text: Option<toml::Value>,
    /// The longest message in seconds; 120 if absent. The pound key ends it.
    #[serde(default = "two_minutes")]
    pub max_seconds: i64,
    /// The seconds of silence that end a message; 5 if absent.
    #[serde(default = "five")]
    pub silence_seconds: i64,
}

/// Calls numbers, one after the other.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Dial {
    /// The numbers, E.164.
    #[schemars(with = "Vec<String>")]
    pub numbers: Vec<Spanned<String>>,
    /// The seconds that each rings; 25 if absent.
    #[serde(default = "ringing")]
    pub ring_seconds: i64,
    /// How often all of them are tried; once if absent. Numbers times rounds are at most 50.
    #[serde(default = "once")]
    pub rounds: i64,
    /// What the caller hears while it rings.
    pub ring_music: Option<Music>,
    /// What is said to the caller before another round.
    #[schemars(with = "Option<Announce>")]
    pub wait_text: Option<toml::Value>,
    /// What the caller hears before another round.
    pub wait_music: Option<Music>,
    /// The number that is shown; the skill's own if absent.
    pub caller_id: Option<String>,
}

/// An audio file.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Music {
    /// The bucket.
    pub bucket: String,
    /// The file in it.
    pub key: String,
}

/// Goes on by opening hours.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WhenOpen {
    /// The name of the opening hours.
    #[schemars(with = "String")]
    pub hours: Spanned<String>,
    /// What follows while it is open.
    #[schemars(with = "String")]
    pub open: Spanned<String>,
    /// What follows while it is closed.
    #[schemars(with = "String")]
    pub closed: Spanned<String>,
}

/// Hands the call over to a handler.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HandOver {
    /// The handler's URL: https, or http on loopback. It gets events as a SIP media application handler does, signed.
    #[schemars(with = "String")]
    pub url: Spanned<String>,
    /// Whether its replies must be signed; `true` if absent.
    #[serde(default = "yes")]
    pub require_signed_replies: bool,
}

fn once() -> i64 {
    1
}

fn three() -> i64 {
    3
}

fn five() -> i64 {
    5
}

fn ringing() -> i64 {
    25
}

fn two_minutes() -> i64 {
    120
}
