//! `[[application]]` and `[[route]]`: who answers a call, and where outgoing legs go.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use url::Url;

/// A SIP media application and the rule that leads to it (facts E2, F10).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ApplicationConfig {
    /// `SipMediaApplicationId` of the events.
    pub id: String,
    /// `AwsAccountId` of the events; default 111122223333.
    #[serde(default = "account")]
    pub aws_account: String,
    /// `AwsRegion` of the events; default us-east-1.
    #[serde(default = "region")]
    pub region: String,
    /// `SipRuleId` of the events; default: the application's id.
    #[serde(default)]
    pub rule_id: Option<String>,
    /// Where events are posted, http or https. Either this or `actions` is given.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub handler: Option<Url>,
    /// File with a handler's reply (JSON, facts F1) that every new call gets, without a handler;
    /// when one leg has ended the others are hung up. Read at the start.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub actions: Option<PathBuf>,
    /// Where events are posted when `handler` cannot be reached or fails, in this order; default: nowhere else.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub fallback_handlers: Vec<Url>,
    /// Events that each handler is asked at a time; more wait, and waiting counts towards the 5 s that it has. 0: any
    /// number. Default: 1 for a path of Lambda's (`/2015-03-31/functions/NAME/invocations`), else any number.
    #[serde(default)]
    pub handler_concurrency: Option<u16>,
    /// Numbers that reach it, in E.164; default: every number.
    #[serde(default)]
    pub numbers: Vec<String>,
    /// Numbers that CallAndBridge may show as the caller (facts F6, CallerIdNumber); default: any.
    #[serde(default)]
    pub own_numbers: Vec<String>,
    /// Whether a handler's reply without a valid signature is refused; default true.
    #[serde(default = "yes")]
    pub require_signed_replies: bool,
    /// File with the signing keys (mode 0600), `ID:BASE64` separated by commas; the first
    /// signs, each verifies; or env `SKILLCALL_SIDECAR_KEYS`.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub keys_file: Option<PathBuf>,
}

fn account() -> String {
    "111122223333".into()
}

fn region() -> String {
    "us-east-1".into()
}

fn yes() -> bool {
    true
}

impl ApplicationConfig {
    /// An application with the defaults of the file.
    pub fn new(id: impl Into<String>, handler: Url) -> Self {
        Self {
            handler: Some(handler),
            ..Self::unanswered(id)
        }
    }

    /// An application that nobody answers for.
    pub(crate) fn unanswered(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            aws_account: account(),
            region: region(),
            rule_id: None,
            handler: None,
            actions: None,
            fallback_handlers: Vec::new(),
            handler_concurrency: None,
            numbers: Vec::new(),
            own_numbers: Vec::new(),
            require_signed_replies: true,
            keys_file: None,
        }
    }

    /// Whether its calls are decided by a handler.
    pub fn asks(&self) -> bool {
        self.handler.is_some()
    }

    /// Its handlers, the first one first; none when it answers by `actions`.
    pub fn handlers(&self) -> impl Iterator<Item = &Url> {
        self.handler.iter().chain(&self.fallback_handlers)
    }

    /// Whether a call that is made through the API may show this number: one of `own-numbers`, or of `numbers`; any when
    /// there are no `own-numbers`.
    pub fn may_show(&self, number: &str) -> bool {
        let bare = |n: &str| n.trim_start_matches('+').to_owned();
        self.own_numbers.is_empty()
            || self
                .own_numbers
                .iter()
                .chain(&self.numbers)
                .any(|own| bare(own) == bare(number))
    }

    /// The rule's id.
    pub fn rule_id(&self) -> &str {
        self.rule_id.as_deref().unwrap_or(&self.id)
    }

    /// Whether calls to this number or user reach it. A leading `+` may be missing on the wire.
    pub fn answers(&self, number: &str) -> bool {
        let bare = |n: &str| n.strip_prefix('+').unwrap_or(n).to_owned();
        self.numbers.is_empty() || self.numbers.iter().any(|n| bare(n) == bare(number))
    }
}

/// Who decides an application's calls.
pub(crate) enum Answerer<'a> {
    /// A handler, over HTTP.
    Handler(&'a Url),
    /// A reply in a file.
    Actions(&'a Path),
    /// Nobody, or both.
    Unclear,
}

impl<'a> Answerer<'a> {
    pub(crate) fn of(application: &'a ApplicationConfig) -> Self {
        match (&application.handler, &application.actions) {
            (Some(url), None) => Self::Handler(url),
            (None, Some(file)) => Self::Actions(file),
            (None, None) | (Some(_), Some(_)) => Self::Unclear,
        }
    }
}

/// One way out. Exactly one of `prefix` and `voice-connector` is given.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RouteConfig {
    /// Numbers (E.164) that begin so take this route; the longest prefix wins; `+` takes all.
    #[serde(default)]
    pub prefix: Option<String>,
    /// The Arn of a Voice Connector (or group) that actions name.
    #[serde(default)]
    pub voice_connector: Option<String>,
    /// Request-URI; `{number}` stands for the number, or for the endpoint's `Uri`. Needed without `trunk`; with one the
    /// default is the number at the trunk's target.
    #[serde(default)]
    pub uri: Option<String>,
    /// The `[[trunk]]` that the leg goes by; default: the `uri`'s own host.
    #[serde(default)]
    pub trunk: Option<String>,
    /// The `[[phone]]` that it rings, instead of `uri` and `trunk`: at all places where it is registered. `{number}` stands
    /// as in `uri`.
    #[serde(default)]
    pub phone: Option<String>,
    /// Calls at once that it carries; one more is refused; 0 (default): no limit.
    #[serde(default)]
    pub max_calls: u32,
    /// Calls within an hour that it takes; 0 (default): no limit.
    #[serde(default)]
    pub calls_per_hour: u32,
}

impl RouteConfig {
    /// The route of the numbers that begin so, without limits.
    pub fn to(prefix: &str, uri: &str) -> Self {
        Self {
            prefix: Some(prefix.to_owned()),
            voice_connector: None,
            uri: Some(uri.to_owned()),
            trunk: None,
            phone: None,
            max_calls: 0,
            calls_per_hour: 0,
        }
    }

    /// What it is known by: its prefix or its Voice Connector.
    pub fn name(&self) -> &str {
        let name = self.prefix.as_deref().or(self.voice_connector.as_deref());
        name.unwrap_or_default()
    }

    /// The phone that a number or user part rings, where the route leads to phones.
    pub fn phone_for(&self, user: &str) -> Option<String> {
        Some(self.phone.as_ref()?.replace("{number}", user))
    }

    /// The Request-URI for a number or user part, where the route writes one.
    pub fn uri_for(&self, user: &str) -> Option<String> {
        Some(self.uri.as_ref()?.replace("{number}", user))
    }
}

/// What an outgoing leg asks for (facts F6, CallAndBridge).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteTarget<'a> {
    /// `BridgeEndpointType: PSTN`: a number in E.164.
    Number(&'a str),
    /// `BridgeEndpointType: AWS`: a Voice Connector and the user part.
    VoiceConnector {
        /// The Arn.
        arn: &'a str,
        /// The user part of the Request-URI.
        user: &'a str,
    },
}

impl<'a> RouteTarget<'a> {
    /// The number, or the user part.
    pub const fn user(&self) -> &'a str {
        match *self {
            Self::Number(user) | Self::VoiceConnector { user, .. } => user,
        }
    }

    /// The best route, or none when no route fits.
    pub fn route<'r>(&self, routes: &'r [RouteConfig]) -> Option<&'r RouteConfig> {
        match *self {
            Self::Number(number) => routes
                .iter()
                .filter_map(|route| Some((route.prefix.as_deref()?, route)))
                .filter(|(prefix, _)| number.starts_with(prefix))
                .max_by_key(|(prefix, _)| prefix.len())
                .map(|(_, route)| route),
            Self::VoiceConnector { arn, .. } => routes
                .iter()
                .find(|route| route.voice_connector.as_deref() == Some(arn)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(prefix: Option<&str>, arn: Option<&str>, uri: &str) -> RouteConfig {
        RouteConfig {
            prefix: prefix.map(Into::into),
            voice_connector: arn.map(Into::into),
            ..RouteConfig::to("", uri)
        }
    }

    #[test]
    fn longest_prefix_wins() {
        let arn = "arn:aws:chime:us-east-1:111122223333:vc/abc";
        let routes = [
            route(Some("+"), None, "sip:{number}@trunk.example"),
            route(Some("+1607"), None, "sip:{number}@desk.example"),
            route(Some("+16075550100"), None, "sip:100@pbx.example"),
            route(None, Some(arn), "sip:{number}@pbx.example:5070"),
        ];
        let to = |target: RouteTarget<'_>| target.route(&routes)?.uri_for(target.user());
        assert_eq!(
            to(RouteTarget::Number("+442079460000")).unwrap(),
            "sip:+442079460000@trunk.example"
        );
        assert_eq!(
            to(RouteTarget::Number("+16075550199")).unwrap(),
            "sip:+16075550199@desk.example"
        );
        assert_eq!(
            to(RouteTarget::Number("+16075550100")).unwrap(),
            "sip:100@pbx.example"
        );
        assert_eq!(
            to(RouteTarget::VoiceConnector { arn, user: "2000" }).unwrap(),
            "sip:2000@pbx.example:5070"
        );
        assert_eq!(
            to(RouteTarget::VoiceConnector {
                arn: "arn:x",
                user: "2000"
            }),
            None
        );
        assert!(RouteTarget::Number("+1").route(&[]).is_none());
    }

    #[test]
    fn numbers_with_and_without_plus() {
        let mut app = ApplicationConfig::new("a", Url::parse("http://127.0.0.1/").unwrap());
        assert!(app.answers("anything"));
        app.numbers = vec!["+16075550199".into()];
        assert!(app.answers("16075550199"));
        assert!(!app.answers("+16075550198"));
    }
}
