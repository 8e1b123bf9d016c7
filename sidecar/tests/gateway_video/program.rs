//! Programs that are told and tell by lines of JSON: the device, and the phone's pictures.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::LIMIT;

/// The interpreter of an environment that has aiortc, and FFmpeg's libraries. Made once, and kept beside the tests.
pub(crate) fn python() -> PathBuf {
    static MADE: Mutex<()> = Mutex::new(());
    let _alone = MADE.lock().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../simulator/tests/aiortc");
    let requirements = root.join("requirements.txt");
    let wanted = std::fs::read_to_string(&requirements).unwrap();
    let ready = Path::new(env!("CARGO_TARGET_TMPDIR")).join(wanted.trim().replace("==", "-"));
    let python = ready.join("bin/python");
    if python.exists() {
        return python;
    }
    // Built aside, so that one that was broken off is never taken for ready.
    let folder = ready.with_extension(format!("{}.new", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let run = |command: &mut Command| {
        let output = command.stdin(Stdio::null()).output();
        let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {said}");
    };
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
    run(Command::new(folder.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet"])
        .args(["--disable-pip-version-check", "-r"])
        .arg(&requirements));
    // Another process may have been faster; its environment is as good.
    if std::fs::rename(&folder, &ready).is_err() {
        let _ = std::fs::remove_dir_all(&folder);
    }
    python
}

/// A program that is told and tells by lines of JSON.
pub(crate) struct Program {
    pub(crate) child: Child,
    pub(crate) to: Mutex<ChildStdin>,
    pub(crate) said: Arc<(Mutex<VecDeque<Value>>, Condvar)>,
}

impl Program {
    pub(crate) fn start(script: &str, arguments: &[&str]) -> Self {
        Self::run(Command::new(python()), script, arguments)
    }

    /// In another of the networks of [`crate::support::network`].
    pub(crate) fn start_in(network: &str, script: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", network]).arg(python());
        Self::run(command, script, arguments)
    }

    fn run(mut python: Command, script: &str, arguments: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/peers")
            .join(script);
        let mut child = python
            .arg(script)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python runs");
        let to = Mutex::new(child.stdin.take().unwrap());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said: Arc<(Mutex<VecDeque<Value>>, Condvar)> = Arc::default();
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Ok(value) = serde_json::from_str(&line) {
                    heard.0.lock().unwrap().push_back(value);
                    heard.1.notify_all();
                }
            }
        });
        let program = Self { child, to, said };
        program.wait("its start", |said| said["ready"] == true);
        program
    }

    pub(crate) fn order(&self, order: &Value) {
        writeln!(self.to.lock().unwrap(), "{order}").unwrap();
    }

    /// Waits for something that it says from its last answer on.
    pub(crate) fn wait(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        tokio::task::block_in_place(|| {
            let until = Instant::now() + LIMIT;
            let mut said = self.said.0.lock().unwrap();
            let mut last = Value::Null;
            loop {
                while let Some(value) = said.pop_front() {
                    if fits(&value) {
                        return value;
                    }
                    last = value;
                }
                let left = until.saturating_duration_since(Instant::now());
                assert!(!left.is_zero(), "no {what}; the last was {last}");
                said = self.said.1.wait_timeout(said, left).unwrap().0;
            }
        })
    }

    /// Whether it says within half a second that it was asked for a key frame. Requests that follow each other closely are one, so
    /// whoever asks does so again.
    pub(crate) fn was_asked(&self) -> bool {
        tokio::task::block_in_place(|| {
            let said = self.said.0.lock().unwrap();
            let wait = Duration::from_millis(500);
            let is = |said: &mut VecDeque<Value>| !said.iter().any(|it| it["asked"].is_string());
            let (said, _) = self.said.1.wait_timeout_while(said, wait, is).unwrap();
            said.iter().any(|it| it["asked"] == "pli")
        })
    }

    /// Forgets what it has said.
    pub(crate) fn forget(&self) {
        self.said.0.lock().unwrap().clear();
    }

    pub(crate) fn shows(&self, colour: [u8; 3]) {
        self.order(&json!({"colour": colour}));
    }

    /// Waits for a picture of this colour, from now on.
    pub(crate) fn sees(&self, colour: [u8; 3]) {
        self.forget();
        self.wait(&format!("picture of {colour:?}"), |said| {
            is_of(said, colour)
        });
    }

    /// The same of one who asks for a key frame until then, as those do whose decoders cannot begin.
    pub(crate) fn asks_until_it_sees(&self, colour: [u8; 3]) {
        let begin = Instant::now();
        loop {
            assert!(begin.elapsed() < LIMIT, "no picture of {colour:?}");
            self.order(&json!({"ask": "pli"}));
            let seen = tokio::task::block_in_place(|| {
                let said = self.said.0.lock().unwrap();
                let is_not = |said: &mut VecDeque<Value>| !said.iter().any(|it| is_of(it, colour));
                let wait = Duration::from_millis(500);
                let (mut said, _) = self.said.1.wait_timeout_while(said, wait, is_not).unwrap();
                !is_not(&mut said)
            });
            if seen {
                return;
            }
        }
    }

    pub(crate) fn describes(&self, kind: &str) -> String {
        let said = self.wait(kind, |said| said["type"] == kind);
        said["sdp"].as_str().unwrap().to_owned()
    }
}

/// Whether what is said is a picture of this colour.
fn is_of(said: &Value, colour: [u8; 3]) -> bool {
    said["seen"].as_array().is_some_and(|seen| {
        let parts = seen.iter().zip(colour);
        parts
            .map(|(part, wanted)| part.as_i64().unwrap().abs_diff(wanted.into()))
            .all(|off| off < 40)
    })
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
