//! A phone that nobody here wrote: PJSIP, driven by `tests/peers/phone.py`.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use serde_json::Value;

use super::LIMIT;

type Seen = Arc<(Mutex<Vec<Value>>, Condvar)>;

/// A running phone.
pub(crate) struct Pjsua {
    child: Child,
    orders: ChildStdin,
    seen: Seen,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    suites: Vec<String>,
}

/// The Python that has PJSIP.
fn python() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pjsua2");
    let made = Command::new(root.join("tools/pjsua2.sh"))
        .arg(folder)
        .stderr(Stdio::inherit())
        .output()
        .expect("tools/pjsua2.sh runs");
    assert!(made.status.success(), "tools/pjsua2.sh: {}", made.status);
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

impl Pjsua {
    /// A phone with these settings (see `tests/peers/phone.py`).
    pub(crate) fn start(settings: &Value) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/phone.py");
        let mut child = Command::new(python())
            .arg(program)
            .arg(settings.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python runs");
        let (orders, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let seen: Seen = Arc::default();
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // PJSIP's log goes the same way.
                if let Ok(event) = serde_json::from_str::<Value>(&line) {
                    shared.0.lock().unwrap().push(event);
                    shared.1.notify_all();
                }
            }
        });
        let mut phone = Self {
            child,
            orders,
            seen,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            suites: Vec::new(),
        };
        let ready = phone.wait("a phone that runs", |event| event["event"] == "ready");
        phone
            .address
            .set_port(u16::try_from(ready["port"].as_u64().unwrap()).unwrap());
        phone.suites = serde_json::from_value(ready["suites"].clone()).unwrap();
        phone
    }

    /// The SRTP suites that it was built with.
    pub(crate) fn suites(&self) -> Vec<String> {
        self.suites.clone()
    }

    /// Tells it to do something.
    pub(crate) fn order(&mut self, line: &str) {
        writeln!(self.orders, "{line}").expect("the phone lives");
        self.orders.flush().expect("the phone lives");
    }

    /// How much was seen so far: what comes later is looked for by [`Pjsua::wait_after`].
    pub(crate) fn mark(&self) -> usize {
        self.seen.0.lock().unwrap().len()
    }

    /// Waits until it has seen what fits, and gives it.
    pub(crate) fn wait(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.wait_after(0, what, fits)
    }

    /// As [`Pjsua::wait`], of what it has seen after a mark.
    pub(crate) fn wait_after(
        &self,
        mark: usize,
        what: &str,
        fits: impl Fn(&Value) -> bool,
    ) -> Value {
        let until = Instant::now() + LIMIT;
        let mut seen = self.seen.0.lock().unwrap();
        loop {
            if let Some(event) = seen.iter().skip(mark).find(|event| fits(event)) {
                return event.clone();
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{what}: {seen:#?}");
            seen = self.seen.1.wait_timeout(seen, left).unwrap().0;
        }
    }

    /// Waits until a call is in this state of PJSIP's: `CONFIRMED`, `DISCONNECTED`, `EARLY`.
    pub(crate) fn is(&self, call: &str, state: &str) -> Value {
        self.wait(&format!("call {call} {state}"), |event| {
            event["event"] == "state" && event["call"] == call && event["state"] == state
        })
    }

    /// Listens until the call hears mostly this tone.
    pub(crate) fn hears_tone(&mut self, call: &str, hz: f64) {
        let folder = tempfile::tempdir().unwrap();
        let until = Instant::now() + LIMIT;
        for number in 0.. {
            let file = folder.path().join(format!("{number}.wav"));
            let mark = self.mark();
            self.order(&format!("record {call} {} 0.5", file.display()));
            let told = self.wait_after(mark, "a recording", |event| event["event"] == "recorded");
            if told["path"] != "" {
                let heard = skillcall_media::wav::read_file(&file).unwrap().samples;
                let from = heard.len().saturating_sub(1600);
                if heard.len() >= 1600 && skillcall_media::tone::power_at(&heard[from..], hz) > 0.8
                {
                    return;
                }
            }
            assert!(
                Instant::now() < until,
                "call {call} hears no tone of {hz} Hz"
            );
        }
    }

    /// Asks until the call hears something.
    pub(crate) fn hears(&mut self, call: &str) {
        let until = Instant::now() + LIMIT;
        loop {
            let mark = self.mark();
            self.order(&format!("level {call}"));
            let level = self.wait_after(mark, "a level", |event| event["event"] == "level");
            if level["level"].as_u64() > Some(20) {
                return;
            }
            assert!(Instant::now() < until, "call {call} hears nothing");
        }
    }
}

impl Drop for Pjsua {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = writeln!(self.orders, "quit");
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
