//! Asking the handler: events are posted, signed; replies are bounded, and verified when they must be.
//!
//! Runs on tokio. Attempts and time-outs are the action engine's; here is one exchange.

mod exchange;
mod fixed;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use skillcall_protocol::signing::KeyRing;
use skillcall_protocol::sma::Event;
use url::Url;

use crate::config::{Answerer, Secrets, SidecarConfig};
use crate::engine::HandlerOutcome;
use crate::figures::Figures;
use crate::trace::{CallIds, HandlerExchange, TraceSink};
use exchange::Failed;
use fixed::FixedReply;
pub(crate) use fixed::read_actions;

/// The largest reply that is read. Amazon's Lambda may send 6 MB; ten actions fit many times into this.
const MOST_REPLY_BYTES: usize = 256 * 1024;
/// A connection to a handler on the same machine or network stands within this time.
const CONNECT: Duration = Duration::from_secs(3);
/// One exchange ends after this in any case; the engine gives up earlier (facts F3: 20 s).
const LONGEST: Duration = Duration::from_secs(25);

/// Checks signing keys as they stand in a `keys-file`: `ID:BASE64`, more after commas.
///
/// # Errors
/// What is wrong in them; never the keys themselves.
pub(crate) fn parse_keys(text: &str) -> Result<KeyRing, String> {
    KeyRing::parse(text).map_err(|error| error.to_string())
}

/// A handler that could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// The HTTP client could not be made.
    #[error("HTTP client: {0}")]
    Client(#[from] reqwest::Error),
    /// An application's keys are unusable.
    #[error("application `{id}`: {problem}")]
    Keys {
        /// The application.
        id: String,
        /// What is wrong.
        problem: String,
    },
    /// An application's file of actions is unusable.
    #[error("application `{id}`: {problem}")]
    Actions {
        /// The application.
        id: String,
        /// What is wrong.
        problem: String,
    },
    /// An application has neither a handler nor actions, or both.
    #[error("application `{id}`: exactly one of `handler` and `actions` must be given")]
    Unclear {
        /// The application.
        id: String,
    },
}

/// The handlers of all applications.
pub(crate) struct Handlers {
    client: reqwest::Client,
    answering: Vec<Answering>,
    figures: Arc<Figures>,
    trace: TraceSink,
}

enum Answering {
    Handler(Handler),
    Fixed(FixedReply),
}

struct Handler {
    url: Url,
    keys: Option<KeyRing>,
    signed_replies: bool,
}

/// What is to be posted.
#[derive(Clone)]
pub(crate) struct Question {
    /// The application's place in the configuration.
    pub(crate) application: usize,
    /// The event.
    pub(crate) event: Arc<Event>,
    /// 1 for the first attempt.
    pub(crate) attempt: u32,
    /// Whose call it is.
    pub(crate) ids: Arc<CallIds>,
}

impl Handlers {
    pub(crate) fn new(
        config: &SidecarConfig,
        secrets: &Secrets,
        figures: Arc<Figures>,
        trace: TraceSink,
    ) -> Result<Self, HandlerError> {
        // Set once for the process; another library may have been first with the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(LONGEST)
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(64)
            .user_agent(concat!("skillcall-sidecar/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let answering = config
            .application
            .iter()
            .zip(&secrets.application_keys)
            .map(|(application, keys)| {
                let id = || application.id.clone();
                let url = match Answerer::of(application) {
                    Answerer::Handler(url) => url.clone(),
                    Answerer::Actions(file) => {
                        let reply = read_actions(&config.resolve(file))
                            .map_err(|problem| HandlerError::Actions { id: id(), problem })?;
                        return Ok(Answering::Fixed(reply));
                    }
                    Answerer::Unclear => return Err(HandlerError::Unclear { id: id() }),
                };
                let keys = keys.as_deref().map(parse_keys).transpose();
                Ok(Answering::Handler(Handler {
                    url,
                    keys: keys.map_err(|problem| HandlerError::Keys { id: id(), problem })?,
                    signed_replies: application.require_signed_replies,
                }))
            })
            .collect::<Result<_, HandlerError>>()?;
        Ok(Self {
            client,
            answering,
            figures,
            trace,
        })
    }

    /// Key rings of all applications: the component signs its trace records with one of them.
    pub(crate) fn key_rings(&self) -> impl Iterator<Item = &KeyRing> {
        self.answering
            .iter()
            .filter_map(|answering| match answering {
                Answering::Handler(handler) => handler.keys.as_ref(),
                Answering::Fixed(_) => None,
            })
    }

    /// What an application answers without asking anyone; none when it has a handler.
    pub(crate) fn fixed(&self, application: usize, event: &Event) -> Option<HandlerOutcome> {
        match self.answering.get(application)? {
            Answering::Handler(_) => None,
            Answering::Fixed(reply) => Some(reply.outcome(event)),
        }
    }

    /// Posts an event and reads the reply.
    pub(crate) async fn ask(&self, question: Question) -> HandlerOutcome {
        let handler = match self.answering.get(question.application) {
            Some(Answering::Handler(handler)) => handler,
            Some(Answering::Fixed(reply)) => return reply.outcome(&question.event),
            None => {
                return HandlerOutcome::Unreachable {
                    reason: "the application is not configured".into(),
                };
            }
        };
        let _asking = Asking::new(&self.figures);
        let body = match serde_json::to_vec(&*question.event) {
            Ok(body) => body,
            Err(error) => {
                return HandlerOutcome::Unreachable {
                    reason: format!("the event: {error}"),
                };
            }
        };
        let (at, began) = (SystemTime::now(), Instant::now());
        let result = exchange::post(&self.client, handler, &question.ids, body.clone()).await;
        let (outcome, status, reply, problem) = match result {
            Ok(reply) => {
                let outcome = HandlerOutcome::from_http(reply.status, &reply.body);
                let problem = match &outcome {
                    HandlerOutcome::Replied(Err(error)) => Some(error.to_string()),
                    _ => None,
                };
                (outcome, Some(reply.status), reply.body, problem)
            }
            Err(Failed { status, reason }) => (
                HandlerOutcome::Unreachable {
                    reason: reason.clone(),
                },
                status,
                Vec::new(),
                Some(reason),
            ),
        };
        self.trace.handler(
            &question.ids,
            HandlerExchange {
                at,
                path: handler.url.path().to_owned(),
                is_component: handler.signed_replies,
                event: question.event.invocation_event_type.as_str().to_owned(),
                attempt: question.attempt,
                elapsed: began.elapsed(),
                status,
                problem,
                request: body,
                reply,
            },
        );
        outcome
    }
}

/// Counts an exchange for as long as it lives, also when it is abandoned.
struct Asking<'a>(&'a Figures);

impl<'a> Asking<'a> {
    fn new(figures: &'a Figures) -> Self {
        figures.asking.fetch_add(1, Ordering::Relaxed);
        Self(figures)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.asking.fetch_sub(1, Ordering::Relaxed);
    }
}
