//! An application that calls can be given to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use skillcall_protocol::sma::Reply;

use crate::config::{ApplicationConfig, SidecarConfig, lambda_account};
use crate::engine::{BotAbility, EngineConfig, Limits, Throttle};
use crate::handler::Answering;

/// The id of what decides calls between phones; no application of the configuration has it by chance.
const OF_PHONES: &str = "(phones)";

/// An application, with everything that a call of it needs. Calls keep it for as long as they last, whatever becomes of it.
pub(crate) struct Application {
    /// Its settings.
    pub(crate) config: ApplicationConfig,
    /// What the action engine must know.
    pub(crate) engine: Arc<EngineConfig>,
    /// Who decides its calls.
    pub(crate) answering: Arc<Answering>,
}

/// VoiceFocus is bounded for each account (facts F6).
#[derive(Default)]
pub(super) struct Throttles(Mutex<BTreeMap<String, Arc<Throttle>>>);

impl Throttles {
    fn of(&self, account: &str) -> Arc<Throttle> {
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let throttle = accounts
            .entry(account.to_owned())
            .or_insert_with(|| Arc::new(Throttle::per_second(5)));
        Arc::clone(throttle)
    }
}

impl Application {
    pub(super) fn new(
        config: &SidecarConfig,
        application: ApplicationConfig,
        answering: Arc<Answering>,
        throttles: &Throttles,
        bots: &Arc<BTreeMap<String, BotAbility>>,
    ) -> Self {
        let engine = EngineConfig {
            voice_focus: throttles.of(&application.aws_account),
            aws_account_id: application.aws_account.clone(),
            aws_region: application.region.clone(),
            sip_rule_id: Some(application.rule_id().to_owned()),
            sip_media_application_id: application.id.clone(),
            own_numbers: application.own_numbers.clone(),
            bots: Arc::clone(bots),
            limits: Limits {
                call: Duration::from_secs(config.limits.call_seconds.into()),
                ring: Duration::from_secs(config.limits.ring_seconds.into()),
                // The service keeps the time; the engine's own is only its safety net.
                render: Duration::from_secs(u64::from(config.speech.timeout_seconds) + 5),
                ..Limits::default()
            },
        };
        Self {
            config: application,
            engine: Arc::new(engine),
            answering,
        }
    }

    /// What stands where a call has its application, in calls of the gateway's.
    pub(crate) fn of_gateway(config: &SidecarConfig) -> Self {
        Self::new(
            config,
            ApplicationConfig::unanswered("gateway"),
            Arc::new(Answering::nobody()),
            &Throttles::default(),
            &Arc::default(),
        )
    }

    /// What decides a phone's call to another phone, or by a route: this reply, to all its calls.
    pub(crate) fn of_phones(config: &SidecarConfig, reply: Reply) -> Self {
        Self::new(
            config,
            ApplicationConfig::unanswered(OF_PHONES),
            Arc::new(Answering::bridging(reply)),
            &Throttles::default(),
            &Arc::default(),
        )
    }

    /// Whether it is such.
    pub(crate) fn is_of_phones(&self) -> bool {
        self.config.id == OF_PHONES
    }

    /// The same application, reached by a rule.
    pub(super) fn by_rule(&self, rule_id: &str) -> Self {
        let mut config = self.config.clone();
        config.rule_id = Some(rule_id.to_owned());
        let engine = EngineConfig {
            sip_rule_id: Some(rule_id.to_owned()),
            ..(*self.engine).clone()
        };
        Self {
            config,
            engine: Arc::new(engine),
            answering: Arc::clone(&self.answering),
        }
    }
}

/// The settings of an application whose function has no handler any more.
pub(super) fn unanswered(id: &str, region: &str, arn: &str) -> ApplicationConfig {
    let mut config = ApplicationConfig::unanswered(id);
    region.clone_into(&mut config.region);
    if let Some(account) = lambda_account(arn) {
        account.clone_into(&mut config.aws_account);
    }
    config
}
