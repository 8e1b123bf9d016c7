//! What the README and docs/gateway.md tell a stranger who has a browser and no Echo: `init`, `check`, `up`, `browser`, and a call on
//! the page. Chromium is the browser, in a network where it has an address that is not loopback, and the installation stays as `init`
//! wrote it but for the desk's voice, which is a tone, so that it can be told from anything else.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use skillcall_host_tests::chromium::Chromium;
use skillcall_host_tests::{netns, sound, until};

/// What the browser's microphone hears.
const MICROPHONE: f64 = 440.0;
const DESK: f64 = 1000.0;

fn skillcall(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skillcall"));
    command.arg("-C").arg(folder).args(words);
    command
}

/// What a command prints, which must end well.
fn says(folder: &Path, words: &[&str]) -> String {
    let output = skillcall(folder, words).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {said}{error}");
    said
}

/// Seconds of a tone in a WAV file.
fn tone(path: &Path, rate: u32, hz: f64, seconds: u32) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(path, spec).expect("a file");
    for at in 0..rate * seconds {
        let angle = std::f64::consts::TAU * hz * f64::from(at) / f64::from(rate);
        #[allow(clippy::cast_possible_truncation, reason = "within ±8000")]
        let sample = (angle.sin() * 8_000.0) as i16;
        file.write_sample(sample).expect("a sample");
    }
    file.finalize().expect("a file");
}

fn samples(path: &Path) -> Vec<i16> {
    let read = hound::WavReader::open(path).ok();
    read.map(|file| file.into_samples().map_while(Result::ok).collect())
        .unwrap_or_default()
}

/// `skillcall up`, in the foreground of a terminal of its own.
struct Up(Child);

impl Up {
    /// Starts it, and waits until it says how it is stopped.
    fn on(folder: &Path) -> Self {
        let mut child = skillcall(folder, &["up"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let up = Self(child);
        let mut lines = output.lines().map_while(Result::ok);
        assert!(lines.any(|line| line == "Ctrl-C stops."), "it has ended");
        std::thread::spawn(move || lines.count());
        up
    }

    /// Ctrl-C.
    fn stops(mut self) {
        let id = self.0.id().to_string();
        let signal = Command::new("kill").args(["-INT", &id]).status();
        assert!(signal.expect("kill").success());
        assert!(self.0.wait().expect("its end").success());
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the phone has heard, once its call is over and written down.
async fn phone_heard(folder: &Path, hz: f64) {
    let heard = folder.join("simulator/heard");
    until(&format!("{hz} Hz in the phone's recording"), async || {
        let mut files = sound::recordings(&heard).into_iter();
        files
            .any(|file: PathBuf| sound::windows_with(&samples(&file), hz) >= 5)
            .then_some(())
    })
    .await;
}

/// The sessions that the simulator shows to who has its token.
async fn sessions(link: &str) -> Vec<Value> {
    let (page, token) = link
        .split_once("/echo#token=")
        .expect("a link with a token");
    let client = reqwest::Client::builder().no_proxy().build();
    let asked = client
        .expect("an HTTP client")
        .get(format!("{page}/sim/v1/sessions"))
        .bearer_auth(token);
    let answer = asked.send().await.expect("an answer");
    let text = answer.text().await.expect("its text");
    let all: Value = serde_json::from_str(&text).expect("JSON");
    all["sessions"].as_array().cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_calls_the_front_desk_from_a_browser() {
    if !netns::is_own_network("a_stranger_calls_the_front_desk_from_a_browser") {
        return;
    }
    // The first to choose a provider wins.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("hotel");
    let made = Command::new(env!("CARGO_BIN_EXE_skillcall"))
        .current_dir(place.path())
        .args(["init", "hotel"])
        .output();
    let made = made.expect("it starts");
    assert!(made.status.success(), "{made:?}");
    tone(&folder.join("voice/desk.wav"), 8_000, DESK, 120);
    says(&folder, &["check"]);
    let up = Up::on(&folder);

    let link = says(&folder, &["browser"]).trim().to_owned();
    let microphone = place.path().join("microphone.wav");
    tone(&microphone, 48_000, MICROPHONE, 2);
    let chromium = Chromium::start(place.path(), &microphone).await;
    chromium.open(&link).await;
    // What cleans a microphone takes a tone for noise.
    chromium.click("#processing").await;
    chromium.click("#on button").await;
    chromium.shows("contacts", "Call the front desk").await;
    chromium.shows("state", "Ready").await;
    chromium.click("#contacts button").await;
    chromium.shows("state", "Talking with the front desk").await;
    until("the desk in the browser", async || {
        (chromium.hears(DESK).await > 0.9).then_some(())
    })
    .await;
    // Long enough to be found in the phone's recording: packets flow both ways as long as the desk is heard.
    for _ in 0..8 {
        assert!(chromium.hears(DESK).await > 0.5, "the desk falls silent");
    }
    chromium.click("#hangup").await;
    chromium.shows("state", "Ready").await;
    phone_heard(&folder, MICROPHONE).await;
    let all = until("the end of the session", async || {
        let all = sessions(&link).await;
        all.iter()
            .all(|session| session["state"] == "ended")
            .then_some(all)
    })
    .await;
    assert_eq!(all.len(), 1, "{all:?}");
    let id = all[0]["sessionId"].as_str().expect("its id");
    let ladder = says(&folder, &["trace", id]);
    for message in [
        "InitiateOutboundCall",
        "INVITE",
        "CallAccepted",
        "CallEnded",
        "BYE",
    ] {
        assert!(ladder.contains(message), "no {message}:\n{ladder}");
    }
    chromium.end().await;
    tokio::task::block_in_place(|| up.stops());
}
