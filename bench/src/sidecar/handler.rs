//! A handler that costs little: it answers a new call with a fixed list, and every other event with an empty one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::{Request, Response};
use skillcall_protocol::signing::{KeyRing, NONCE, SignedReply, sign_reply};

use super::serving::Serving;

/// How a new call's event names itself.
const NEW_CALL: &str = "NEW_INBOUND_CALL";

/// A running handler, on a thread of its own. Dropping it stops it.
pub(super) struct Handler {
    serving: Serving,
    replied: Arc<Mutex<Option<Duration>>>,
    next: Arc<Mutex<VecDeque<Bytes>>>,
}

struct Desk {
    keys: KeyRing,
    first: Bytes,
    /// Replies to the next new calls, one each, before `first`.
    next: Arc<Mutex<VecDeque<Bytes>>>,
    other: Bytes,
    /// When a new call was answered last, in time since 1970.
    replied: Arc<Mutex<Option<Duration>>>,
}

impl Handler {
    /// Answers new calls with these actions, and signs as the component does.
    pub(super) fn start(actions: &serde_json::Value, keys: &str) -> anyhow::Result<Self> {
        let reply = |actions: &serde_json::Value| Bytes::from(reply_of(actions).to_string());
        let replied = Arc::new(Mutex::new(None));
        let next = Arc::new(Mutex::new(VecDeque::new()));
        let desk = Arc::new(Desk {
            replied: Arc::clone(&replied),
            keys: KeyRing::parse(keys)?,
            first: reply(actions),
            next: Arc::clone(&next),
            other: reply(&serde_json::json!([])),
        });
        let serving = Serving::start("handler", move |request| answer(request, Arc::clone(&desk)))?;
        Ok(Self {
            serving,
            replied,
            next,
        })
    }

    /// When a new call was answered last, in time since 1970.
    pub(super) fn replied(&self) -> Option<Duration> {
        *self.replied.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What one of the next new calls is answered with; they are taken in this order.
    pub(super) fn answer_next(&self, actions: &serde_json::Value) {
        let reply = Bytes::from(reply_of(actions).to_string());
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        next.push_back(reply);
    }

    /// Where events are posted.
    pub(super) fn url(&self) -> String {
        format!("http://{}/media/events", self.serving.address)
    }
}

/// What a handler replies (facts F1).
pub(super) fn reply_of(actions: &serde_json::Value) -> serde_json::Value {
    serde_json::json!({"SchemaVersion": "1.0", "Actions": actions})
}

async fn answer(
    request: Request<Incoming>,
    desk: Arc<Desk>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let nonce = request
        .headers()
        .get(NONCE)
        .and_then(|nonce| nonce.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let event = request.into_body().collect().await?.to_bytes();
    let body = if is_new_call(&event) {
        let mut next = desk.next.lock().unwrap_or_else(PoisonError::into_inner);
        next.pop_front().unwrap_or_else(|| desk.first.clone())
    } else {
        desk.other.clone()
    };
    let reply = SignedReply {
        status: 200,
        nonce: &nonce,
        body: &body,
    };
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        });
    let mut response = Response::builder().header("content-type", "application/json");
    for (name, value) in sign_reply(&desk.keys, reply, now) {
        response = response.header(name, value);
    }
    if is_new_call(&event) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok();
        *desk.replied.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
    // Signatures are printable, so this cannot fail; an empty reply would fail the call, and be seen.
    Ok(response.body(Full::new(body)).unwrap_or_default())
}

fn is_new_call(event: &[u8]) -> bool {
    event
        .windows(NEW_CALL.len())
        .any(|window| window == NEW_CALL.as_bytes())
}
