//! StartBotConversation: a bot in the shapes of Lex V2's runtime, talked to by digits and by speech over RTP.

use crate::support;

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use skillcall_media::tone;
use skillcall_sidecar::runner::HandlerFile;
use support::steady::undisturbed;
use support::{Behaviour, Bench, Handler, Phone, has_tone};

const ARN: &str = "arn:aws:lex:us-east-1:111122223333:bot-alias/ABCDEFGHIJ/TSTALIASID";

/// What a bot was asked.
#[derive(Debug, Clone, PartialEq)]
enum Asked {
    Text(Value),
    Audio {
        state: Option<Value>,
        samples: Vec<i16>,
    },
}

type Decide = Box<dyn Fn(usize) -> Result<Value, (u16, &'static str)> + Send + Sync>;

struct Seen {
    asked: Mutex<Vec<Asked>>,
    session: Mutex<Option<String>>,
    forms: Mutex<Vec<Vec<u8>>>,
    decide: Decide,
    text: &'static str,
}

/// A bot that takes nothing but what Lex V2 takes, and a recogniser.
struct Lex {
    url: String,
    seen: Arc<Seen>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Lex {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Lex {
    async fn start(
        text: &'static str,
        decide: impl Fn(usize) -> Result<Value, (u16, &'static str)> + Send + Sync + 'static,
    ) -> Self {
        let seen = Arc::new(Seen {
            asked: Mutex::default(),
            session: Mutex::default(),
            forms: Mutex::default(),
            decide: Box::new(decide),
            text,
        });
        let session = "/bots/{bot}/botAliases/{alias}/botLocales/{locale}/sessions/{session}";
        let router = axum::Router::new()
            .route(
                &format!("{session}/text"),
                axum::routing::post(recognize_text),
            )
            .route(
                &format!("{session}/utterance"),
                axum::routing::post(recognize_utterance),
            )
            .route("/v1/audio/transcriptions", axum::routing::post(transcribe))
            .with_state(Arc::clone(&seen));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, seen, task }
    }

    fn asked(&self) -> Vec<Asked> {
        self.seen.asked.lock().unwrap().clone()
    }
}

type Session = Path<(String, String, String, String)>;

impl Seen {
    fn check(&self, Path((bot, alias, locale, session)): Session) {
        assert_eq!(
            (bot.as_str(), alias.as_str(), locale.as_str()),
            ("ABCDEFGHIJ", "TSTALIASID", "en_US")
        );
        let mut known = self.session.lock().unwrap();
        assert_eq!(
            *known.get_or_insert(session.clone()),
            session,
            "one session"
        );
    }

    fn take(&self, asked: Asked) -> Result<Value, (u16, &'static str)> {
        let mut all = self.asked.lock().unwrap();
        all.push(asked);
        (self.decide)(all.len())
    }
}

/// The keys of an object, which must be among these.
fn only(object: &Value, keys: &[&str]) {
    for key in object.as_object().expect("an object").keys() {
        assert!(keys.contains(&key.as_str()), "Lex knows no {key}: {object}");
    }
}

fn check_state(state: &Value) {
    only(
        state,
        &[
            "dialogAction",
            "intent",
            "activeContexts",
            "sessionAttributes",
            "originatingRequestId",
            "runtimeHints",
        ],
    );
    if let Some(action) = state.get("dialogAction") {
        only(
            action,
            &[
                "type",
                "slotToElicit",
                "slotElicitationStyle",
                "subSlotToElicit",
            ],
        );
        let kinds = [
            "Close",
            "ConfirmIntent",
            "Delegate",
            "ElicitIntent",
            "ElicitSlot",
            "None",
        ];
        assert!(
            kinds.contains(&action["type"].as_str().unwrap()),
            "{action}"
        );
    }
    if let Some(attributes) = state.get("sessionAttributes") {
        assert!(
            attributes
                .as_object()
                .unwrap()
                .values()
                .all(Value::is_string)
        );
    }
}

fn refusal(status: u16, name: &'static str) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    (
        status,
        [("x-amzn-errortype", name)],
        json!({"message": name}).to_string(),
    )
        .into_response()
}

async fn recognize_text(
    State(seen): State<Arc<Seen>>,
    session: Session,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    seen.check(session);
    assert_eq!(headers["content-type"], "application/json");
    let body: Value = serde_json::from_slice(&body).unwrap();
    only(&body, &["text", "sessionState", "requestAttributes"]);
    let length = body["text"].as_str().unwrap().chars().count();
    assert!((1..=1024).contains(&length), "{body}");
    if let Some(state) = body.get("sessionState") {
        check_state(state);
    }
    match seen.take(Asked::Text(body)) {
        Ok(answer) => axum::Json(answer).into_response(),
        Err((status, name)) => refusal(status, name),
    }
}

/// Packs as Lex does, by another program than the sidecar's: the format is gzip's, not one crate's.
fn gzip(value: &Value) -> String {
    use std::io::Write as _;
    let mut child = std::process::Command::new("gzip")
        .arg("-c")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(value.to_string().as_bytes())
        .unwrap();
    BASE64.encode(child.wait_with_output().unwrap().stdout)
}

fn gunzip(header: &str) -> Value {
    use std::io::Write as _;
    let mut child = std::process::Command::new("gzip")
        .arg("-dc")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(&BASE64.decode(header).unwrap())
        .unwrap();
    serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap()
}

async fn recognize_utterance(
    State(seen): State<Arc<Seen>>,
    session: Session,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    seen.check(session);
    assert_eq!(
        headers["content-type"],
        "audio/lpcm; sample-rate=8000; sample-size-bits=16; channel-count=1; is-big-endian=false"
    );
    assert_eq!(headers["response-content-type"], "text/plain;charset=utf-8");
    let state = headers
        .get("x-amz-lex-session-state")
        .map(|state| gunzip(state.to_str().unwrap()));
    state.iter().for_each(check_state);
    assert!(body.len().is_multiple_of(2));
    let samples = body
        .chunks_exact(2)
        .map(|bytes| i16::from_le_bytes([bytes[0], bytes[1]]))
        .collect();
    let answer = match seen.take(Asked::Audio { state, samples }) {
        Ok(answer) => answer,
        Err((status, name)) => return refusal(status, name),
    };
    let headers = [
        ("x-amz-lex-messages", gzip(&answer["messages"])),
        ("x-amz-lex-session-state", gzip(&answer["sessionState"])),
        (
            "x-amz-lex-interpretations",
            gzip(&answer["interpretations"]),
        ),
        (
            "x-amz-lex-session-id",
            answer["sessionId"].as_str().unwrap().to_owned(),
        ),
        ("content-type", "text/plain;charset=utf-8".to_owned()),
    ];
    (headers, "").into_response()
}

async fn transcribe(State(seen): State<Arc<Seen>>, headers: HeaderMap, body: Bytes) -> Response {
    let kind = headers["content-type"].to_str().unwrap();
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
    let end = format!("\r\n--{boundary}--\r\n");
    assert!(body.ends_with(end.as_bytes()));
    assert_eq!(headers["authorization"], "Bearer 0123456789abcdef");
    seen.forms.lock().unwrap().push(body.to_vec());
    axum::Json(json!({"text": seen.text})).into_response()
}

/// An answer of Lex V2's runtime.
fn answer(session: &str, action: Value, intent: Value, message: &str) -> Value {
    json!({
        "messages": [{"content": message, "contentType": "PlainText"}],
        "sessionState": {"dialogAction": action, "intent": intent, "sessionAttributes": {"room": "12"},
                         "originatingRequestId": "00000000-0000-4000-8000-000000000000"},
        "interpretations": [{"nluConfidence": {"score": 0.84}, "interpretationSource": "Lex", "intent": intent}],
        "requestAttributes": {},
        "sessionId": session,
    })
}

fn done(session: &str) -> Value {
    let slots = json!({"towels": {"shape": "Scalar", "value":
        {"originalValue": "3", "interpretedValue": "3", "resolvedValues": ["3"]}}});
    let intent =
        json!({"name": "Order", "slots": slots, "state": "Fulfilled", "confirmationState": "None"});
    answer(session, json!({"type": "Close"}), intent, "Three towels.")
}

fn converse(extra: Value) -> impl Fn(&Value) -> Value + Send + Sync + 'static {
    move |event| match event["InvocationEventType"].as_str().unwrap() {
        "NEW_INBOUND_CALL" => {
            let mut parameters = json!({"BotAliasArn": ARN});
            for (name, value) in extra.as_object().unwrap() {
                parameters[name] = value.clone();
            }
            json!([{"Type": "StartBotConversation", "Parameters": parameters}])
        }
        "ACTION_SUCCESSFUL" | "ACTION_FAILED" => json!([{"Type": "Hangup", "Parameters": {}}]),
        _ => json!([]),
    }
}

async fn bench(lex: &Lex, speech: &str, handler: Handler) -> Bench {
    bench_with(lex, speech, handler, None).await
}

async fn bench_with(lex: &Lex, speech: &str, handler: Handler, desk: Option<&Phone>) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("recognizer.key");
    support::write_secret(&key, "0123456789abcdef");
    let extra = format!(
        "[[bot]]\nalias-arn = \"{ARN}\"\nurl = \"{}\"\nspeech = \"{speech}\"\n\
         [recognizer]\nurl = \"{}/v1/audio/transcriptions\"\nkey-file = \"{}\"\n",
        lex.url,
        lex.url,
        key.display()
    );
    Bench::with(handler, desk.map(|desk| desk.address), &extra, |config| {
        config.application[0].require_signed_replies = false;
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_file_reads_out_what_the_bot_found_or_calls_the_desk() {
    for found in [true, false] {
        let lex = Lex::start("", move |_| {
            if found {
                return Ok(done("s"));
            }
            let intent = json!({"name": "Order", "slots": {"towels": null}, "state": "Failed", "confirmationState": "None"});
            Ok(answer("s", json!({"type": "Close"}), intent, "Sorry."))
        })
        .await;
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../examples/handlers/housekeeping.js");
        let running = HandlerFile::new(file).start().await.unwrap();
        let mut handler = Handler::absent();
        handler.url = running.url().to_string();
        let desk = Phone::start(700.0, Behaviour::Answer);
        let bench = bench_with(&lex, "none", handler, Some(&desk)).await;
        let guest = Phone::start(400.0, Behaviour::Answer);
        bench.call(&guest, &[]);
        guest.wait("the welcome", |state| {
            state
                .heard
                .chunks(1600)
                .any(|part| tone::level_dbov(part) > -35.0)
        });
        // The first digit ends the welcome.
        for digit in "12#".chars() {
            guest.digit(digit);
        }
        if found {
            guest.wait("the end, once it was read out", |state| state.ended);
            assert!(!desk.seen(|state| state.answered), "nobody is called");
        } else {
            desk.wait("a call", |state| state.answered);
            guest.hears(700.0);
            guest.hang_up();
            desk.wait("the end, by the handler", |state| state.ended);
        }
        let [Asked::Text(asked)] = &lex.asked()[..] else {
            panic!("{:?}", lex.asked());
        };
        assert_eq!(asked["text"], "12");
        assert_eq!(
            asked["sessionState"]["sessionAttributes"],
            json!({"hotel": "north"})
        );
        bench.sidecar.shutdown().await;
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_is_told_digits_and_its_result_is_the_handlers() {
    let lex = Lex::start("", |turn| {
        Ok(match turn {
            1 => {
                let intent = json!({"name": "Order", "slots": {"towels": null}, "state": "InProgress", "confirmationState": "None"});
                let action = json!({"type": "ElicitSlot", "slotToElicit": "towels"});
                let mut answer = answer("s", action, intent, "How many towels?");
                answer["sessionState"]["sessionAttributes"]["x-amz-lex:dtmf:max-length:Order:*"] = json!("1");
                answer
            }
            _ => done("s"),
        })
    })
    .await;
    let handler = Handler::start(converse(json!({
        "LocaleId": "en_US",
        "Configuration": {
            "SessionState": {"SessionAttributes": {"guest": "ann"}, "DialogAction": {"Type": "ElicitIntent"}},
            "WelcomeMessages": [{"Content": "Which room?", "ContentType": "PlainText"},
                                {"Content": "<speak>Please <emphasis>dial</emphasis> it.</speak>", "ContentType": "SSML"}],
        },
    })))
    .await;
    let bench = bench(&lex, "none", handler).await;
    let phone = Phone::start(0.0, Behaviour::Answer);
    bench.call(&phone, &[]);
    let is_spoken = |state: &support::phone::State| {
        state.heard.len() > 1600
            && state
                .heard
                .chunks(1600)
                .any(|part| tone::level_dbov(part) > -35.0)
    };
    phone.wait("the welcome", is_spoken);
    // A digit interrupts it; what the star takes back is not told.
    for digit in "9*12#".chars() {
        phone.digit(digit);
    }
    phone.forget_heard();
    phone.wait("the question", is_spoken);
    phone.digit('3');
    let event = bench.handler.wait("ACTION_SUCCESSFUL", 1);
    let expected = json!({"SessionId": "s", "SessionState": {
        "SessionAttributes": {"room": "12"},
        "Intent": {"Name": "Order", "State": "Fulfilled", "ConfirmationState": "None", "Slots": {"towels": {
            "Value": {"OriginalValue": "3", "InterpretedValue": "3", "ResolvedValues": ["3"]}, "Values": []}}}},
        "Interpretations": [{"NluConfidence": {"Score": 0.84}, "Intent": {"Name": "Order", "State": "Fulfilled",
            "ConfirmationState": "None", "Slots": {"towels": {
            "Value": {"OriginalValue": "3", "InterpretedValue": "3", "ResolvedValues": ["3"]}, "Values": []}}}}]});
    assert_eq!(event["ActionData"]["Type"], "StartBotConversation");
    assert_eq!(event["ActionData"]["IntentResult"], expected);
    assert_eq!(
        lex.asked(),
        [
            Asked::Text(json!({"text": "12", "sessionState": {
                "dialogAction": {"type": "ElicitIntent"}, "sessionAttributes": {"guest": "ann"}}})),
            Asked::Text(json!({"text": "3"})),
        ]
    );
    let call_id = &event["CallDetails"]["Participants"][0]["CallId"];
    assert_eq!(json!(*lex.seen.session.lock().unwrap()), *call_id);
    phone.wait("the end", |state| state.ended);
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_hears_is_given_what_was_said() {
    undisturbed(async || {
        let lex = Lex::start("", |_| Ok(done("s"))).await;
        let handler = Handler::start(converse(json!({"Configuration": {
        "SessionState": {"SessionAttributes": {"guest": "ann"}}}})))
        .await;
        let bench = bench(&lex, "audio", handler).await;
        let phone = Phone::start(0.0, Behaviour::Answer);
        bench.call(&phone, &[]);
        phone.wait("the answer", |state| state.answered);
        phone.say(&tone::sine(500.0, -15.0, 8000));
        let event = bench.handler.wait("ACTION_SUCCESSFUL", 1);
        assert_eq!(
            event["ActionData"]["IntentResult"]["SessionState"]["Intent"]["Name"],
            "Order"
        );
        let asked = lex.asked();
        let [Asked::Audio { state, samples }] = asked.as_slice() else {
            panic!("{asked:?}");
        };
        assert_eq!(*state, Some(json!({"sessionAttributes": {"guest": "ann"}})));
        // A second of a tone, with some silence before and behind.
        let loud: Vec<i16> = samples
            .chunks(160)
            .filter(|part| tone::level_dbov(part) > -30.0)
            .flatten()
            .copied()
            .collect();
        assert!(
            (7000..=9000).contains(&loud.len()),
            "{} samples",
            loud.len()
        );
        assert!(has_tone(&loud, 500.0));
        assert!(samples.len() < 8000 + 8000, "{} samples", samples.len());
        phone.wait("the end", |state| state.ended);
        bench.sidecar.shutdown().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recogniser_makes_text_of_what_was_said() {
    let lex = Lex::start(" three towels \n", |_| Ok(done("s"))).await;
    let handler = Handler::start(converse(json!({}))).await;
    let bench = bench(&lex, "text", handler).await;
    let phone = Phone::start(0.0, Behaviour::Answer);
    bench.call(&phone, &[]);
    phone.wait("the answer", |state| state.answered);
    phone.say(&tone::sine(700.0, -15.0, 8000));
    bench.handler.wait("ACTION_SUCCESSFUL", 1);
    assert_eq!(lex.asked(), [Asked::Text(json!({"text": "three towels"}))]);
    let forms = lex.seen.forms.lock().unwrap().clone();
    let form = &forms[0];
    let text = String::from_utf8_lossy(form);
    for part in [
        "name=\"model\"\r\n\r\nwhisper-1\r\n",
        "name=\"language\"\r\n\r\nen\r\n",
        "name=\"response_format\"\r\n\r\njson\r\n",
        "name=\"file\"; filename=\"utterance.wav\"\r\nContent-Type: audio/wav\r\n\r\n",
    ] {
        assert!(text.contains(part), "{part}");
    }
    let begin = form.windows(4).position(|bytes| bytes == b"RIFF").unwrap();
    let end = form
        .windows(6)
        .rposition(|bytes| bytes == b"\r\n--sk")
        .unwrap();
    let mut reader = hound::WavReader::new(&form[begin..end]).unwrap();
    assert_eq!(
        (reader.spec().sample_rate, reader.spec().channels),
        (8000, 1)
    );
    let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
    assert!(has_tone(&samples, 700.0));
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bots_refusals_have_amazons_names() {
    for (status, name, expected) in [
        (404, "ResourceNotFoundException", "ResourceNotFound"),
        (403, "AccessDeniedException", "ResourceAccessDenied"),
        (429, "ThrottlingException", "ActionExecutionThrottled"),
        (400, "ValidationException", "InvalidActionParameter"),
        (500, "InternalServerException", "SystemException"),
    ] {
        let lex = Lex::start("", move |_| Err((status, name))).await;
        let handler = Handler::start(converse(json!({}))).await;
        let bench = bench(&lex, "none", handler).await;
        let phone = Phone::start(0.0, Behaviour::Answer);
        bench.call(&phone, &[]);
        phone.wait("the answer", |state| state.answered);
        for digit in "1#".chars() {
            phone.digit(digit);
        }
        let event = bench.handler.wait("ACTION_FAILED", 1);
        assert_eq!(event["ActionData"]["ErrorType"], expected, "{event}");
        bench.sidecar.shutdown().await;
    }
    let lex = Lex::start("", |_| Ok(done("s"))).await;
    let other = ARN.replace("TSTALIASID", "OTHERALIAS");
    let handler = Handler::start(converse(json!({"BotAliasArn": other}))).await;
    let bench = bench(&lex, "none", handler).await;
    let phone = Phone::start(0.0, Behaviour::Answer);
    bench.call(&phone, &[]);
    let event = bench.handler.wait("ACTION_FAILED", 1);
    assert_eq!(event["ActionData"]["ErrorType"], "ResourceNotFound");
    assert!(event["ActionData"].get("IntentResult").is_none());
    bench.sidecar.shutdown().await;
}
