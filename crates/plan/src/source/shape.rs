//! The shape of `skillcall.toml`. The documentation of each field is what editors show through the JSON Schema.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

/// The call plan of a skill: whom it may call, and what happens in a call.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(title = "skillcall call plan")]
pub struct Source {
    /// The skill's ids.
    pub skill: Skill,
    /// Where the numbers of callers come from; the customer's Alexa profile if absent.
    pub caller: Option<Caller>,
    /// Limits of what customers may do.
    pub limits: Option<Limits>,
    /// Whom the skill may call.
    #[serde(default)]
    pub destination: Vec<Destination>,
    /// The intents of the interaction model that place calls; if there is none, `CallIntent` with the slot `destination`.
    #[serde(default)]
    pub intent: Vec<Intent>,
    /// Who may call what: the first rule that concerns a call decides. If there is none, everybody may call everything;
    /// if there is one, what no rule concerns is not allowed.
    #[serde(default)]
    pub permission: Vec<Permission>,
    /// Opening hours by name, as `[hours.desk]`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Hours>")]
    pub hours: BTreeMap<Spanned<String>, Hours>,
    /// Words that stand for `{var.NAME}` in texts and actions; those of a locale come first.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// What answers which number.
    #[serde(default)]
    pub flow: Vec<Flow>,
    /// Voices and texts by locale, as `[locale.de-DE]`. English and German texts are built in.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Locale>")]
    pub locale: BTreeMap<Spanned<String>, Locale>,
}

/// The skill's ids.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Skill {
    /// The skill's id, `amzn1.ask.skill.…`; requests for another skill are refused.
    #[schemars(with = "String")]
    pub id: Spanned<String>,
    /// The client id of the skill's Permissions page, `amzn1.application-oa2-client.` and 32 hexadecimal digits.
    /// Calls that carry another one are not answered.
    #[schemars(with = "Option<String>")]
    pub lwa_client_id: Option<Spanned<String>>,
    /// The locale of calls that come without session, and of people whose language the plan does not have; `en-US` if absent.
    #[schemars(with = "Option<String>")]
    pub default_locale: Option<Spanned<String>>,
    /// `communicationProviderId` of the called party; Amazon's id of skill calling if absent.
    #[schemars(with = "Option<String>")]
    pub communication_provider_id: Option<Spanned<String>>,
}

/// Whom the skill may call.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Destination {
    /// The name that people say.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// The id of the interaction model's slot value; made of the name if absent (`front desk` gives `front-desk`).
    #[schemars(with = "Option<String>")]
    pub id: Option<Spanned<String>>,
    /// Other names that people say.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub synonyms: Vec<Spanned<String>>,
    /// The number that is called, E.164: a dial-in number of the SIP media application. A destination has a number, an
    /// extension or a communication profile.
    #[schemars(with = "Option<String>")]
    pub number: Option<Spanned<String>>,
    /// The extension of a PBX that is called (RAW_ADDRESS).
    #[schemars(with = "Option<String>")]
    pub extension: Option<Spanned<String>>,
    /// The communication profile of an Alexa Smart Properties unit that is called (COMMUNICATION_PROFILE_ID).
    #[schemars(with = "Option<String>")]
    pub communication_profile: Option<Spanned<String>>,
    /// `communicationProviderId` of this destination; if absent, the skill's for numbers, Amazon's id of PBX calls for others.
    #[schemars(with = "Option<String>")]
    pub provider: Option<Spanned<String>>,
    /// What Alexa says when the call is placed: one text or SSML for all locales, or one for each. If absent, the text `calling`.
    #[schemars(with = "Option<Announce>")]
    pub announce: Option<Spanned<toml::Value>>,
    /// How Alexa names the destination, as "the front desk": for all locales, or for each. If absent, the name.
    #[schemars(with = "Option<Announce>")]
    pub spoken: Option<Spanned<toml::Value>>,
    /// Where the caller's own number comes from, in this order: `person`, `profile`, `account-link`, `fixed`. If absent, what
    /// `caller.order` says.
    #[schemars(with = "Option<Vec<String>>")]
    pub caller: Option<Vec<Spanned<String>>>,
    /// Whether the customer is asked before the call.
    #[serde(default)]
    pub confirm: bool,
    /// The name of the opening hours; if absent, it is always open.
    #[schemars(with = "Option<String>")]
    pub hours: Option<Spanned<String>>,
    /// The destination that is called while this one is closed, by name or id.
    #[schemars(with = "Option<String>")]
    pub fallback: Option<Spanned<String>>,
}

/// Where the numbers of callers come from.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Caller {
    /// The sources in order, for destinations that name none: `person` (the recognised speaker's profile), `profile` (the
    /// account's), `account-link`, `fixed`. `["profile"]` if absent.
    #[schemars(with = "Option<Vec<String>>")]
    pub order: Option<Vec<Spanned<String>>>,
    /// The linked account's userinfo endpoint.
    pub account_link: Option<AccountLink>,
    /// Callers by the device or unit that they speak from.
    #[serde(default)]
    pub fixed: Vec<FixedCaller>,
}

/// The linked account's userinfo endpoint.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AccountLink {
    /// Its https URL. It gets the linked account's token as a bearer token.
    #[schemars(with = "String")]
    pub userinfo: Spanned<String>,
    /// The JSON pointer (RFC 6901) to the number in its answer, as `/phone_number`.
    #[schemars(with = "String")]
    pub number: Spanned<String>,
}

/// A caller by the device or unit; without a place, the caller of every other one.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FixedCaller {
    /// The device's id.
    #[schemars(with = "Option<String>")]
    pub device: Option<Spanned<String>>,
    /// The unit's id.
    #[schemars(with = "Option<String>")]
    pub unit: Option<Spanned<String>>,
    /// The unit's persistent id.
    #[schemars(with = "Option<String>")]
    pub persistent_unit: Option<Spanned<String>>,
    /// The number, E.164.
    #[schemars(with = "Option<String>")]
    pub number: Option<Spanned<String>>,
    /// The unit's communication profile, in place of a number.
    #[schemars(with = "Option<String>")]
    pub communication_profile: Option<Spanned<String>>,
    /// `communicationProviderId` beside the profile; Amazon's id of PBX calls if absent.
    #[schemars(with = "Option<String>")]
    pub provider: Option<Spanned<String>>,
}

/// Limits of what customers may do.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limits {
    /// The most calls that a customer may place within an hour, 1 to 1000; any number if absent.
    #[schemars(with = "Option<i64>")]
    pub calls_per_hour: Option<Spanned<i64>>,
}

/// An intent of the interaction model that places calls.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Intent {
    /// Its name.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// The slot that says whom to call; `destination` if absent.
    #[schemars(with = "Option<String>")]
    pub slot: Option<Spanned<String>>,
    /// The destination that is always called, by name or id; the slot is not read then.
    #[schemars(with = "Option<String>")]
    pub destination: Option<Spanned<String>>,
}

/// A rule about who may call what. Each list that is there must name the caller.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Permission {
    /// Accounts: user ids.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub users: Vec<Spanned<String>>,
    /// Recognised speakers: person ids.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub persons: Vec<Spanned<String>>,
    /// Device ids.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub devices: Vec<Spanned<String>>,
    /// Units, by id or persistent id.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub units: Vec<Spanned<String>>,
    /// The destinations, by name or id; all if absent.
    #[schemars(with = "Option<Vec<String>>")]
    pub call: Option<Vec<Spanned<String>>>,
    /// Whether the call is allowed; `true` if absent.
    #[serde(default = "yes")]
    pub allow: bool,
}

fn yes() -> bool {
    true
}

/// Opening hours.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Hours {
    /// The time zone, as `Europe/Berlin`.
    #[schemars(with = "String")]
    pub time_zone: Spanned<String>,
    /// When it is open, as `Mon-Fri 07:00-22:00`. An end before its beginning is one of the next day.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub open: Vec<Spanned<String>>,
    /// Days on which it is closed: `2026-12-24`, `12-25` (every year), or a range, as `12-24..12-26`.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub closed: Vec<Spanned<String>>,
    /// Days with other times, as `12-24 = "08:00-12:00"`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub special: BTreeMap<Spanned<String>, Spanned<String>>,
}

/// One text for all locales, or one for each: the form of `announce`, which is read by hand, because a value that may
/// have two forms loses its place.
#[derive(Debug, Clone, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
pub(super) enum Announce {
    /// One text for all locales.
    All(String),
    /// One text for each locale.
    Each(BTreeMap<String, String>),
}

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

/// Voice and texts of a locale.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Locale {
    /// The voice of Speak and SpeakAndGetDigits actions that name none.
    #[schemars(with = "Option<String>")]
    pub voice: Option<Spanned<String>>,
    /// What the skill says in place of the built-in texts.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub texts: BTreeMap<Spanned<String>, Spanned<String>>,
    /// Words that stand for `{var.NAME}` in this locale.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
}
