//! An Echo and aiortc, a WebRTC peer that nobody here wrote: whoever offers, in every codec, they hear each other's tone.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use skillcall_media::{encoding::Encoding, tone};
use skillcall_simulator::{
    Voice,
    echo::{Echo, EchoHabits, EchoLeg},
};
use skillcall_webrtc::Style;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// The longest that anything here may take, the start of Python included.
const LIMIT: Duration = Duration::from_secs(60);
const OURS: f64 = 500.0;
const THEIRS: f64 = 900.0;
/// Samples that are listened to: 400 ms.
const EARFUL: usize = 3_200;

/// The interpreter of an environment that has aiortc. Made once, and kept beside the tests.
async fn python() -> PathBuf {
    static MADE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _alone = MADE.lock().await;
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aiortc/requirements.txt");
    let wanted = std::fs::read_to_string(&requirements).unwrap();
    let ready = Path::new(env!("CARGO_TARGET_TMPDIR")).join(wanted.trim().replace("==", "-"));
    let python = ready.join("bin/python");
    if python.exists() {
        return python;
    }
    // Built aside, so that one that was broken off is never taken for ready.
    let folder = ready.with_extension(format!("{}.new", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder)).await;
    run(Command::new(folder.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet"])
        .args(["--disable-pip-version-check", "-r"])
        .arg(&requirements))
    .await;
    // Another process may have been faster; its environment is as good.
    if std::fs::rename(&folder, &ready).is_err() {
        let _ = std::fs::remove_dir_all(&folder);
    }
    python
}

async fn run(command: &mut Command) {
    let output = command
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap_or_else(|error| panic!("{command:?}: {error}; see tools/setup.sh test"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

struct Aiortc {
    _process: Child,
    to: ChildStdin,
    from: Lines<BufReader<ChildStdout>>,
}

impl Aiortc {
    async fn start(role: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aiortc/peer.py");
        let mut process = Command::new(python().await)
            .arg(script)
            .args([role, &THEIRS.to_string(), &OURS.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (to, from) = (
            process.stdin.take().unwrap(),
            process.stdout.take().unwrap(),
        );
        Self {
            _process: process,
            to,
            from: BufReader::new(from).lines(),
        }
    }

    async fn next(&mut self) -> Value {
        let line = tokio::time::timeout(LIMIT, self.from.next_line()).await;
        let line = line.expect("aiortc says something in time").unwrap();
        serde_json::from_str(&line.expect("aiortc goes on")).unwrap()
    }

    /// The next description, whatever is heard meanwhile.
    async fn description(&mut self) -> String {
        loop {
            if let Some(text) = self.next().await["sdp"].as_str() {
                return text.to_owned();
            }
        }
    }

    async fn tell(&mut self, kind: &str, sdp: &str) {
        let line = format!("{}\n", json!({"type": kind, "sdp": sdp}));
        self.to.write_all(line.as_bytes()).await.unwrap();
    }

    /// Waits until 200 ms of what it hears are as wanted.
    async fn hears(&mut self, wanted: impl Fn(f64, f64) -> bool) {
        let waited = tokio::time::timeout(LIMIT, async {
            let mut last = Value::Null;
            for _ in 0..400 {
                last = self.next().await;
                if let (Some(share), Some(level)) = (last["heard"].as_f64(), last["level"].as_f64())
                    && wanted(share, level)
                {
                    return Ok(());
                }
            }
            Err(last)
        });
        waited.await.expect("aiortc hears it in time").unwrap();
    }

    async fn hears_us(&mut self) {
        self.hears(|share, level| share > 0.9 && level > -20.0)
            .await;
    }
}

async fn leg(encoding: Encoding) -> EchoLeg {
    let habits = EchoHabits {
        voice: Voice::Tone { hz: OURS },
        style: Style::Standard,
        codecs: vec![encoding],
        ..EchoHabits::default()
    };
    Echo::new(habits).await.unwrap().leg()
}

async fn we_hear(leg: &EchoLeg) -> bool {
    let ear = leg.watch().unwrap();
    let from = ear.view().heard;
    let found = ear.wait_until(LIMIT, |view| {
        view.heard >= from + EARFUL && {
            let audio = ear.heard(view.heard - EARFUL);
            tone::power_at(&audio, THEIRS) > 0.9 && tone::level_dbov(&audio) > -20.0
        }
    });
    found.await
}

#[tokio::test]
async fn it_calls_us() {
    for encoding in Encoding::ALL {
        let mut aiortc = Aiortc::start("offer").await;
        let mut leg = leg(encoding).await;
        let answer = leg.answer(&aiortc.description().await).unwrap();
        aiortc.tell("answer", &answer).await;
        aiortc.hears_us().await;
        assert!(
            we_hear(&leg).await,
            "{encoding:?} {:?}",
            leg.watch().unwrap().view()
        );
        assert_eq!(leg.watch().unwrap().view().encoding, Some(encoding));
    }
}

#[tokio::test]
async fn we_call_it_and_put_it_on_hold() {
    for encoding in [Encoding::Opus, Encoding::Pcmu] {
        let mut aiortc = Aiortc::start("answer").await;
        let mut leg = leg(encoding).await;
        aiortc.tell("offer", &leg.offer().unwrap()).await;
        leg.take_answer(&aiortc.description().await).unwrap();
        aiortc.hears_us().await;
        assert!(
            we_hear(&leg).await,
            "{encoding:?} {:?}",
            leg.watch().unwrap().view()
        );

        aiortc.tell("offer", &leg.hold().unwrap()).await;
        leg.take_answer(&aiortc.description().await).unwrap();
        let view = leg.watch().unwrap().view();
        assert_eq!(
            view.direction.map(|direction| direction.sends()),
            Some(true)
        );
        aiortc.hears_us().await;
        aiortc.tell("offer", &leg.resume().unwrap()).await;
        leg.take_answer(&aiortc.description().await).unwrap();
        aiortc.hears_us().await;
        assert!(we_hear(&leg).await, "{:?}", leg.watch().unwrap().view());
    }
}
