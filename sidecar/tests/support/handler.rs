//! A handler: checks signatures, keeps the events, replies as the test says.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Instant, SystemTime};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use skillcall_protocol::signing::{KeyRing, RequestParts, SignedReply, sign_reply, verify_request};

use super::{KEYS, LIMIT};

type Decide = Box<dyn Fn(&Value) -> Value + Send + Sync>;

pub(crate) struct Handler {
    pub(crate) url: String,
    seen: Arc<Seen>,
    task: tokio::task::JoinHandle<()>,
}

struct Seen {
    events: Mutex<Vec<Value>>,
    changed: Condvar,
    decide: Decide,
    sign: bool,
}

impl Handler {
    /// Replies with the actions that `decide` gives for an event.
    pub(crate) async fn start(decide: impl Fn(&Value) -> Value + Send + Sync + 'static) -> Self {
        Self::signing(true, decide).await
    }

    pub(crate) async fn signing(
        sign: bool,
        decide: impl Fn(&Value) -> Value + Send + Sync + 'static,
    ) -> Self {
        let seen = Arc::new(Seen {
            events: Mutex::default(),
            changed: Condvar::new(),
            decide: Box::new(decide),
            sign,
        });
        let router = axum::Router::new()
            .route("/media/events", axum::routing::post(event))
            .with_state(Arc::clone(&seen));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/media/events", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, seen, task }
    }

    /// A URL where nobody listens.
    pub(crate) fn absent() -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let seen = Arc::new(Seen {
            events: Mutex::default(),
            changed: Condvar::new(),
            decide: Box::new(|_| Value::Null),
            sign: false,
        });
        Self {
            url: format!("http://127.0.0.1:{port}/media/events"),
            seen,
            task: tokio::spawn(async {}),
        }
    }

    /// Waits for an event of a type, the `n`th from 1, and gives it.
    pub(crate) fn wait(&self, kind: &str, n: usize) -> Value {
        let until = Instant::now() + LIMIT;
        let mut events = self.seen.events.lock().unwrap();
        loop {
            if let Some(event) = events
                .iter()
                .filter(|event| event["InvocationEventType"] == kind)
                .nth(n - 1)
            {
                return event.clone();
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no {kind} {n} in {events:#?}");
            events = self.seen.changed.wait_timeout(events, left).unwrap().0;
        }
    }

    /// The events of a type that came so far.
    pub(crate) fn events(&self, kind: &str) -> Vec<Value> {
        let events = self.seen.events.lock().unwrap();
        let of_kind = |event: &&Value| event["InvocationEventType"] == kind;
        events.iter().filter(of_kind).cloned().collect()
    }

    pub(crate) fn kinds(&self) -> Vec<String> {
        let events = self.seen.events.lock().unwrap();
        events
            .iter()
            .map(|event| event["InvocationEventType"].as_str().unwrap().to_owned())
            .collect()
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn event(State(seen): State<Arc<Seen>>, headers: HeaderMap, body: Bytes) -> Response {
    let now = i64::try_from(
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs(),
    )
    .unwrap();
    let keys = KeyRing::parse(KEYS).unwrap();
    let lookup = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let parts = RequestParts {
        method: "POST",
        path_and_query: "/media/events",
        body: &body,
    };
    let signed = verify_request(&keys, parts, &lookup, now).expect("the sidecar signs");
    assert!(headers.contains_key("traceparent"));
    let event: Value = serde_json::from_slice(&body).unwrap();
    let actions = (seen.decide)(&event);
    seen.events.lock().unwrap().push(event);
    seen.changed.notify_all();
    let reply = match actions {
        Value::Array(_) => json!({"SchemaVersion": "1.0", "Actions": actions}),
        other => other,
    };
    let body = serde_json::to_vec(&reply).unwrap();
    if !seen.sign {
        return (StatusCode::OK, body).into_response();
    }
    let reply = SignedReply {
        status: 200,
        nonce: &signed.nonce,
        body: &body,
    };
    (StatusCode::OK, sign_reply(&keys, reply, now), body).into_response()
}

/// Actions that hang up every leg that is still connected, one by one.
pub(crate) fn hang_up_all(event: &Value) -> Value {
    let legs = event["CallDetails"]["Participants"].as_array().unwrap();
    let connected = legs.iter().filter(|leg| leg["Status"] == "Connected");
    let hang_up = |leg: &Value| json!({"Type": "Hangup", "Parameters": {"CallId": leg["CallId"], "SipResponseCode": "0"}});
    connected.map(hang_up).collect()
}
