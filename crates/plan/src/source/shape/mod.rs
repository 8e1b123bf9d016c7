//! The shape of `skillcall.toml`. The documentation of each field is what editors show through the JSON Schema.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

mod call;

pub use call::{Dial, Flow, HandOver, Menu, Music, Step, Voicemail, WhenOpen};

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
