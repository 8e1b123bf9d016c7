//! The program against a strict stand-in for Lambda's runtime API.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::mpsc;

const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const SKILL: &str = "amzn1.ask.skill.00000000-0000-0000-0000-000000000000";

/// What the program posted: the path below `/2018-06-01/runtime`, the error's type, the body.
type Posted = (String, Option<String>, Value);

#[derive(Clone)]
struct Api {
    waiting: Arc<Mutex<VecDeque<Value>>>,
    /// The invocation that is out; its answer must come before the next one is asked for.
    out: Arc<Mutex<Option<String>>>,
    posted: mpsc::UnboundedSender<Posted>,
}

async fn runtime_api(
    State(api): State<Api>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(path) = uri.path().strip_prefix("/2018-06-01/runtime") else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if method == Method::GET && path == "/invocation/next" {
        if api.out.lock().expect("no panic").is_some() {
            return StatusCode::FORBIDDEN.into_response();
        }
        let next = api.waiting.lock().expect("no panic").pop_front();
        let Some(event) = next else {
            // Lambda freezes a function that has nothing to do.
            return std::future::pending().await;
        };
        let id = format!("invocation-{}", event["request"]["requestId"]);
        let id = id.replace('"', "");
        *api.out.lock().expect("no panic") = Some(id.clone());
        let headers = [
            ("lambda-runtime-aws-request-id", id),
            ("lambda-runtime-deadline-ms", "99999999999999".to_owned()),
        ];
        return (headers, event.to_string()).into_response();
    }
    let own = match path.strip_prefix("/invocation/") {
        Some(rest) => {
            let out = api.out.lock().expect("no panic").take();
            out.is_some_and(|id| rest == format!("{id}/response") || rest == format!("{id}/error"))
        }
        None => path == "/init/error",
    };
    let error_type = headers
        .get("lambda-runtime-function-error-type")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let Ok(value) = serde_json::from_slice(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let is_error = path.ends_with("/error");
    if method != Method::POST || !own || is_error != error_type.is_some() {
        return StatusCode::BAD_REQUEST.into_response();
    }
    api.posted
        .send((path.to_owned(), error_type, value))
        .expect("the test waits");
    StatusCode::ACCEPTED.into_response()
}

struct Function(Child);

impl Drop for Function {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn start(folder: &Path, events: Vec<Value>) -> (Function, mpsc::UnboundedReceiver<Posted>) {
    let (posted, receiver) = mpsc::unbounded_channel();
    let api = Api {
        waiting: Arc::new(Mutex::new(events.into())),
        out: Arc::default(),
        posted,
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("its address");
    let router = Router::new().fallback(runtime_api).with_state(api);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let child = Command::new(env!("CARGO_BIN_EXE_bootstrap"))
        .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
        .env("LAMBDA_TASK_ROOT", folder)
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    (Function(child), receiver)
}

async fn next(posted: &mut mpsc::UnboundedReceiver<Posted>) -> Posted {
    let waited = tokio::time::timeout(Duration::from_secs(120), posted.recv()).await;
    waited.expect("an answer in time").expect("an answer")
}

fn component() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::env::var_os("SKILLCALL_COMPONENT")
        .map_or_else(|| root.join("target/skillcall.wasm"), PathBuf::from)
}

fn function(folder: &Path) {
    let plan = include_str!("../../skillcall.toml");
    let plan = skillcall_plan::compile(plan).expect("a plan").0;
    std::fs::write(folder.join("plan.bin"), plan).expect("written");
    let secret = |name: &str, text: &str| {
        use std::os::unix::fs::PermissionsExt;
        let path = folder.join(name);
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("ours");
    };
    secret("sidecar.key", &format!("k1:{KEY}"));
    secret("session.key", KEY);
    let component = component()
        .canonicalize()
        .expect("`make component` builds it");
    let host = format!(
        "component = {component:?}\ncode_cache = \"code\"\n[settings]\nplan_file = \"plan.bin\"\n\
         sidecar_keys_file = \"sidecar.key\"\nsession_key_file = \"session.key\"\n"
    );
    std::fs::write(folder.join("host.toml"), host).expect("written");
}

/// Now, as Alexa writes it.
fn timestamp() -> String {
    let output = Command::new("date")
        .args(["-u", "+%Y-%m-%dT%H:%M:%SZ"])
        .output()
        .expect("date");
    String::from_utf8(output.stdout)
        .expect("text")
        .trim()
        .to_owned()
}

fn launch(id: &str, skill: &str) -> Value {
    json!({
        "version": "1.0",
        "session": {"new": true, "sessionId": "s", "application": {"applicationId": skill}, "user": {"userId": "u"}},
        "context": {"System": {
            "application": {"applicationId": skill},
            "user": {"userId": "u"},
            "device": {"deviceId": "d", "supportedInterfaces": {}},
            "apiEndpoint": "https://api.amazonalexa.com",
        }},
        "request": {"type": "LaunchRequest", "requestId": id, "timestamp": timestamp(), "locale": "en-US"},
    })
}

#[tokio::test]
async fn alexas_events_are_answered_and_another_skills_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    function(folder.path());
    let events = vec![
        launch("r-1", SKILL),
        launch("r-2", "amzn1.ask.skill.other"),
        launch("r-3", SKILL),
    ];
    let (_function, mut posted) = start(folder.path(), events).await;

    let (path, _, reply) = next(&mut posted).await;
    assert_eq!(path, "/invocation/invocation-r-1/response");
    assert_eq!(reply["version"], "1.0");
    assert!(reply["response"]["outputSpeech"].is_object(), "{reply}");

    let (path, kind, error) = next(&mut posted).await;
    assert_eq!(path, "/invocation/invocation-r-2/error");
    assert_eq!(kind.as_deref(), Some("Skill.Refused"));
    assert_eq!(error["errorType"], "Skill.Refused");
    assert!(
        error["errorMessage"]
            .as_str()
            .expect("text")
            .contains("another skill"),
        "{error}"
    );

    assert_eq!(
        next(&mut posted).await.0,
        "/invocation/invocation-r-3/response"
    );
}

#[tokio::test]
async fn what_does_not_start_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_function, mut posted) = start(folder.path(), Vec::new()).await;
    let (path, kind, error) = next(&mut posted).await;
    assert_eq!(
        (path.as_str(), kind.as_deref()),
        ("/init/error", Some("Runtime.NotStarted"))
    );
    assert!(
        error["errorMessage"]
            .as_str()
            .expect("text")
            .contains("host.toml")
    );
}
