//! `skillcall up --host spin`, with a stand-in for the `spin` program: what it is told, and a call through what it serves.
//!
//! The stand-in notes its arguments and runs the manifest under Spin's rules ([`skillcall_host::spin_harness`]), in this
//! very test program, started once more.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use skillcall_host::spin_harness::{SpinHarness, SpinOptions};

/// How long what must come is waited for.
const PATIENCE: Duration = Duration::from_secs(120);
/// Names the folder of a stand-in's notes; only a stand-in has it.
const NOTES: &str = "SKILLCALL_TEST_SPIN_NOTES";

/// What the stand-in runs. Without its notes it is nobody's stand-in, and has nothing to do.
#[test]
#[ignore = "the stand-in for Spin, started by the other tests"]
fn the_stand_in() {
    let Some(notes) = std::env::var_os(NOTES).map(PathBuf::from) else {
        return;
    };
    let arguments = std::fs::read_to_string(notes.join("arguments")).expect("the arguments");
    let after = |option: &str| {
        let mut words = arguments.lines().skip_while(|word| *word != option);
        words
            .nth(1)
            .unwrap_or_else(|| panic!("no {option} in {arguments}"))
    };
    let mut options = SpinOptions::new(after("--file"));
    options.listen = after("--listen").parse().expect("an address");
    options.variables = std::env::vars()
        .filter_map(|(name, value)| {
            let name = name.strip_prefix("SPIN_VARIABLE_")?;
            Some((name.to_lowercase(), value))
        })
        .collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let spin = SpinHarness::start(options)
            .await
            .expect("Spin would start it");
        // Until it is interrupted, as Spin.
        tokio::signal::ctrl_c().await.expect("a signal");
        spin.shutdown().await;
    });
}

/// An installation on free ports, and the stand-in in front of the path.
struct Trial {
    folder: tempfile::TempDir,
    tools: tempfile::TempDir,
}

impl Trial {
    fn new() -> Self {
        let (folder, tools) = (
            tempfile::tempdir().expect("a folder"),
            tempfile::tempdir().expect("a folder"),
        );
        let script = format!(
            "#!/bin/sh\nprintf '%s\\n' \"$@\" > {notes}/arguments\n\
             exec {program} --ignored --exact the_stand_in --nocapture\n",
            notes = tools.path().display(),
            program = std::env::current_exe().expect("this program").display(),
        );
        let spin = tools.path().join("spin");
        std::fs::write(&spin, script).expect("written");
        std::fs::set_permissions(&spin, std::fs::Permissions::from_mode(0o755))
            .expect("executable");
        let trial = Self { folder, tools };
        assert!(trial.skillcall(&["init"]).status.success());
        trial.move_to_free_ports();
        trial
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skillcall"));
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .arg("--folder")
            .arg(self.folder.path())
            .args(arguments)
            .env("PATH", format!("{}:{path}", self.tools.path().display()))
            .env(NOTES, self.tools.path());
        command
    }

    fn skillcall(&self, arguments: &[&str]) -> Output {
        self.command(arguments)
            .output()
            .expect("the program starts")
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.skillcall(&[&["--json"], arguments].concat());
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {told}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(file)).expect(file)
    }

    /// The usual ports may be taken.
    fn move_to_free_ports(&self) {
        let held: Vec<TcpListener> = (0..5)
            .map(|_| TcpListener::bind("127.0.0.1:0").expect("a port"))
            .collect();
        let port = |index: usize| held[index].local_addr().expect("an address").port();
        let rtp = free_rtp();
        let moves: BTreeMap<&str, String> = [
            ("127.0.0.1:3000", format!("127.0.0.1:{}", port(0))),
            ("127.0.0.1:7080", format!("127.0.0.1:{}", port(1))),
            ("127.0.0.1:7090", format!("127.0.0.1:{}", port(2))),
            ("127.0.0.1:5060", format!("127.0.0.1:{}", port(3))),
            ("127.0.0.1:5070", format!("127.0.0.1:{}", port(4))),
            ("40000-40999", format!("{rtp}-{}", rtp + 63)),
        ]
        .into();
        for file in ["host.toml", "sidecar.toml", "simulator.toml"] {
            let mut text = self.read(file);
            for (from, to) in &moves {
                text = text.replace(from, to);
            }
            std::fs::write(self.folder.path().join(file), text).expect("written");
        }
    }

    /// `skillcall up --host spin`, running.
    fn up(&self, more: &[&str]) -> Up {
        let mut command = self.command(&[&["up", "--host", "spin"], more].concat());
        let log = std::fs::File::create(self.tools.path().join("up.log")).expect("a log");
        let child = command
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .expect("the program starts");
        let mut up = Up(child);
        let note = self.folder.path().join("state/running.json");
        self.until("it to run", || {
            assert!(
                up.0.try_wait().expect("its status").is_none(),
                "{}",
                self.log()
            );
            note.is_file().then_some(())
        });
        up
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.tools.path().join("up.log")).unwrap_or_default()
    }

    fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(
                Instant::now() < end,
                "waited in vain for {what}: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The first of 64 RTP ports, of which at least one is free; others are passed over.
fn free_rtp() -> u16 {
    (13_000..32_000)
        .step_by(64)
        .skip(std::process::id() as usize % 200)
        .find(|port| UdpSocket::bind(("127.0.0.1", *port)).is_ok())
        .expect("RTP ports")
}

/// A running `skillcall up`.
struct Up(Child);

impl Up {
    fn interrupt(mut self) {
        let pid = self.0.id().to_string();
        let sent = Command::new("kill").args(["-INT", &pid]).status();
        assert!(sent.expect("kill runs").success());
        let end = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.0.try_wait().expect("its status") {
                break status;
            }
            assert!(Instant::now() < end, "it does not stop");
            std::thread::sleep(Duration::from_millis(50));
        };
        assert!(status.success(), "{status}");
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The text values of a TOML list in a manifest.
fn list<'a>(manifest: &'a str, key: &str) -> Vec<&'a str> {
    let (_, rest) = manifest.split_once(&format!("{key} = [")).expect(key);
    let (inside, _) = rest.split_once(']').expect("its end");
    inside
        .split(',')
        .map(|item| item.trim().trim_matches('"'))
        .filter(|item| !item.is_empty())
        .collect()
}

#[test]
fn a_call_runs_on_what_spin_is_given_and_on_nothing_else() {
    let trial = Trial::new();
    let up = trial.up(&[]);
    let running: Value = serde_json::from_str(&trial.read("state/running.json")).expect("JSON");
    let (component, sidecar, simulator) = (
        running["component"].as_str().expect("an address"),
        running["sidecar"].as_str().expect("an address"),
        running["simulator"].as_str().expect("an address"),
    );

    let arguments = std::fs::read_to_string(trial.tools.path().join("arguments")).expect("noted");
    let arguments: Vec<&str> = arguments.lines().collect();
    let manifest = trial.folder.path().join("state/spin.toml");
    let manifest = manifest.canonicalize().expect("the manifest");
    assert_eq!(
        arguments,
        [
            "up",
            "--file",
            manifest.to_str().expect("a path"),
            "--listen",
            component
        ]
    );
    let manifest = trial.read("state/spin.toml");
    assert_eq!(
        list(&manifest, "allowed_outbound_hosts"),
        [format!("http://{simulator}"), format!("http://{sidecar}")],
        "the simulator is Alexa and its chains' place, and nothing else is reached"
    );
    for secret in ["sidecar.key", "session.key"] {
        let secret = trial.read(&format!("secrets/{secret}"));
        assert!(
            !manifest.contains(secret.trim()),
            "secrets go by the environment"
        );
    }

    let said = trial.json(&["say", "call the front desk"]);
    assert!(
        said.to_string().contains("Calling the front desk."),
        "{said}"
    );
    let request = said["requestId"].as_str().expect("a request").to_owned();
    trial.until("the call's events at the component", || {
        let trace = trial.json(&["trace", &request]).to_string();
        (trace.contains("NEW_INBOUND_CALL") && trace.contains("/media/events")).then_some(())
    });
    // A digit before its prompt is nobody's: it is pressed again.
    trial.until("the phone", || {
        trial.skillcall(&["press", "1"]);
        let trace = trial.json(&["trace", &request]).to_string();
        trace.contains("CallAndBridge").then_some(())
    });
    assert!(trial.skillcall(&["hang-up"]).status.success());
    trial.until("the end of the call", || {
        let trace = trial.json(&["trace", &request]).to_string();
        trace.contains("HANGUP").then_some(())
    });
    up.interrupt();
    let _: SocketAddr = component.parse().expect("an address");
    TcpListener::bind(component).expect("the stand-in is gone, too");
}

#[test]
fn another_manifest_keeps_what_it_says_but_the_origins() {
    let trial = Trial::new();
    let other = trial.tools.path().join("other.toml");
    let text = include_str!("../../spin.toml")
        .replace("name = \"skillcall\"", "name = \"harbour-hotel\"")
        .replace("target/skillcall-spin.wasm", "skill.wasm");
    std::fs::write(&other, text).expect("written");
    let arguments = [
        "up",
        "--host",
        "spin",
        "--manifest",
        other.to_str().expect("a path"),
    ];
    let refused = trial.skillcall(&arguments);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success());
    assert!(
        told.contains("skill.wasm") && told.contains("make component"),
        "{told}"
    );

    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/skillcall-spin.wasm");
    let built = std::env::var_os("SKILLCALL_SPIN_COMPONENT").map_or(built, PathBuf::from);
    std::fs::copy(built, trial.tools.path().join("skill.wasm"))
        .expect("`make component` builds it");
    let up = trial.up(&arguments[3..]);
    let manifest = trial.read("state/spin.toml");
    assert!(manifest.contains("name = \"harbour-hotel\""), "{manifest}");
    assert_eq!(list(&manifest, "allowed_outbound_hosts").len(), 2);
    up.interrupt();
}

#[test]
fn without_spin_it_says_so() {
    let trial = Trial::new();
    std::fs::remove_file(trial.tools.path().join("spin")).expect("removed");
    let refused = trial
        .command(&["up", "--host", "spin"])
        .env("PATH", trial.tools.path())
        .output()
        .expect("the program starts");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success());
    assert!(told.contains("install Spin"), "{told}");
}
