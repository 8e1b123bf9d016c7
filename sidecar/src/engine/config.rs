//! What an engine must know before its first call.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::bot::BotAbility;
use super::throttle::Throttle;

/// Whose application it is, and its limits.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// `AwsAccountId` in events: 12 digits.
    pub aws_account_id: String,
    /// `AwsRegion` in events.
    pub aws_region: String,
    /// `SipRuleId` in events.
    pub sip_rule_id: Option<String>,
    /// `SipMediaApplicationId` in events.
    pub sip_media_application_id: String,
    /// Numbers that may be shown as a caller (facts F6, CallerIdNumber), E.164. When it is empty, any is allowed.
    pub own_numbers: Vec<String>,
    /// How often VoiceFocus may be switched: 5 times a second for all calls of an account (facts F6). Shared by them.
    pub voice_focus: Arc<Throttle>,
    /// The bots that StartBotConversation may name, by BotAliasArn.
    pub bots: Arc<BTreeMap<String, BotAbility>>,
    /// Times and counts.
    pub limits: Limits,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            aws_account_id: "000000000000".to_owned(),
            aws_region: "local".to_owned(),
            sip_rule_id: None,
            sip_media_application_id: "skillcall".to_owned(),
            own_numbers: Vec::new(),
            voice_focus: Arc::new(Throttle::per_second(5)),
            bots: Arc::default(),
            limits: Limits::default(),
        }
    }
}

/// Times and counts. The defaults are Amazon's where they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How long an attempt to ask the handler may take before the next one (facts F3: 5 s).
    pub handler_attempt: Duration,
    /// How long all attempts together may take before the call ends (facts F3: 20 s).
    pub handler_total: Duration,
    /// How long a call may stay unanswered with nothing to do (facts F3: 30 s).
    pub no_action: Duration,
    /// How long rendering a text may take (ours: 10 s).
    pub render: Duration,
    /// How long a bot may take to answer (ours: 25 s; the service keeps shorter times).
    pub bot: Duration,
    /// How long a store may take to begin, or to finish, a recording (ours: 15 s).
    pub storage: Duration,
    /// How long a cancelled call attempt may take to say so (ours: a little more than 64·T1, RFC 3261 §9.1).
    pub cancel: Duration,
    /// How long a call that was made through the API may ring (ours: 60 s; Amazon's is not published).
    pub ring: Duration,
    /// Longest call (ours: 8 h; facts K11), so that a forgotten one ends.
    pub call: Duration,
    /// Most events for one call (facts F1: 1000).
    pub invocations: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handler_attempt: Duration::from_secs(5),
            handler_total: Duration::from_secs(20),
            no_action: Duration::from_secs(30),
            render: Duration::from_secs(10),
            bot: Duration::from_secs(25),
            storage: Duration::from_secs(15),
            cancel: Duration::from_secs(35),
            ring: Duration::from_secs(60),
            call: Duration::from_secs(8 * 3600),
            invocations: 1000,
        }
    }
}
