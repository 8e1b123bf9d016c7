//! A gateway in the sidecar's place: takes Alexa's messages of CallSignaling from the component, and has it say others to Alexa,
//! as a script says.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::json;
use skillcall_protocol::ids::{RequestId, SessionId, UserId};
use skillcall_protocol::signaling::{
    CallResult, Forward, Message, Operation, OperationName, Order, Outcome, ResultCode, SdpDetails,
};
use skillcall_protocol::signing::{
    KeyRing, RequestParts, SignedReply, sign_request, verify_reply, verify_request,
};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::Stage;
use crate::messages::CUSTOMER;
use crate::wait::until;

/// An answer of the gateway's side.
pub const ANSWER: &str = "v=0\r\no=- 7 7 IN IP4 192.0.2.20\r\ns=-\r\nt=0 0\r\nm=audio 41000 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 192.0.2.20\r\na=ice-pwd:thegatewayspassword0000\r\n";

/// What a gateway does with Alexa's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// It takes them and says nothing.
    Silent,
    /// A phone rings and answers; offers and calls to the device are acknowledged.
    Answers {
        /// With early media before.
        early: bool,
    },
}

/// How requests to the gateway go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Away {
    /// They do not.
    Never,
    /// So many are answered 503.
    For(u32),
    /// So many are taken, but answered 503: the component sends them again.
    TakenFor(u32),
    /// All are answered 503.
    Always,
}

struct Desk {
    keys: KeyRing,
    script: Script,
    away: Mutex<Away>,
    /// Messages by their requestIds: a repeated one is dropped.
    known: Mutex<BTreeSet<RequestId>>,
    taken: Mutex<Vec<Forward>>,
    requests: Mutex<u32>,
    orders: tokio::sync::mpsc::UnboundedSender<(Forward, Operation)>,
}

/// A running gateway. Dropping it stops it.
pub struct Gateway {
    desk: Arc<Desk>,
    url: String,
    component: String,
    http: reqwest::Client,
    tasks: Vec<JoinHandle<()>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gateway {
    /// Starts it in the place of the stage's sidecar.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn start(stage: &Stage, script: Script) -> Self {
        let (orders, mut ordered) = tokio::sync::mpsc::unbounded_channel();
        let desk = Arc::new(Desk {
            keys: KeyRing::parse(&stage.secrets.keys).expect("the stage's keys"),
            script,
            away: Mutex::new(Away::Never),
            known: Mutex::default(),
            taken: Mutex::default(),
            requests: Mutex::default(),
            orders,
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new()
            .route("/v1/signaling", post(take))
            .route("/v1/traces", post(async || StatusCode::ACCEPTED))
            .with_state(Arc::clone(&desk));
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        let url = format!("http://{address}");
        stage.settings.set("sidecar_url", url.clone());
        let (component, http) = (stage.component("/signaling"), stage.http.clone());
        let (saying, to, client) = (Arc::clone(&desk), component.clone(), http.clone());
        let telling = tokio::spawn(async move {
            while let Some((forward, operation)) = ordered.recv().await {
                let message = Message::new(forward.message.session_id.clone(), operation);
                tell(&saying.keys, &client, &to, &forward.account, message).await;
            }
        });
        Self {
            desk,
            url,
            component,
            http,
            tasks: vec![serving, telling],
        }
    }

    /// Its origin.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How requests go wrong from now on.
    pub fn away(&self, away: Away) {
        *lock(&self.desk.away) = away;
    }

    /// The requests that came, repeated ones too.
    #[must_use]
    pub fn requests(&self) -> u32 {
        *lock(&self.desk.requests)
    }

    /// The messages that were taken, each once.
    #[must_use]
    pub fn taken(&self) -> Vec<Forward> {
        lock(&self.desk.taken).clone()
    }

    /// The operations of a session that were taken.
    #[must_use]
    pub fn operations(&self, session: &str) -> Vec<OperationName> {
        let taken = self.taken();
        taken
            .iter()
            .filter(|forward| forward.message.session_id.as_str() == session)
            .map(|forward| forward.message.operation.name())
            .collect()
    }

    /// Waits for an operation of a session.
    pub async fn wait_for(&self, session: &str, operation: OperationName) -> Forward {
        until(&format!("{operation} at the gateway"), async || {
            self.taken().into_iter().find(|forward| {
                forward.message.session_id.as_str() == session
                    && forward.message.operation.name() == operation
            })
        })
        .await
    }

    /// Has the component say something to Alexa, once: what Alexa answered, or the component's problem.
    ///
    /// # Errors
    /// The status of the problem.
    ///
    /// # Panics
    /// When the component does not answer, or its answer is not signed.
    pub async fn say(
        &self,
        account: &str,
        session: &str,
        operation: Operation,
    ) -> Result<Outcome, u16> {
        let account = UserId::parse(account).expect("an account");
        let session = SessionId::parse(session).expect("a session");
        let message = Message::new(session, operation);
        order(
            &self.desk.keys,
            &self.http,
            &self.component,
            &account,
            message,
        )
        .await
    }

    /// The same in the first customer's name.
    pub async fn say_for_customer(
        &self,
        session: &str,
        operation: Operation,
    ) -> Result<Outcome, u16> {
        self.say(CUSTOMER, session, operation).await
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// The end of a call.
#[must_use]
pub fn ended(code: ResultCode) -> Operation {
    Operation::CallEnded {
        result: CallResult::new(code, "as the test says"),
    }
}

async fn take(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let parts = RequestParts {
        method: "POST",
        path_and_query: "/v1/signaling",
        body: &body,
    };
    let lookup = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let now = jiff::Timestamp::now().as_second();
    if verify_request(&desk.keys, parts, &lookup, now).is_err() {
        return StatusCode::UNAUTHORIZED;
    }
    *lock(&desk.requests) += 1;
    let (is_away, takes) = match &mut *lock(&desk.away) {
        Away::Never => (false, true),
        Away::Always => (true, false),
        Away::For(0) | Away::TakenFor(0) => (false, true),
        Away::For(left) => {
            *left -= 1;
            (true, false)
        }
        Away::TakenFor(left) => {
            *left -= 1;
            (true, true)
        }
    };
    if takes {
        let Ok(forward) = serde_json::from_slice::<Forward>(&body) else {
            return StatusCode::BAD_REQUEST;
        };
        if lock(&desk.known).insert(forward.request_id.clone()) {
            lock(&desk.taken).push(forward.clone());
            if let Some(answer) = answer(desk.script, &forward.message.operation) {
                // When nobody takes orders any more, the test is over.
                let _ = desk.orders.send((forward, answer));
            }
        }
    }
    if is_away {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::ACCEPTED
    }
}

fn answer(script: Script, operation: &Operation) -> Option<Operation> {
    let Script::Answers { early } = script else {
        return None;
    };
    let sdp = || SdpDetails::answer(ANSWER);
    Some(match operation {
        Operation::InitiateOutboundCall { .. } => Operation::CallRinging,
        Operation::CallRingingAck if early => Operation::CallInProgress { sdp: sdp() },
        Operation::CallRingingAck => Operation::CallAccepted { sdp: Some(sdp()) },
        Operation::CallInProgressAck => Operation::CallAccepted { sdp: None },
        Operation::CallUpdate { kind, .. } => Operation::CallUpdateResponse {
            kind: kind.clone(),
            sdp: sdp(),
        },
        Operation::CallRinging => Operation::CallRingingAck,
        Operation::CallInProgress { .. } => Operation::CallInProgressAck,
        Operation::CallAccepted { .. } => Operation::CallAcceptedAck,
        Operation::CallUpdateResponse { .. } => Operation::CallUpdateAck,
        _ => return None,
    })
}

/// Says a message until Alexa has it: what 409 and 400 InvalidCallState say of a repetition is that it was taken.
async fn tell(
    keys: &KeyRing,
    http: &reqwest::Client,
    url: &str,
    account: &UserId,
    message: Message,
) {
    for _ in 0..20 {
        let passing = match order(keys, http, url, account, message.clone()).await {
            Ok(outcome) => matches!(outcome.status, 429 | 500..),
            Err(status) => status >= 500,
        };
        if !passing {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn order(
    keys: &KeyRing,
    http: &reqwest::Client,
    url: &str,
    account: &UserId,
    message: Message,
) -> Result<Outcome, u16> {
    let order = Order {
        account: account.clone(),
        api_endpoint: None,
        message,
    };
    let body = json!(order).to_string().into_bytes();
    let parts = RequestParts {
        method: "POST",
        path_and_query: "/signaling",
        body: &body,
    };
    let now = jiff::Timestamp::now().as_second();
    let mut request = http.post(url);
    let mut nonce = String::new();
    for (name, value) in sign_request(keys, parts, now, rand::random()) {
        if name.eq_ignore_ascii_case("skillcall-nonce") {
            nonce.clone_from(&value);
        }
        request = request.header(name, value);
    }
    let response = request.body(body).send().await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.bytes().await.expect("a body");
    let lookup = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let reply = SignedReply {
        status,
        nonce: &nonce,
        body: &body,
    };
    let now = jiff::Timestamp::now().as_second();
    verify_reply(keys, reply, &lookup, now).expect("a signed answer");
    if status != 200 {
        return Err(status);
    }
    Ok(serde_json::from_slice(&body).expect("an outcome"))
}
