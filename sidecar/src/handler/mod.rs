//! Asking the handler: events are posted, signed; replies are bounded, and verified when they must be.
//!
//! Runs on tokio. Attempts and time-outs are the action engine's; here is one exchange.

mod exchange;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use skillcall_protocol::signing::KeyRing;
use skillcall_protocol::sma::Event;
use url::Url;

use crate::config::{ApplicationConfig, Secrets};
use crate::engine::HandlerOutcome;
use crate::figures::Figures;
use crate::trace::{CallIds, HandlerExchange, TraceSink};
use exchange::Failed;

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
}

/// The handlers of all applications.
pub(crate) struct Handlers {
    client: reqwest::Client,
    handlers: Vec<Handler>,
    figures: Arc<Figures>,
    trace: TraceSink,
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
        applications: &[ApplicationConfig],
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
        let handlers = applications
            .iter()
            .zip(&secrets.application_keys)
            .map(|(application, keys)| {
                let keys = keys.as_deref().map(parse_keys).transpose();
                Ok(Handler {
                    url: application.handler.clone(),
                    keys: keys.map_err(|problem| HandlerError::Keys {
                        id: application.id.clone(),
                        problem,
                    })?,
                    signed_replies: application.require_signed_replies,
                })
            })
            .collect::<Result<_, HandlerError>>()?;
        Ok(Self {
            client,
            handlers,
            figures,
            trace,
        })
    }

    /// Key rings of all applications: the component signs its trace records with one of them.
    pub(crate) fn key_rings(&self) -> impl Iterator<Item = &KeyRing> {
        self.handlers
            .iter()
            .filter_map(|handler| handler.keys.as_ref())
    }

    /// Posts an event and reads the reply.
    pub(crate) async fn ask(&self, question: Question) -> HandlerOutcome {
        let Some(handler) = self.handlers.get(question.application) else {
            return HandlerOutcome::Unreachable {
                reason: "the application is not configured".into(),
            };
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
