//! A component that forwards Alexa's messages, and takes what is to be said to Alexa.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use skillcall_protocol::signing::{
    KeyRing, RequestParts, SignedReply, sign_reply, sign_request, verify_request,
};

use super::{KEYS, LIMIT};

/// What Alexa answers to a message: an HTTP status, and an exception's name.
type Answer = Box<dyn Fn(&Value, usize) -> (u16, Option<&'static str>) + Send + Sync>;

/// What becomes of a message on its way to Alexa.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It gets there.
    Through,
    /// It does not get there, and its sender hears no answer.
    Lost,
    /// It gets there, and its sender hears no answer.
    AnswerLost,
    /// It gets there late.
    Late,
    /// It gets there after the next one of its session, or late.
    Overtaken,
}

/// How late a message is; how long one waits for another to overtake it.
pub(crate) const LATE: Duration = Duration::from_millis(300);
pub(crate) const OVERTAKEN: Duration = Duration::from_millis(1500);

type Network = Box<dyn Fn(&Value) -> Way + Send + Sync>;

pub(crate) struct Skill {
    pub(crate) url: String,
    seen: Arc<Seen>,
    task: tokio::task::JoinHandle<()>,
    client: reqwest::Client,
}

struct Seen {
    orders: Mutex<Vec<Value>>,
    changed: Condvar,
    answer: Answer,
    network: Network,
}

pub(crate) const ACCOUNT: &str = "amzn1.ask.account.A";

impl Skill {
    /// Alexa takes everything.
    pub(crate) async fn start() -> Self {
        Self::answering(|_, _| (202, None)).await
    }

    /// Alexa answers as it is said here, for each message and how many came before.
    pub(crate) async fn answering(
        answer: impl Fn(&Value, usize) -> (u16, Option<&'static str>) + Send + Sync + 'static,
    ) -> Self {
        Self::over(|_| Way::Through, answer).await
    }

    /// The same over a network that says of each message what becomes of it.
    pub(crate) async fn over(
        network: impl Fn(&Value) -> Way + Send + Sync + 'static,
        answer: impl Fn(&Value, usize) -> (u16, Option<&'static str>) + Send + Sync + 'static,
    ) -> Self {
        // Another test may have been first with the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let seen = Arc::new(Seen {
            orders: Mutex::default(),
            changed: Condvar::new(),
            answer: Box::new(answer),
            network: Box::new(network),
        });
        let router = axum::Router::new()
            .route("/signaling", axum::routing::post(order))
            .with_state(Arc::clone(&seen));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            seen,
            task,
            client: reqwest::Client::new(),
        }
    }

    /// The lines of `sidecar.toml` that lead here.
    pub(crate) fn settings(&self, more: &str) -> String {
        format!(
            "[gateway]\nskill = \"{}\"\nkeys-file = \"secrets/sidecar.key\"\n{more}\n",
            self.url
        )
    }

    /// Forwards a message of Alexa's; the sidecar's status.
    pub(crate) async fn forward(&self, to: &str, request: &str, message: Value) -> u16 {
        let body = serde_json::to_vec(&json!({
            "requestId": request, "timestamp": "2026-11-21T10:00:00Z", "account": ACCOUNT,
            "apiEndpoint": "https://api.amazonalexa.com", "message": message,
        }))
        .unwrap();
        let keys = KeyRing::parse(KEYS).unwrap();
        let parts = RequestParts {
            method: "POST",
            path_and_query: "/v1/signaling",
            body: &body,
        };
        let mut posted = self.client.post(format!("http://{to}/v1/signaling"));
        for (name, value) in sign_request(&keys, parts, now(), rand::random()) {
            posted = posted.header(name, value);
        }
        posted.body(body).send().await.unwrap().status().as_u16()
    }

    /// Forwards an operation of a session, which must be taken.
    pub(crate) async fn says(&self, to: &str, session: &str, operation: &str, members: Value) {
        let request = format!("amzn1.echo-api.request.{:016x}", rand::random::<u64>());
        let message = message(session, operation, members);
        assert_eq!(self.forward(to, &request, message).await, 202);
    }

    /// Waits for the `n`th order, from 1, of an operation, and gives its message.
    pub(crate) fn wait(&self, operation: &str, n: usize) -> Value {
        let until = Instant::now() + LIMIT;
        let mut orders = self.seen.orders.lock().unwrap();
        loop {
            let kind = format!("Alexa.Comms.CallSignaling.{operation}");
            let mut of_kind = orders
                .iter()
                .filter(|order| order["message"]["type"] == kind);
            if let Some(order) = of_kind.nth(n - 1) {
                assert_eq!(order["account"], ACCOUNT);
                return order["message"].clone();
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no {operation} {n} in {orders:#?}");
            orders = self.seen.changed.wait_timeout(orders, left).unwrap().0;
        }
    }

    /// Waits for the `n`th message, from 1, of an operation in the session that is chosen, and gives it.
    pub(crate) fn wait_in(
        &self,
        of: impl Fn(&Value) -> bool,
        operation: &str,
        n: usize,
    ) -> Result<Value, String> {
        let until = Instant::now() + LIMIT;
        let kind = format!("Alexa.Comms.CallSignaling.{operation}");
        let mut orders = self.seen.orders.lock().unwrap();
        loop {
            let messages = || orders.iter().map(|order| &order["message"]);
            let fits = |message: &&Value| message["type"] == kind && of(message);
            if let Some(message) = messages().filter(fits).nth(n - 1) {
                return Ok(message.clone());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let said: Vec<&Value> = messages()
                    .filter(|message| of(message))
                    .map(|message| &message["type"])
                    .collect();
                return Err(format!("no {operation} {n} in {said:?}"));
            }
            orders = self.seen.changed.wait_timeout(orders, left).unwrap().0;
        }
    }

    /// The operations that were ordered so far.
    pub(crate) fn operations(&self) -> Vec<String> {
        let orders = self.seen.orders.lock().unwrap();
        let name = |order: &Value| {
            let kind = order["message"]["type"].as_str().unwrap();
            kind.rsplit('.').next().unwrap().to_owned()
        };
        orders.iter().map(name).collect()
    }
}

impl Drop for Skill {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A flat message (facts G2).
pub(crate) fn message(session: &str, operation: &str, members: Value) -> Value {
    let mut message = json!({
        "type": format!("Alexa.Comms.CallSignaling.{operation}"), "sessionId": session,
    });
    if let (Some(message), Value::Object(members)) = (message.as_object_mut(), members) {
        message.extend(members);
    }
    message
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(since.unwrap().as_secs()).unwrap()
}

async fn order(State(seen): State<Arc<Seen>>, headers: HeaderMap, body: Bytes) -> Response {
    let keys = KeyRing::parse(KEYS).unwrap();
    let lookup = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let parts = RequestParts {
        method: "POST",
        path_and_query: "/signaling",
        body: &body,
    };
    let signed = verify_request(&keys, parts, &lookup, now()).expect("the sidecar signs");
    let order: Value = serde_json::from_slice(&body).unwrap();
    let session = order["message"]["sessionId"].clone();
    let of_session = || {
        let orders = seen.orders.lock().unwrap();
        let same = |order: &&Value| order["message"]["sessionId"] == session;
        orders.iter().filter(same).count()
    };
    let way = (seen.network)(&order["message"]);
    match way {
        Way::Lost => return StatusCode::BAD_GATEWAY.into_response(),
        Way::Late => tokio::time::sleep(LATE).await,
        Way::Overtaken => {
            let (before, until) = (of_session(), Instant::now() + OVERTAKEN);
            while of_session() == before && Instant::now() < until {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        Way::Through | Way::AnswerLost => {}
    }
    let (status, exception) = {
        let mut orders = seen.orders.lock().unwrap();
        let kind = &order["message"]["type"];
        let before = orders
            .iter()
            .filter(|other| other["message"]["type"] == *kind);
        let answer = (seen.answer)(&order["message"], before.count());
        orders.push(order);
        answer
    };
    seen.changed.notify_all();
    if way == Way::AnswerLost {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let body = json!({"status": status, "exception": exception, "message": null});
    let body = serde_json::to_vec(&body).unwrap();
    let reply = SignedReply {
        status: 200,
        nonce: &signed.nonce,
        body: &body,
    };
    (StatusCode::OK, sign_reply(&keys, reply, now()), body).into_response()
}
