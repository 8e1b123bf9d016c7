//! A handler that answers as the test says, in the component's place: events come in, actions go out (facts E3, F1).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

use crate::wait::until;

/// How the handler answers an event.
#[derive(Debug, Clone)]
pub enum Answer {
    /// 200 with these actions.
    Actions(Vec<Value>),
    /// 200 with this text.
    Text(String),
    /// This status, with nothing in it.
    Status(u16),
    /// These actions, later.
    Late(Duration, Vec<Value>),
    /// Nothing; the connection stays open.
    Silence,
}

/// No actions: what runs, runs on.
#[must_use]
pub fn nothing() -> Answer {
    Answer::Actions(Vec::new())
}

/// An action.
#[must_use]
pub fn action(kind: &str, parameters: Value) -> Value {
    json!({"Type": kind, "Parameters": parameters})
}

struct Desk {
    answer: Box<dyn Fn(&Value) -> Answer + Send + Sync>,
    events: Mutex<Vec<Value>>,
}

/// A running handler. Dropping it stops it.
pub struct Handler {
    desk: Arc<Desk>,
    url: Url,
    task: JoinHandle<()>,
}

impl Handler {
    /// Starts it on a free port.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn start(answer: impl Fn(&Value) -> Answer + Send + Sync + 'static) -> Self {
        let desk = Arc::new(Desk {
            answer: Box::new(answer),
            events: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().fallback(take).with_state(Arc::clone(&desk));
        let task = tokio::spawn(async move {
            axum::serve(listener, router)
                .await
                .expect("the handler serves");
        });
        let url = Url::parse(&format!("http://{address}/events")).expect("a URL");
        Self { desk, url, task }
    }

    /// Answers the first event with `actions`, and all others with nothing.
    pub async fn playing(actions: Vec<Value>) -> Self {
        Self::start(move |event| match event["InvocationEventType"].as_str() {
            Some("NEW_INBOUND_CALL") => Answer::Actions(actions.clone()),
            _ => nothing(),
        })
        .await
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The events that came, in their order; a repeated attempt stands there again.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        self.desk
            .events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The types of the events that came.
    #[must_use]
    pub fn types(&self) -> Vec<String> {
        let of = |event: &Value| {
            event["InvocationEventType"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        self.events().iter().map(of).collect()
    }

    /// Waits for an event of this type.
    pub async fn event(&self, kind: &str) -> Value {
        until(&format!("the event {kind}"), async || {
            self.events()
                .into_iter()
                .find(|event| event["InvocationEventType"] == kind)
        })
        .await
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(State(desk): State<Arc<Desk>>, body: Bytes) -> Response {
    let event: Value = serde_json::from_slice(&body).unwrap_or_default();
    desk.events
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(event.clone());
    let actions = |actions: Vec<Value>| {
        let reply = json!({"SchemaVersion": "1.0", "Actions": actions});
        ([("content-type", "application/json")], reply.to_string()).into_response()
    };
    match (desk.answer)(&event) {
        Answer::Actions(list) => actions(list),
        Answer::Text(text) => text.into_response(),
        Answer::Status(status) => StatusCode::from_u16(status)
            .expect("a status")
            .into_response(),
        Answer::Late(after, list) => {
            tokio::time::sleep(after).await;
            actions(list)
        }
        Answer::Silence => std::future::pending().await,
    }
}
