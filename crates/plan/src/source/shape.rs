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
    /// Whom the skill may call.
    #[serde(default)]
    pub destination: Vec<Destination>,
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
    /// The number that is called, E.164: a dial-in number of the SIP media application.
    #[schemars(with = "String")]
    pub number: Spanned<String>,
    /// What Alexa says when the call is placed: one text for all locales, or one for each. If absent, the text `calling`.
    #[schemars(with = "Option<Announce>")]
    pub announce: Option<Spanned<toml::Value>>,
    /// Where the caller's own number comes from; `["profile"]` if absent: the mobile number of the customer's profile.
    #[schemars(with = "Option<Vec<String>>")]
    pub caller: Option<Vec<Spanned<String>>>,
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
    /// The name of the first step.
    #[schemars(with = "String")]
    pub start: Spanned<String>,
    /// The steps by name.
    #[schemars(with = "BTreeMap<String, Step>")]
    pub step: BTreeMap<Spanned<String>, Step>,
}

/// A step: SIP media application actions, and what follows.
///
/// What follows is the name of a step, `end` (hang up) or `stay` (the call goes on as it is).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Step {
    /// The actions: `Type`, and the parameters beside it or in a table `Parameters`. A text may be a table with one text for each locale.
    #[schemars(with = "Vec<BTreeMap<String, schemars::Schema>>")]
    pub actions: Vec<Spanned<toml::Table>>,
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
}
