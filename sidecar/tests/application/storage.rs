//! Buckets that lie elsewhere: an S3 store (moto's) and a web server.

use crate::support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use skillcall_media::{tone, wav};
use skillcall_sidecar::config::{BucketConfig, RemoteBucket};
use skillcall_sidecar::{Sidecar, SidecarConfig};
use support::process::{free_port, wait};
use support::{Behaviour, Bench, Handler, Phone, has_tone};

/// A store with the buckets `prompts` and `kept`.
struct Store {
    child: Child,
    steps: ChildStdin,
    replies: BufReader<ChildStdout>,
    port: u16,
}

impl Store {
    fn start(port: u16) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/boto3/store.py");
        let mut child = Command::new(support::boto3::python("store.txt"))
            .arg(script)
            .arg(port.to_string())
            .env("NO_PROXY", "127.0.0.1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut store = Self {
            steps: child.stdin.take().unwrap(),
            replies: BufReader::new(child.stdout.take().unwrap()),
            child,
            port: 0,
        };
        let ready = store.reply();
        store.port = u16::try_from(ready["port"].as_u64().unwrap()).unwrap();
        for bucket in ["prompts", "kept"] {
            store.does(json!({"do": "make", "bucket": bucket}));
        }
        store
    }

    fn reply(&mut self) -> Value {
        let mut line = String::new();
        self.replies.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    fn does(&mut self, step: Value) -> Value {
        writeln!(self.steps, "{step}").unwrap();
        self.reply()
    }

    fn list(&mut self) -> Vec<String> {
        serde_json::from_value(self.does(json!({"do": "list", "bucket": "kept"}))).unwrap()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn remote(url: &str, port: u16, folder: &Path) -> BucketConfig {
    support::write_secret(&folder.join("s3.keys"), "AKIDEXAMPLE:wJalrXUtnFEMI\n");
    BucketConfig::Remote(RemoteBucket {
        url: url.to_owned(),
        endpoint: Some(format!("http://127.0.0.1:{port}")),
        region: Some("eu-central-1".into()),
        keys_file: Some("s3.keys".into()),
        spool: None,
        fresh_seconds: 60,
    })
}

fn use_store(config: &mut SidecarConfig, port: u16, web: &str) {
    let folder = config.origin.folder().to_owned();
    let buckets = &mut config.buckets;
    buckets.insert("prompts".into(), remote("s3://prompts/en", port, &folder));
    buckets.insert("recordings".into(), remote("s3://kept", port, &folder));
    let web = RemoteBucket {
        url: web.to_owned(),
        endpoint: None,
        region: None,
        keys_file: None,
        spool: None,
        fresh_seconds: 60,
    };
    buckets.insert("web".into(), BucketConfig::Remote(web));
}

fn play(bucket: &str, key: &str) -> Value {
    json!({"Type": "PlayAudio", "Parameters": {"Repeat": 50, "PlaybackTerminators": ["#"],
        "AudioSource": {"Type": "S3", "BucketName": bucket, "Key": key}}})
}

fn tone_file(path: &Path, frequency: f64) {
    let samples = tone::sine(frequency, -10.0, 8000);
    std::fs::write(path, wav::to_bytes(&samples, 1).unwrap()).unwrap();
}

/// A web server with one file, `/audio/web.wav`, which tells neither a tag nor a time.
async fn web(file: Vec<u8>) -> String {
    let router = axum::Router::new().route(
        "/audio/web.wav",
        axum::routing::get(move || std::future::ready(file.clone())),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/audio", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn prompts_come_from_s3_and_the_web_and_recordings_go_to_s3() {
    let handler = Handler::start(|event| {
        let failed = event["ActionData"]["Type"].as_str().unwrap_or_default();
        match event["InvocationEventType"].as_str().unwrap() {
            "NEW_INBOUND_CALL" => json!([
                {"Type": "StartCallRecording", "Parameters": {"Track": "BOTH", "CallId": event["CallDetails"]["Participants"][0]["CallId"],
                    "Destination": {"Type": "S3", "Location": "recordings/calls"}}},
                play("prompts", "tone.wav"),
                play("web", "web.wav"),
                play("prompts", "none.wav"),
            ]),
            "ACTION_FAILED" if failed == "PlayAudio" => json!([
                {"Type": "RecordAudio", "Parameters": {"DurationInSeconds": "1", "RecordingTerminators": [],
                    "RecordingDestination": {"Type": "S3", "BucketName": "web"}}},
            ]),
            "ACTION_FAILED" => json!([
                {"Type": "RecordAudio", "Parameters": {"DurationInSeconds": "1", "RecordingTerminators": [],
                    "RecordingDestination": {"Type": "S3", "BucketName": "recordings", "Prefix": "said"}}},
                {"Type": "Hangup"},
            ]),
            _ => json!([]),
        }
    })
    .await;
    let files = tempfile::tempdir().unwrap();
    tone_file(&files.path().join("s3.wav"), 500.0);
    tone_file(&files.path().join("web.wav"), 700.0);
    let mut store = Store::start(0);
    store.does(json!({"do": "put", "bucket": "prompts", "key": "en/tone.wav", "file": files.path().join("s3.wav")}));
    let web = web(std::fs::read(files.path().join("web.wav")).unwrap()).await;
    let port = store.port;
    let bench = Bench::with(handler, None, "", |config| use_store(config, port, &web)).await;
    let phone = Phone::start(400.0, Behaviour::Answer);
    bench.call(&phone, &[]);
    phone.hears(500.0);
    phone.digit('#');
    phone.hears(700.0);
    phone.digit('#');
    let missing = bench.handler.wait("ACTION_FAILED", 1);
    assert_eq!(
        missing["ActionData"]["ErrorType"], "InvalidAudioSource",
        "{missing}"
    );
    let why = missing["ActionData"]["ErrorMessage"].as_str().unwrap();
    assert!(
        why.contains("none.wav") && why.contains("not found"),
        "{why}"
    );
    let refused = bench.handler.wait("ACTION_FAILED", 2);
    assert_eq!(
        refused["ActionData"]["ErrorType"], "InvalidActionParameter",
        "{refused}"
    );
    assert!(
        refused["ActionData"]["ErrorMessage"]
            .as_str()
            .unwrap()
            .contains("read only"),
        "{refused}"
    );
    // StartCallRecording, two files, and what was said: at that moment it is in the store.
    let said = (1..=4)
        .map(|n| bench.handler.wait("ACTION_SUCCESSFUL", n))
        .find(|event| event["ActionData"]["Type"] == "RecordAudio")
        .unwrap_or_else(|| panic!("no RecordAudio"));
    let key = said["ActionData"]["RecordingDestination"]["Key"]
        .as_str()
        .unwrap();
    let file = files.path().join("said.wav");
    store.does(json!({"do": "get", "bucket": "kept", "key": key, "file": file}));
    let samples = wav::read_file(&file).unwrap().samples;
    assert!(has_tone(&samples, 400.0));
    phone.wait("the end", |state| state.ended);
    let transaction = said["CallDetails"]["TransactionId"].as_str().unwrap();
    let call = said["CallDetails"]["Participants"][0]["CallId"]
        .as_str()
        .unwrap();
    wait("the call's recording", || {
        (store.list().len() == 2).then_some(())
    });
    let key = store
        .list()
        .into_iter()
        .find(|key| key.starts_with("calls/"))
        .unwrap();
    assert!(
        key.ends_with(&format!("_{transaction}_{call}.wav")),
        "{key}"
    );
    let kept = store.does(json!({"do": "get", "bucket": "kept", "key": key, "file": file}));
    assert_eq!(kept["type"], "audio/wav");
    assert_eq!(kept["metadata"]["transaction-id"], transaction);
    assert_eq!(kept["metadata"]["call-id"], call);
    assert_eq!(kept["metadata"]["recording-audio-file-format"], "wav");
    let seconds: f64 = kept["metadata"]["recording-duration"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let audio = wav::read_file(&file).unwrap();
    assert_eq!(audio.file_channels, 2);
    assert!(seconds > 1.0, "{seconds}");
    wait("an empty spool", || {
        (spooled(&bench.folder.path().join("spool/recordings")) == 0).then_some(())
    });
}

fn spooled(folder: &Path) -> usize {
    std::fs::read_dir(folder)
        .unwrap()
        .flatten()
        .map(|entry| {
            if entry.path().is_dir() {
                spooled(&entry.path())
            } else {
                usize::from(entry.file_name() != ".lock")
            }
        })
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_stored_is_stored_after_the_next_start() {
    let handler = Handler::start(|event| match event["InvocationEventType"].as_str().unwrap() {
        "NEW_INBOUND_CALL" => json!([
            {"Type": "RecordAudio", "Parameters": {"DurationInSeconds": "1", "RecordingTerminators": [],
                "RecordingDestination": {"Type": "S3", "BucketName": "recordings", "Prefix": "said"}}},
        ]),
        "ACTION_FAILED" => json!([{"Type": "Hangup"}]),
        _ => json!([]),
    })
    .await;
    let port = free_port();
    let mut again = None;
    let bench = Bench::with(handler, None, "", |config| {
        use_store(config, port, "http://127.0.0.1:9/none");
        again = Some(config.clone());
    })
    .await;
    let phone = Phone::start(400.0, Behaviour::Answer);
    bench.call(&phone, &[]);
    let failed = bench.handler.wait("ACTION_FAILED", 1);
    assert_eq!(
        failed["ActionData"]["ErrorType"], "InvalidActionParameter",
        "{failed}"
    );
    phone.wait("the end", |state| state.ended);
    bench.sidecar.shutdown().await;
    let spool = bench.folder.path().join("spool/recordings");
    assert!(spooled(&spool) >= 1);
    let mut store = Store::start(port);
    assert!(store.list().is_empty());
    let sidecar = Sidecar::start(again.unwrap()).await.unwrap();
    wait("the recording", || (store.list().len() == 1).then_some(()));
    assert!(store.list()[0].starts_with("said/"));
    wait("an empty spool", || (spooled(&spool) == 0).then_some(()));
    sidecar.shutdown().await;
}
