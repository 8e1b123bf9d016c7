//! Asking the handler: events are posted, signed; replies are bounded, and verified when they must be.
//!
//! Runs on tokio. Attempts and time-outs are the action engine's; here is one exchange.

mod component;
mod direct;
mod exchange;
mod fixed;
mod lambda;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use skillcall_protocol::signing::KeyRing;
use skillcall_protocol::sma::Event;
use tokio::sync::Semaphore;
use url::Url;

use crate::config::{Answerer, ApplicationConfig, SidecarConfig};
use crate::engine::HandlerOutcome;
use crate::figures::{Figures, count};
use crate::trace::{CallIds, HandlerExchange, TraceSink};
pub(crate) use component::Component;
pub(crate) use direct::DirectHandler;
use exchange::{Failed, Reply};
use fixed::FixedReply;
pub(crate) use fixed::read_actions;

/// The largest reply that is read. Amazon's Lambda may send 6 MB; ten actions fit many times into this.
const MOST_REPLY_BYTES: usize = 256 * 1024;
/// A connection to a handler on the same machine or network stands within this time.
const CONNECT: Duration = Duration::from_secs(3);
/// One exchange ends after this in any case; the engine gives up earlier (facts F3: 20 s).
const LONGEST: Duration = Duration::from_secs(25);

/// A shorter wait for a free place is not told.
const WORTH_TELLING: Duration = Duration::from_millis(10);

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

/// Asks handlers.
pub(crate) struct Handlers {
    client: reqwest::Client,
    figures: Arc<Figures>,
    trace: TraceSink,
}

/// Who decides an application's calls.
pub(crate) enum Answering {
    /// Handlers, the first one first.
    Handlers(Vec<Handler>),
    /// A reply in a file.
    Fixed(FixedReply),
}

/// One URL of an application.
pub(crate) struct Handler {
    url: Url,
    keys: Option<KeyRing>,
    signed_replies: bool,
    is_lambda: bool,
    /// How many may ask at a time, and the free places of them.
    places: Option<(usize, Semaphore)>,
}

impl Handler {
    fn new(url: &Url, application: &ApplicationConfig, keys: Option<KeyRing>) -> Self {
        let is_lambda = lambda::is_invocation(url);
        // The runtime interface emulator takes one invocation at a time.
        let most = application
            .handler_concurrency
            .map(usize::from)
            .or(is_lambda.then_some(1))
            .filter(|most| *most > 0);
        Self {
            url: url.clone(),
            keys,
            signed_replies: application.require_signed_replies,
            is_lambda,
            places: most.map(|most| (most, Semaphore::new(most))),
        }
    }
}

/// What is to be posted.
#[derive(Clone)]
pub(crate) struct Question {
    /// Who decides the call.
    pub(crate) answering: Arc<Answering>,
    /// The event.
    pub(crate) event: Arc<Event>,
    /// 1 for the first attempt.
    pub(crate) attempt: u32,
    /// Whose call it is.
    pub(crate) ids: Arc<CallIds>,
    /// The place of the handler that answered the call's last event, among those of the application. An event goes to
    /// it first, so that a call stays where it is (facts F3: the targets of a rule are tried in order).
    pub(crate) target: Arc<AtomicUsize>,
}

impl Answering {
    /// Who decides an application's calls; `keys` are those of its `keys-file`.
    ///
    /// # Errors
    /// The keys or the file of actions cannot be used, or it is not clear who decides.
    pub(crate) fn of(
        config: &SidecarConfig,
        application: &ApplicationConfig,
        keys: Option<&str>,
    ) -> Result<Self, HandlerError> {
        let id = || application.id.clone();
        match Answerer::of(application) {
            Answerer::Handler(_) => {}
            Answerer::Actions(file) => {
                let reply = read_actions(&config.resolve(file))
                    .map_err(|problem| HandlerError::Actions { id: id(), problem })?;
                return Ok(Self::Fixed(reply));
            }
            Answerer::Unclear => return Err(HandlerError::Unclear { id: id() }),
        }
        let keys = keys.map(parse_keys).transpose();
        let keys = keys.map_err(|problem| HandlerError::Keys { id: id(), problem })?;
        Ok(Self::Handlers(
            application
                .handlers()
                .map(|url| Handler::new(url, application, keys.clone()))
                .collect(),
        ))
    }

    /// A reply to each new call, which is a bridge: when it fails, so does the call.
    pub(crate) fn bridging(reply: skillcall_protocol::sma::Reply) -> Self {
        Self::Fixed(FixedReply::bridging(reply))
    }

    /// Nobody decides: the Lambda function that an application names has no handler.
    pub(crate) fn nobody() -> Self {
        Self::Handlers(Vec::new())
    }

    /// The key ring: the component signs its trace records with one of them.
    pub(crate) fn keys(&self) -> Option<&KeyRing> {
        match self {
            Self::Handlers(handlers) => handlers.first()?.keys.as_ref(),
            Self::Fixed(_) => None,
        }
    }

    /// What is answered without asking anyone; none when there is a handler.
    pub(crate) fn fixed(&self, event: &Event) -> Option<HandlerOutcome> {
        match self {
            Self::Handlers(_) => None,
            Self::Fixed(reply) => Some(reply.outcome(event)),
        }
    }
}

impl Handlers {
    pub(crate) fn new(figures: Arc<Figures>, trace: TraceSink) -> Result<Self, HandlerError> {
        // Set once for the process; another library may have been first with the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(LONGEST)
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(64)
            .user_agent(concat!("skillcall-sidecar/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self {
            client,
            figures,
            trace,
        })
    }

    /// Posts an event and reads the reply. When one handler fails, the next of the application is asked; a further
    /// attempt, after a time-out, begins with the next one too.
    pub(crate) async fn ask(&self, question: Question) -> HandlerOutcome {
        let unreachable = |reason: String| HandlerOutcome::Unreachable { reason };
        let handlers = match &*question.answering {
            Answering::Handlers(handlers) => handlers.as_slice(),
            Answering::Fixed(reply) => return reply.outcome(&question.event),
        };
        let body = match serde_json::to_vec(&*question.event) {
            Ok(body) => body,
            Err(error) => return unreachable(format!("the event: {error}")),
        };
        let later = usize::try_from(question.attempt.saturating_sub(1)).unwrap_or(0);
        let first = question.target.load(Ordering::Relaxed) + later;
        let mut last = unreachable("no [[lambda]] names the application's LambdaArn".into());
        for step in 0..handlers.len() {
            let place = (first + step) % handlers.len();
            let Some(handler) = handlers.get(place) else {
                continue;
            };
            if step > 0 {
                let told = format!("the next handler is asked: {}", handler.url);
                self.trace.note(&question.ids, true, &told);
            }
            last = self.ask_one(handler, &question, &body).await;
            if matches!(last, HandlerOutcome::Replied(_)) {
                question.target.store(place, Ordering::Relaxed);
                break;
            }
        }
        last
    }

    async fn ask_one(&self, handler: &Handler, question: &Question, body: &[u8]) -> HandlerOutcome {
        let _place = match &handler.places {
            None => None,
            Some((most, places)) => {
                let mut waiting = Waiting::new(self, question, *most);
                let place = places.acquire().await;
                waiting.over();
                place.ok()
            }
        };
        let _asking = Asking::new(&self.figures);
        let (at, began) = (SystemTime::now(), Instant::now());
        let result = exchange::post(&self.client, handler, &question.ids, body.to_vec()).await;
        let (outcome, status, reply, problem) = match result {
            Ok(Reply {
                status,
                body,
                function_error: Some(detail),
            }) => {
                let outcome = HandlerOutcome::Status {
                    status,
                    detail: detail.clone(),
                };
                (outcome, Some(status), body, Some(detail))
            }
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
        self.figures
            .observed
            .handler
            .add(began.elapsed().as_secs_f64());
        if !matches!(outcome, HandlerOutcome::Replied(Ok(_))) {
            count(&self.figures.handler_failures);
        }
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
                request: body.to_vec(),
                reply,
            },
        );
        outcome
    }
}

/// An event waits for a free place at its handler. That it waited, or waited in vain, is told: the time counts towards
/// the 5 s that a handler has (facts F3).
struct Waiting<'a> {
    handlers: &'a Handlers,
    question: &'a Question,
    most: usize,
    began: Instant,
    is_over: bool,
}

impl<'a> Waiting<'a> {
    fn new(handlers: &'a Handlers, question: &'a Question, most: usize) -> Self {
        Self {
            handlers,
            question,
            most,
            began: Instant::now(),
            is_over: false,
        }
    }

    /// A place is free.
    fn over(&mut self) {
        self.is_over = true;
        if self.began.elapsed() >= WORTH_TELLING {
            self.tell("and was then sent");
        }
    }

    fn tell(&self, then: &str) {
        let told = format!(
            "{} waited {:.3} s for a free place at its handler, which is asked {} at a time, {then}; waiting counts towards the time-out",
            self.question.event.invocation_event_type,
            self.began.elapsed().as_secs_f64(),
            self.most,
        );
        self.handlers
            .trace
            .note(&self.question.ids, !self.is_over, &told);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.tell("and was not sent");
        }
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
