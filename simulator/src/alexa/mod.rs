//! The Alexa service: customers, the skill's sessions, tokens, and the order to call.

mod calling;
mod conversation;
mod dialog;
mod outside;
mod session;
mod signals;
mod signing;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};
use skillcall_protocol::manifest::Manifest;
use tokio::sync::watch;

pub(crate) use self::calling::CallOrder;
pub use self::conversation::{Outcome, Said, SayError, SessionView};
pub use self::outside::Told;
use crate::authority::Authority;
use crate::customer::Customer;
use crate::device::Devices;
use crate::line::CallBook;
use crate::login::Login;
use crate::model::Model;
use crate::provisioning::Registry;
use crate::signaling::Book;
use crate::skill::{Exchanges, Session, SkillClient};
use crate::tokens::Mint;
use crate::trace::Trace;
use crate::trouble::Orders;

/// What Alexa says when a call cannot be made (facts D3).
pub const CONTACT_NOT_AVAILABLE: &str = "The contact is not available.";
/// `clientSessionId`s remembered, to warn of one that is used again.
const MAX_CSIS: usize = 10_000;

/// The service's state, shared by its HTTP routes, the control API and the library's handle.
#[derive(Debug)]
pub(crate) struct Alexa {
    pub(crate) skill_id: String,
    pub(crate) lwa_client_id: String,
    pub(crate) endpoint: Mutex<String>,
    pub(crate) api_endpoint: String,
    pub(crate) manifest: Mutex<Manifest>,
    pub(crate) model: Model,
    pub(crate) authority: Arc<Authority>,
    pub(crate) mint: Mint,
    pub(crate) login: Login,
    pub(crate) sessions: Book,
    pub(crate) registry: Registry,
    pub(crate) exchanges: Exchanges,
    pub(crate) orders: Orders,
    pub(crate) trace: Trace,
    pub(crate) book: CallBook,
    pub(crate) devices: Devices,
    pub(crate) client: SkillClient,
    pub(crate) limits: Limits,
    pub(crate) customers: Mutex<Vec<Customer>>,
    conversations: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<Conversation>>>>,
    open_requests: Mutex<BTreeMap<String, OpenRequest>>,
    used_csis: Mutex<(BTreeSet<String>, VecDeque<String>)>,
    /// Turns true when the simulator stops: what waits without end, gives up.
    pub(crate) stopping: watch::Receiver<bool>,
}

/// Time limits and counts of the service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) answer: Duration,
    pub(crate) listen: Duration,
    pub(crate) progressive_responses: u32,
}

/// What a device and the skill are at.
#[derive(Debug, Default)]
struct Conversation {
    session: Option<Session>,
    /// Grows with each utterance, so that an old listening time ends nothing.
    turn: u64,
}

/// A request that the skill has not answered yet.
#[derive(Debug)]
struct OpenRequest {
    answered: watch::Sender<bool>,
    progressive: Vec<String>,
    can_progress: bool,
}

/// What a progressive response may not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProgressiveRefusal {
    NotOpen,
    NotAllowed,
    TooMany,
}

pub(crate) struct AlexaParts {
    pub(crate) skill_id: String,
    pub(crate) lwa_client_id: String,
    pub(crate) endpoint: String,
    pub(crate) api_endpoint: String,
    pub(crate) manifest: Manifest,
    pub(crate) model: Model,
    pub(crate) authority: Arc<Authority>,
    pub(crate) trace: Trace,
    pub(crate) book: CallBook,
    pub(crate) devices: Devices,
    pub(crate) client: SkillClient,
    pub(crate) limits: Limits,
    pub(crate) login: Login,
    pub(crate) sessions: Book,
    pub(crate) exchanges: Exchanges,
    pub(crate) customers: Vec<Customer>,
    pub(crate) stopping: watch::Receiver<bool>,
}

impl Alexa {
    pub(crate) fn new(parts: AlexaParts) -> Self {
        Self {
            skill_id: parts.skill_id,
            lwa_client_id: parts.lwa_client_id,
            endpoint: Mutex::new(parts.endpoint),
            api_endpoint: parts.api_endpoint,
            manifest: Mutex::new(parts.manifest),
            model: parts.model,
            mint: Mint::new(parts.authority.token_key()),
            authority: parts.authority,
            login: parts.login,
            sessions: parts.sessions,
            registry: Registry::default(),
            exchanges: parts.exchanges,
            orders: Orders::default(),
            trace: parts.trace,
            book: parts.book,
            devices: parts.devices,
            client: parts.client,
            limits: parts.limits,
            customers: Mutex::new(parts.customers),
            conversations: Mutex::default(),
            open_requests: Mutex::default(),
            used_csis: Mutex::default(),
            stopping: parts.stopping,
        }
    }

    /// The customer of a device; without a name the first.
    pub(crate) fn customer(&self, device_id: Option<&str>) -> Option<Customer> {
        let customers = lock(&self.customers);
        match device_id {
            None => customers.first().cloned(),
            Some(id) => customers
                .iter()
                .find(|customer| customer.device_id == id)
                .cloned(),
        }
    }

    pub(crate) fn endpoint(&self) -> String {
        lock(&self.endpoint).clone()
    }

    fn conversation(&self, device_id: &str) -> Arc<tokio::sync::Mutex<Conversation>> {
        Arc::clone(
            lock(&self.conversations)
                .entry(device_id.to_owned())
                .or_default(),
        )
    }

    fn open_request(&self, request_id: &str, can_progress: bool) {
        let open = OpenRequest {
            answered: watch::Sender::new(false),
            progressive: Vec::new(),
            can_progress,
        };
        lock(&self.open_requests).insert(request_id.to_owned(), open);
    }

    /// The skill has answered, or its time is over; gives the progressive speech that was said meanwhile.
    fn close_request(&self, request_id: &str) -> Vec<String> {
        lock(&self.open_requests)
            .remove(request_id)
            .map(|open| {
                open.answered.send_replace(true);
                open.progressive
            })
            .unwrap_or_default()
    }

    /// Waits until the request is answered; at once if it is not open.
    pub(crate) async fn answered(&self, request_id: &str) {
        let waiting = lock(&self.open_requests)
            .get(request_id)
            .map(|open| open.answered.subscribe());
        if let Some(mut waiting) = waiting {
            // An error says that the request is closed, which is what is waited for.
            let _ = waiting.wait_for(|answered| *answered).await;
        }
    }

    /// Whether the skill has not answered this request yet.
    pub(crate) fn is_open(&self, request_id: &str) -> bool {
        lock(&self.open_requests).contains_key(request_id)
    }

    pub(crate) fn progress(
        &self,
        request_id: &str,
        speech: &str,
    ) -> Result<(), ProgressiveRefusal> {
        let mut open = lock(&self.open_requests);
        let open = open
            .get_mut(request_id)
            .ok_or(ProgressiveRefusal::NotOpen)?;
        if !open.can_progress {
            return Err(ProgressiveRefusal::NotAllowed);
        }
        if open.progressive.len() >= self.limits.progressive_responses as usize {
            return Err(ProgressiveRefusal::TooMany);
        }
        open.progressive.push(speech.to_owned());
        Ok(())
    }

    /// Notes a `clientSessionId`; false if it was used before.
    pub(crate) fn note_csi(&self, csi: &str) -> bool {
        let mut used = lock(&self.used_csis);
        let (known, order) = &mut *used;
        if !known.insert(csi.to_owned()) {
            return false;
        }
        order.push_back(csi.to_owned());
        if order.len() > MAX_CSIS
            && let Some(oldest) = order.pop_front()
        {
            known.remove(&oldest);
        }
        true
    }
}

/// A session as people and tests see it.
fn view(session: Option<&Session>, id: &str) -> SessionView {
    SessionView {
        id: id.to_owned(),
        open: session.is_some(),
        attributes: session.map_or_else(Map::new, |session| session.attributes.clone()),
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The error body of the Alexa APIs (facts C1, D2).
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ErrorBody {
    pub(crate) code: String,
    pub(crate) message: String,
}

impl ErrorBody {
    pub(crate) fn to_value(&self) -> Value {
        serde_json::json!({"code": self.code, "message": self.message})
    }
}
