//! The handlers that are shipped, run as files and asked by a sidecar, with telephones on the line.

use crate::support;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use skillcall_media::tone::{level_dbov, power_at, sine};
use skillcall_media::wav;
use skillcall_sidecar::runner::{HandlerFile, RunningHandler};
use support::{Behaviour, Bench, Handler, Phone, TOKEN, has_tone};

const APPLICATION: &str = "c3b8a6f0-0000-4000-8000-000000000001";

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples/handlers")
        .join(name)
}

/// A sidecar whose handler is a file.
async fn bench(handler: HandlerFile, route: Option<&Phone>) -> (Bench, RunningHandler) {
    let running = handler.start().await.unwrap();
    let mut absent = Handler::absent();
    absent.url = running.url().to_string();
    let bench = Bench::with(absent, route.map(|phone| phone.address), "", |config| {
        config.application[0].require_signed_replies = false;
    })
    .await;
    (bench, running)
}

/// Presses a key again and again until what it leads to has happened: before the menu listens, nobody hears it.
async fn press_until(phone: &Phone, digit: char, has_happened: impl Fn() -> bool) {
    let until = std::time::Instant::now() + support::LIMIT;
    while !has_happened() {
        assert!(std::time::Instant::now() < until, "nothing came of {digit}");
        phone.digit(digit);
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

async fn post(bench: &Bench, path: &str, body: Value) -> Value {
    let request = bench
        .client
        .post(bench.url(path))
        .bearer_auth(TOKEN)
        .json(&body);
    let response = request.send().await.unwrap();
    assert!(response.status().is_success(), "{path}: {response:?}");
    response.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_module_bridges_a_caller_with_the_desk() {
    let desk = Phone::start(700.0, Behaviour::Answer);
    let caller = Phone::start(400.0, Behaviour::Answer);
    let (bench, running) = bench(HandlerFile::new(file("menu.mjs")), Some(&desk)).await;
    bench.call(&caller, &[]);
    caller.wait("speech", |state| {
        state.heard.len() > 8000 && level_dbov(&state.heard) > -50.0
    });
    press_until(&caller, '1', || desk.seen(|state| state.answered)).await;
    let hears = |phone: &Phone, hz: f64| {
        phone.forget_heard();
        phone.wait("the other's voice", |state| {
            let heard = &state.heard;
            heard.len() >= 1600 && power_at(&heard[heard.len() - 1600..], hz) > 0.5
        });
    };
    hears(&caller, 700.0);
    hears(&desk, 400.0);
    desk.hang_up();
    caller.wait("the end, by the handler", |state| state.ended);
    bench.sidecar.shutdown().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_handler_plays_files_takes_a_pin_and_records() {
    let (bench, running) = bench(HandlerFile::new(file("studio.js")), None).await;
    for (name, hz) in [("welcome", 600.0), ("pin", 900.0), ("again", 1200.0)] {
        let bytes = wav::to_bytes(&sine(hz, -10.0, 4000), 1).unwrap();
        std::fs::write(
            bench.folder.path().join(format!("prompts/{name}.wav")),
            bytes,
        )
        .unwrap();
    }
    let phone = Phone::start(400.0, Behaviour::Answer);
    bench.call(&phone, &[]);
    let heard = |hz: f64| {
        phone.wait("a prompt", |state| has_tone(&state.heard, hz));
    };
    heard(600.0);
    heard(900.0);
    for digit in "4711".chars() {
        phone.digit(digit);
    }
    // The listener is armed two seconds later; then what it heard comes back as tones.
    let got = || phone.seen(|state| !state.digits.is_empty());
    let until = std::time::Instant::now() + support::LIMIT;
    while !got() {
        assert!(std::time::Instant::now() < until, "no digits came back");
        for digit in "11#".chars() {
            phone.digit(digit);
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    phone.wait("the end", |state| state.ended);
    let folder = bench.folder.path().to_owned();
    bench.sidecar.shutdown().await;
    running.stop().await;
    let recording = walk(&folder.join("recordings/studio"));
    let audio = wav::read_file(&recording).unwrap();
    assert_eq!(audio.file_channels, 2, "{}", recording.display());
}

/// The one file below a folder.
/// The recording somewhere in a folder; what describes it lies beside it.
fn walk(folder: &Path) -> PathBuf {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path());
    let path =
        paths.find(|path| path.is_dir() || path.extension().is_some_and(|kind| kind == "wav"));
    match path.expect("a recording") {
        folder if folder.is_dir() => walk(&folder),
        recording => recording,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_handler_reads_a_reminder_and_takes_an_update() {
    let phone = Phone::start(400.0, Behaviour::Answer);
    let (bench, running) = bench(HandlerFile::new(file("reminder.py")), Some(&phone)).await;
    let calls = format!("/sip-media-applications/{APPLICATION}/calls");
    let request = json!({"FromPhoneNumber": "+16075550199", "ToPhoneNumber": "+14255550123",
        "ArgumentsMap": {"text": "Dinner."}});
    let made = post(&bench, &calls, request).await;
    let id = made["SipMediaApplicationCall"]["TransactionId"]
        .as_str()
        .unwrap();
    phone.wait("speech", |state| {
        state.heard.len() > 8000 && level_dbov(&state.heard) > -50.0
    });
    post(
        &bench,
        &format!("{calls}/{id}"),
        json!({"Arguments": {"text": "Supper."}}),
    )
    .await;
    phone.wait("the end", |state| state.ended);
    let trace = bench.get(&format!("/v1/traces/{id}")).await.to_string();
    for event in [
        "NEW_OUTBOUND_CALL",
        "RINGING",
        "CALL_ANSWERED",
        "CALL_UPDATE_REQUESTED",
    ] {
        assert!(trace.contains(event), "{event}: {trace}");
    }
    bench.sidecar.shutdown().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_handler_puts_a_caller_into_a_meeting() {
    // The meeting is made before the handler that knows its token, and by the same sidecar.
    let listen = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut absent = Handler::absent();
    absent.url = format!("http://{listen}/2015-03-31/functions/meeting/invocations");
    let bench = Bench::with(absent, None, "", |config| {
        config.application[0].require_signed_replies = false;
    })
    .await;
    let meeting = post(
        &bench,
        "/meetings",
        json!({"ExternalMeetingId": "lounge", "MediaRegion": "us-east-1"}),
    )
    .await;
    let meeting = meeting["Meeting"]["MeetingId"].as_str().unwrap().to_owned();
    let attendees = format!("/meetings/{meeting}/attendees");
    let attendee =
        post(&bench, &attendees, json!({"ExternalUserId": "guest"})).await["Attendee"].clone();
    let text = |name: &str| attendee[name].as_str().unwrap().to_owned();
    let mut handler = HandlerFile::new(file("meeting.py"));
    handler.listen = listen;
    handler.environment = vec![
        ("MEETING_ID".to_owned(), meeting),
        ("JOIN_TOKEN".to_owned(), text("JoinToken")),
        ("ATTENDEE_ID".to_owned(), text("AttendeeId")),
    ];
    let running = handler.start().await.unwrap();
    let phone = Phone::start(400.0, Behaviour::Answer);
    bench.call(&phone, &[]);
    phone.wait("speech", |state| {
        state.heard.len() > 8000 && level_dbov(&state.heard) > -50.0
    });
    for digit in "1234#".chars() {
        phone.digit(digit);
    }
    let calls = bench.get("/v1/calls").await;
    let id = find(&calls, "transactionId").unwrap();
    let until = std::time::Instant::now() + support::LIMIT;
    // Mute, then Unmute: two successes of ModifyChimeMeetingAttendees.
    loop {
        phone.digit('6');
        let trace = bench.get(&format!("/v1/traces/{id}")).await.to_string();
        if trace.contains("DIGITS_RECEIVED") {
            break;
        }
        assert!(std::time::Instant::now() < until, "{trace}");
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    phone.hang_up();
    bench
        .figures_become("the call ends", |figures| figures.calls == 0)
        .await;
    bench.sidecar.shutdown().await;
    running.stop().await;
}

/// The first text of that key, wherever it stands.
fn find(value: &Value, key: &str) -> Option<String> {
    match value {
        Value::Object(map) => map
            .get(key)
            .and_then(Value::as_str)
            .map(str::to_owned)
            .or_else(|| map.values().find_map(|value| find(value, key))),
        Value::Array(list) => list.iter().find_map(|value| find(value, key)),
        _ => None,
    }
}
