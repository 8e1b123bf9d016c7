//! One request and one event of a call through the component in Rust, in Node and in Python: each the same answer.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use skillcall_embed_rust::{OwnSettings, load};
use skillcall_host::call_flow::{
    Action, CallDetails, Direction, Event, Happening, Participant, ParticipantTag,
};

const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const DESK: &str = "+16075550199";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn component() -> PathBuf {
    let path = std::env::var_os("SKILLCALL_COMPONENT")
        .map_or_else(|| root().join("target/skillcall.wasm"), PathBuf::from);
    assert!(
        path.is_file(),
        "{} is not there: `make component` builds it",
        path.display()
    );
    path
}

fn plan() -> Vec<u8> {
    let text = std::fs::read_to_string(root().join("examples/skillcall.toml")).expect("the plan");
    skillcall_plan::compile(&text).expect("a plan").0
}

/// For another skill than the plan's: refused, and so read.
fn request() -> String {
    json!({
        "version": "1.0",
        "context": {"System": {"application": {"applicationId": "amzn1.ask.skill.other"}}},
        "request": {"type": "LaunchRequest", "requestId": "r-1", "timestamp": "2020-01-01T00:00:00Z"},
    })
    .to_string()
}

#[tokio::test]
async fn in_rust() {
    let place = tempfile::tempdir().expect("a folder");
    let cache = place.path().join("code");
    let keys = format!("k1:{KEY}");
    let settings = || {
        OwnSettings::default()
            .with("plan", plan())
            .with("sidecar_keys", keys.clone())
            .with("session_key", KEY)
    };
    let skill = load(&component(), settings(), &cache).expect("loaded");
    let refused = skill.handle_trusted(request().as_bytes()).await;
    let refused = refused.expect("an answer");
    assert_eq!(refused.status, 400);

    // Again, from the code that was kept.
    assert_eq!(std::fs::read_dir(&cache).expect("kept").count(), 1);
    let skill = load(&component(), settings(), &cache).expect("loaded");
    let event = Event {
        sequence: 1,
        call: CallDetails {
            transaction_id: "t-1".to_owned(),
            transaction_attributes: Vec::new(),
            account_id: None,
            region: None,
            sip_rule_id: None,
            sip_media_application_id: None,
            participants: vec![Participant {
                call_id: "a".to_owned(),
                tag: ParticipantTag::LegA,
                called: DESK.to_owned(),
                caller: "+12045550100".to_owned(),
                direction: Direction::Inbound,
                start_ms: None,
                status: None,
                sip_headers: Vec::new(),
            }],
        },
        what: Happening::NewInboundCall,
    };
    let reply = skill
        .decide(&event)
        .await
        .expect("it runs")
        .expect("a decision");
    let actions = reply.actions.expect("actions");
    assert!(
        matches!(&actions[0], Action::Speak(speak) if speak.speech.text == "Welcome to the Harbour Hotel."),
        "{actions:?}"
    );
}

/// Starts a program that reads a JSON object a line, and gives its answers.
fn answers(program: &mut Command, lines: &[Value]) -> Vec<Value> {
    let mut child = program
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut input = child.stdin.take().expect("piped");
    for line in lines {
        writeln!(input, "{line}").expect("read");
    }
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn settings_file(folder: &Path) -> PathBuf {
    let file = folder.join("settings.json");
    let settings = json!({
        "plan": STANDARD.encode(plan()),
        "sidecar_keys": format!("k1:{KEY}"),
        "session_key": KEY,
    });
    std::fs::write(&file, settings.to_string()).expect("written");
    file
}

fn check(answers: &[Value]) {
    assert_eq!(answers.len(), 2, "{answers:?}");
    assert_eq!(answers[0]["status"], 400);
    let first = &answers[1]["actions"][0];
    assert_eq!(first["tag"], "speak", "{answers:?}");
    assert_eq!(
        first["val"]["speech"]["text"],
        "Welcome to the Harbour Hotel."
    );
}

fn run(program: &str, arguments: &[&str], folder: &Path) {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; tools/setup.sh installs it"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {said}");
}

#[test]
fn in_node() {
    let example = root().join("examples/embed-node");
    if !example.join("node_modules/.package-lock.json").exists() {
        let install = [
            "install",
            "--no-save",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
        ];
        run("npm", &install, &example);
    }
    let place = tempfile::tempdir().expect("a folder");
    // The transpiled component imports packages, which Node looks for above it.
    let out = tempfile::tempdir_in(&example).expect("a folder");
    let mut node = Command::new("node");
    node.arg(example.join("main.mjs"))
        .arg(component())
        .arg(out.path())
        .arg(settings_file(place.path()));
    let event = json!({
        "sequence": 1,
        "call": {"transactionId": "t-1", "transactionAttributes": [], "participants": [{
            "callId": "a", "tag": {"tag": "leg-a"}, "called": DESK, "caller": "+12045550100",
            "direction": "inbound", "startMs": 1_714_564_800_000u64, "sipHeaders": [],
        }]},
        "what": {"tag": "new-inbound-call"},
    });
    let lines = [json!({"trusted": request()}), json!({"event": event})];
    check(&answers(&mut node, &lines));
}

#[test]
fn in_python() {
    let example = root().join("examples/embed-python");
    // Python's modules lie beside what else is built.
    let modules = component().with_file_name("embed-python");
    let python = modules.join("bin/python");
    if !modules.join("installed").exists() {
        let modules = modules.to_str().expect("a path");
        run("python3", &["-m", "venv", "--clear", modules], &example);
        let install = ["-m", "pip", "install", "-q", "-r", "requirements.txt"];
        run(python.to_str().expect("a path"), &install, &example);
        std::fs::write(Path::new(modules).join("installed"), "").expect("written");
    }
    let place = tempfile::tempdir().expect("a folder");
    let mut program = Command::new(python);
    program
        .arg(example.join("skill.py"))
        .arg(component())
        .arg(settings_file(place.path()));
    let event = json!({
        "sequence": 1,
        "call": {
            "transaction-id": "t-1", "transaction-attributes": [], "account-id": null, "region": null,
            "sip-rule-id": null, "sip-media-application-id": null,
            "participants": [{
                "call-id": "a", "tag": {"tag": "leg-a"}, "called": DESK, "caller": "+12045550100",
                "direction": "inbound", "start-ms": 1_714_564_800_000u64, "status": null, "sip-headers": [],
            }],
        },
        "what": {"tag": "new-inbound-call"},
    });
    let lines = [json!({"trusted": request()}), json!({"event": event})];
    check(&answers(&mut program, &lines));
}
