//! SIP media applications and the rules that lead to them: those of `sidecar.toml`, and those that the control plane
//! makes (facts F10).
//!
//! | file | what |
//! |---|---|
//! | `mod` | which applications take a call; the way to all of it |
//! | `record` | applications, rules and settings in Amazon's shapes |
//! | `book`, `rules` | what the control plane has made, and what it refuses |
//! | `file` | the book over a restart |
//! | `live` | an application that calls can be given to |

mod book;
mod file;
mod live;
mod record;
mod rules;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::SystemTime;

use skillcall_protocol::signing::KeyRing;
use uuid::Uuid;

use crate::config::{Secrets, SidecarConfig};
use crate::engine::BotAbility;
use crate::handler::{Answering, HandlerError};
pub(crate) use book::{Book, Configured, Refusal, Stamp};
use file::BookFile;
pub(crate) use live::Application;
use live::Throttles;
pub(crate) use record::{AlexaSkill, Logging, SipMediaApplication, SipRule, TriggerType};
use record::{Endpoint, Settings, Target};
use rules::trigger_key;
pub(crate) use rules::{NewRule, NewTarget};

/// Why there are no applications to begin with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplicationsError {
    /// A handler cannot be set up.
    #[error(transparent)]
    Handler(#[from] HandlerError),
    /// What was kept cannot be read.
    #[error(transparent)]
    Kept(#[from] std::io::Error),
}

/// All applications and rules.
pub(crate) struct Applications {
    config: Arc<SidecarConfig>,
    configured: Configured,
    /// Those of `sidecar.toml`, in its order.
    fixed: Vec<Arc<Application>>,
    /// By `LambdaArn`.
    functions: HashMap<String, Arc<Answering>>,
    throttles: Throttles,
    bots: Arc<BTreeMap<String, BotAbility>>,
    file: BookFile,
    book: Mutex<Book>,
    routes: RwLock<Arc<Routes>>,
}

/// Where calls lead, made anew with every change of the book.
#[derive(Default)]
struct Routes {
    by_id: HashMap<String, Arc<Application>>,
    by_trigger: HashMap<(TriggerType, String), Vec<Arc<Application>>>,
    settings: HashMap<String, Settings>,
    /// Client ids of skills that an application allows.
    skills: Vec<String>,
}

impl Applications {
    /// Those of the configuration, and what was kept in the state folder.
    ///
    /// # Errors
    /// A handler that cannot be set up, or a file that cannot be read.
    pub(crate) fn open(
        config: &Arc<SidecarConfig>,
        secrets: &Secrets,
    ) -> Result<Self, ApplicationsError> {
        let throttles = Throttles::default();
        let bots = Arc::new(crate::bot::abilities(config));
        let mut fixed = Vec::new();
        for (application, keys) in config.application.iter().zip(&secrets.application_keys) {
            let answering = Arc::new(Answering::of(config, application, keys.as_deref())?);
            fixed.push(Arc::new(Application::new(
                config,
                application.clone(),
                answering,
                &throttles,
                &bots,
            )));
        }
        let mut functions = HashMap::new();
        for (lambda, keys) in config.lambda.iter().zip(&secrets.lambda_keys) {
            let application = lambda.application(&lambda.arn, "");
            let answering = Answering::of(config, &application, keys.as_deref())?;
            functions.insert(lambda.arn.clone(), Arc::new(answering));
        }
        let file = BookFile::new(&config.resolve(Path::new(&config.control.state_folder)));
        let book = file.load()?;
        let applications = Self {
            config: Arc::clone(config),
            configured: configured(config),
            fixed,
            functions,
            throttles,
            bots,
            file,
            book: Mutex::new(book.clone()),
            routes: RwLock::default(),
        };
        applications.follow(&book);
        Ok(applications)
    }

    /// Who takes a call to this number, or user, and host: the applications of its rule, the one to be asked first in
    /// front; none when no rule fits. A rule for the number goes before one for the host (our choice), and both before
    /// an `[[application]]` for every number.
    pub(crate) fn reached_by(&self, number: &str, host: &str) -> Vec<Arc<Application>> {
        let routes = self.routes();
        let by = |kind, value: &str| routes.by_trigger.get(&(kind, trigger_key(kind, value)));
        let fixed = |has_numbers: bool| {
            self.fixed
                .iter()
                .filter(move |application| application.config.numbers.is_empty() != has_numbers)
                .find(|application| application.config.answers(number))
                .map(|application| vec![Arc::clone(application)])
        };
        by(TriggerType::ToPhoneNumber, number)
            .cloned()
            .or_else(|| fixed(true))
            .or_else(|| by(TriggerType::RequestUriHostname, host).cloned())
            .or_else(|| fixed(false))
            .unwrap_or_default()
    }

    /// An application by its id, for calls that the API makes.
    pub(crate) fn by_id(&self, id: &str) -> Option<Arc<Application>> {
        let fixed = || self.fixed.iter().find(|fixed| fixed.config.id == id);
        let routes = self.routes();
        routes.by_id.get(id).or_else(fixed).cloned()
    }

    /// Whether a skill may call an application: its Alexa skill configuration says so, or else `[sip] skills` (facts D6).
    pub(crate) fn allows_skill(&self, application: &Application, client_id: &str) -> bool {
        let routes = self.routes();
        let skill = routes
            .settings
            .get(&application.config.id)
            .and_then(|settings| settings.alexa_skill.as_ref());
        match skill {
            Some(skill) => skill.allows(client_id),
            None => self.config.sip.skills.iter().any(|id| id == client_id),
        }
    }

    /// Whether some application's Alexa skill configuration allows a skill.
    pub(crate) fn knows_skill(&self, client_id: &str) -> bool {
        self.routes().skills.iter().any(|id| id == client_id)
    }

    /// Whether every call of an application is traced: its logging configuration says so.
    pub(crate) fn logs(&self, application: &Application) -> bool {
        self.routes()
            .settings
            .get(&application.config.id)
            .and_then(|settings| settings.logging)
            .is_some_and(|logging| logging.enable_sip_media_application_message_logs)
    }

    /// Key rings of all handlers.
    pub(crate) fn key_rings(&self) -> impl Iterator<Item = &KeyRing> {
        let fixed = self.fixed.iter().map(|application| &application.answering);
        fixed
            .chain(self.functions.values())
            .filter_map(|answering| answering.keys())
    }

    /// Looks at everything that there is.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Book, &Configured) -> T) -> T {
        look(&self.book(), &self.configured)
    }

    /// Reads the book once more: another process may have changed it since the start.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn read_again(&self) -> std::io::Result<()> {
        let read = self.file.load()?;
        let mut book = self.book();
        *book = read;
        self.follow(&book);
        Ok(())
    }

    /// Changes the book. The change is on the disk, and calls follow it, when this returns.
    ///
    /// # Errors
    /// What `change` says; nothing has changed then.
    pub(crate) fn change<T>(
        &self,
        change: impl FnOnce(&mut Book, &Configured) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut book = self.book();
        let mut changed = book.clone();
        let result = change(&mut changed, &self.configured)?;
        self.file
            .save(&changed)
            .map_err(|error| Refusal::NotKept(format!("it cannot be kept: {error}")))?;
        *book = changed;
        self.follow(&book);
        Ok(result)
    }

    /// A new id and the time.
    pub(crate) fn stamp() -> Stamp {
        Stamp {
            id: Uuid::new_v4().to_string(),
            time: time(SystemTime::now()),
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn routes(&self) -> Arc<Routes> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&routes)
    }

    fn follow(&self, book: &Book) {
        let mut routes = Routes {
            settings: book.settings.clone().into_iter().collect(),
            ..Routes::default()
        };
        for (id, application) in &book.applications {
            let made = Arc::new(self.made(application));
            routes.by_id.insert(id.clone(), made);
        }
        for rule in book.rules.values().filter(|rule| !rule.disabled) {
            let mut targets: Vec<&Target> = rule.target_applications.iter().collect();
            targets.sort_by_key(|target| target.priority);
            let fixed = |id: &str| self.fixed.iter().find(|fixed| fixed.config.id == id);
            let applications = targets
                .into_iter()
                .filter_map(|target| {
                    let id = target.sip_media_application_id.as_str();
                    let application = routes.by_id.get(id).or_else(|| fixed(id))?;
                    Some(Arc::new(application.by_rule(&rule.sip_rule_id)))
                })
                .collect();
            let key = trigger_key(rule.trigger_type, &rule.trigger_value);
            routes
                .by_trigger
                .insert((rule.trigger_type, key), applications);
        }
        routes.skills = book
            .settings
            .values()
            .filter_map(|settings| settings.alexa_skill.as_ref())
            .flat_map(|skill| {
                let ids = skill.alexa_skill_ids.iter();
                ids.filter(|id| skill.allows(id)).cloned()
            })
            .collect();
        *self.routes.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(routes);
    }

    /// An application that the API has made, ready for calls.
    fn made(&self, application: &SipMediaApplication) -> Application {
        let arn = application
            .endpoints
            .first()
            .map_or("", |endpoint| endpoint.lambda_arn.as_str());
        let lambda = self.config.lambda.iter().find(|lambda| lambda.arn == arn);
        let (id, region) = (
            &application.sip_media_application_id,
            &application.aws_region,
        );
        let config = lambda.map_or_else(
            || live::unanswered(id, region, arn),
            |lambda| lambda.application(id, region),
        );
        let answering = self
            .functions
            .get(arn)
            .cloned()
            .unwrap_or_else(|| Arc::new(Answering::nobody()));
        Application::new(&self.config, config, answering, &self.throttles, &self.bots)
    }
}

/// What the API shows of the configuration file.
fn configured(config: &SidecarConfig) -> Configured {
    let time = time(SystemTime::now());
    let mut configured = Configured {
        functions: config
            .lambda
            .iter()
            .map(|lambda| lambda.arn.clone())
            .collect(),
        ..Configured::default()
    };
    for application in &config.application {
        let (id, region) = (&application.id, &application.region);
        let endpoint = application
            .handler
            .as_ref()
            .map(ToString::to_string)
            .or_else(|| Some(application.actions.as_ref()?.display().to_string()))
            .unwrap_or_default();
        configured.applications.push(SipMediaApplication {
            sip_media_application_id: id.clone(),
            aws_region: region.clone(),
            name: id.clone(),
            endpoints: vec![Endpoint {
                lambda_arn: endpoint,
            }],
            created_timestamp: time.clone(),
            updated_timestamp: time.clone(),
            sip_media_application_arn: format!(
                "arn:aws:chime:{region}:{}:sma/{id}",
                application.aws_account
            ),
        });
        for number in &application.numbers {
            configured.rules.push(SipRule {
                sip_rule_id: application.rule_id().to_owned(),
                name: id.clone(),
                disabled: false,
                trigger_type: TriggerType::ToPhoneNumber,
                trigger_value: number.clone(),
                target_applications: vec![Target {
                    sip_media_application_id: id.clone(),
                    priority: 1,
                    aws_region: region.clone(),
                }],
                created_timestamp: time.clone(),
                updated_timestamp: time.clone(),
            });
        }
    }
    configured
}

/// A time in ISO 8601, to the millisecond.
fn time(time: SystemTime) -> String {
    let time = jiff::Timestamp::try_from(time).unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

#[cfg(test)]
mod tests;
