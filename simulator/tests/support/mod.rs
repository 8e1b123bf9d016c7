//! What the tests of the simulator share: a simulator on ephemeral ports, and a skill that answers as it is told.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Value, json};
use skillcall_simulator::config::{PhoneConfig, Secret};
use skillcall_simulator::{Simulator, SimulatorConfig};

/// The control API's token in tests.
pub(crate) const TOKEN: &str = "0123456789abcdef-test";

pub(crate) const MODEL: &str = r#"{"interactionModel":{"languageModel":{"invocationName":"harbour hotel","intents":[
  {"name":"AMAZON.HelpIntent"},{"name":"AMAZON.StopIntent"},
  {"name":"CallIntent","slots":[{"name":"destination","type":"DESTINATION"}],"samples":["call {destination}"]}],
  "types":[{"name":"DESTINATION","values":[{"id":"FRONT_DESK","name":{"value":"front desk"}}]}]}}}"#;

/// A configuration whose authority lies in `folder`.
pub(crate) fn config(folder: &Path) -> SimulatorConfig {
    let mut config = SimulatorConfig::default();
    config.skill.model_json = Some((MODEL.to_owned(), "en-US".to_owned()));
    config.alexa.ca = folder.join("ca");
    config.alexa.token = Some(Secret::new(TOKEN).expect("long enough"));
    config.phone = Some(PhoneConfig::default());
    config
}

/// A simulator with everything, in a folder of its own.
pub(crate) async fn start() -> (Simulator, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let simulator = Simulator::start(config(folder.path()))
        .await
        .expect("the simulator starts");
    (simulator, folder)
}

/// A request as the skill received it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) headers: HeaderMap,
    pub(crate) raw: Bytes,
    pub(crate) body: Value,
}

/// A skill for tests: keeps what it was asked, and answers what `answer` says.
#[derive(Clone)]
pub(crate) struct Skill {
    pub(crate) asked: Arc<Mutex<Vec<Asked>>>,
    pub(crate) changed: Arc<tokio::sync::Notify>,
    answer: Arc<dyn Fn(&Asked) -> Answering + Send + Sync>,
}

/// What a skill does with a request.
pub(crate) enum Answering {
    Answer(Value),
    Raw(Response),
    Never,
}

impl Skill {
    /// Starts it and gives its URL.
    pub(crate) async fn start(
        answer: impl Fn(&Asked) -> Answering + Send + Sync + 'static,
    ) -> (Self, String) {
        let skill = Self {
            asked: Arc::default(),
            changed: Arc::default(),
            answer: Arc::new(answer),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("bound");
        let url = format!(
            "http://{}/alexa",
            listener.local_addr().expect("an address")
        );
        let router = Router::new()
            .route("/alexa", post(ask))
            .with_state(skill.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (skill, url)
    }

    /// A skill that says "Hello." and keeps the session as `end` says.
    pub(crate) async fn polite(end: Option<bool>) -> (Self, String) {
        Self::start(move |_| Answering::Answer(speech("Hello.", end))).await
    }

    pub(crate) fn requests(&self) -> Vec<Asked> {
        self.asked.lock().expect("not poisoned").clone()
    }

    /// Waits until `count` requests have come.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Asked> {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                let asked = self.requests();
                if asked.len() >= count {
                    return asked;
                }
                changed.await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), wait)
            .await
            .expect("the requests come")
    }
}

pub(crate) fn speech(text: &str, end: Option<bool>) -> Value {
    let mut answer = json!({"version": "1.0", "response": {"outputSpeech": {"type": "PlainText", "text": text}}});
    if let Some(end) = end {
        answer["response"]["shouldEndSession"] = end.into();
    }
    answer
}

async fn ask(State(skill): State<Skill>, headers: HeaderMap, raw: Bytes) -> Response {
    let body = serde_json::from_slice(&raw).unwrap_or(Value::Null);
    let asked = Asked { headers, raw, body };
    skill
        .asked
        .lock()
        .expect("not poisoned")
        .push(asked.clone());
    skill.changed.notify_waiters();
    // A skill of a test may block, as it may call the simulator before it answers.
    let answer = tokio::task::spawn_blocking(move || (skill.answer)(&asked));
    match answer.await.expect("the skill does not panic") {
        Answering::Raw(response) => response,
        Answering::Answer(answer) => axum::Json(answer).into_response(),
        Answering::Never => std::future::pending().await,
    }
}
