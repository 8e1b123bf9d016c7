//! An installation for the load, and `skillcall up` on it.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use skillcall_host::state::{Bounds, DurableState, Key, State as _};

use crate::{customer, device, json_of};

/// How long what must come is waited for.
const PATIENCE: Duration = Duration::from_secs(120);
/// RTP ports: below those that the system gives away by itself.
const RTP: &str = "20000-27999";

/// Two desks: of the one the profile knows the caller's number, of the other the linked account. Each call ends at once.
const PLAN: &str = r#"
[skill]
id = "amzn1.ask.skill.00000000-0000-0000-0000-000000000000"
lwa-client-id = "amzn1.application-oa2-client.00000000000000000000000000000000"
default-locale = "en-US"
[caller]
order = ["profile"]
account-link = { userinfo = "http://{simulator}/userinfo", number = "/phone_number" }
[[destination]]
name = "front desk"
id = "FRONT_DESK"
number = "+16075550199"
[[destination]]
name = "housekeeping"
id = "HOUSEKEEPING"
number = "+16075550199"
caller = ["account-link"]
[[flow]]
number = "+16075550199"
start = "end-it"
[flow.step.end-it]
actions = [{ Type = "Hangup", SipResponseCode = "486" }]
"#;

/// Where everything is, and the secrets of those who ask.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) http: reqwest::Client,
    pub(crate) simulator: String,
    pub(crate) component: String,
    pub(crate) token: String,
    pub(crate) keys: String,
}

/// `skillcall up`, running.
pub(crate) struct Trial {
    folder: tempfile::TempDir,
    child: Child,
    services: Services,
}

impl Drop for Trial {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write_secret(path: &Path, text: &str) {
    use std::io::Write as _;
    let file = std::fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .expect("a secret");
}

impl Trial {
    /// Makes the installation and starts it. `timed`: Alexa and the host wait as long as they really do; else so long that
    /// a slow machine fails nothing.
    pub(crate) async fn start(users: usize, timed: bool) -> Self {
        // The first to choose a provider wins.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a folder");
        let init = Command::new(env!("CARGO_BIN_EXE_skillcall"))
            .arg("--folder")
            .arg(folder.path())
            .arg("init")
            .output()
            .expect("the program starts");
        assert!(init.status.success(), "{init:?}");
        configure(folder.path(), users, timed);
        let log = std::fs::File::create(folder.path().join("up.log")).expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_skillcall"))
            .arg("--folder")
            .arg(folder.path())
            .arg("up")
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .expect("the program starts");
        let read = |file: &str| std::fs::read_to_string(folder.path().join(file)).ok();
        let secret = |file: &str| read(file).expect(file).trim().to_owned();
        let services = Services {
            http: reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("a client"),
            simulator: String::new(),
            component: String::new(),
            token: secret("secrets/simulator.token"),
            keys: secret("secrets/sidecar.key"),
        };
        let mut trial = Self {
            child,
            services,
            folder,
        };
        let end = Instant::now() + PATIENCE;
        let running: Value = loop {
            let note = trial.folder.path().join("state/running.json");
            let note = std::fs::read(note).ok();
            if let Some(note) = note.and_then(|note| serde_json::from_slice(&note).ok()) {
                break note;
            }
            let ended = trial.child.try_wait().expect("its status");
            let log = std::fs::read_to_string(trial.folder.path().join("up.log"));
            assert!(ended.is_none(), "it ended: {log:?}");
            assert!(Instant::now() < end, "it does not run: {log:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let address = |name: &str| format!("http://{}", running[name].as_str().expect(name));
        trial.services.simulator = address("simulator");
        trial.services.component = address("component");
        trial
    }

    pub(crate) fn services(&self) -> Services {
        self.services.clone()
    }

    fn get(&self, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.services.simulator);
        self.services
            .http
            .get(url)
            .bearer_auth(&self.services.token)
    }

    /// Orders this trouble, in place of what was ordered before.
    pub(crate) async fn order(&self, trouble: &[Value]) {
        let url = format!("{}/sim/v1/trouble", self.services.simulator);
        let request = self
            .services
            .http
            .put(url)
            .bearer_auth(&self.services.token);
        let answer = request.json(&json!({"trouble": trouble})).send().await;
        assert_eq!(answer.expect("an answer").status().as_u16(), 204);
    }

    /// The calls that the simulator still knows.
    pub(crate) async fn calls(&self) -> Value {
        json_of(self.get("/sim/v1/calls")).await
    }

    /// What was asked of Login with Amazon.
    pub(crate) async fn login(&self) -> Value {
        json_of(self.get("/sim/v1/login")).await
    }

    /// The process's resident memory.
    pub(crate) fn memory_kib(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .unwrap_or_default()
    }

    /// Stops it in order, and gives those of these customers whose tokens are not in its state any more.
    pub(crate) async fn stop_and_count_lost(&mut self, granted: &[usize]) -> Vec<usize> {
        let pid = self.child.id().to_string();
        let killed = Command::new("kill").arg(&pid).status();
        assert!(killed.expect("kill runs").success());
        let end = Instant::now() + PATIENCE;
        while self.child.try_wait().expect("its status").is_none() {
            assert!(Instant::now() < end, "it does not stop");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let file = self.folder.path().join("state/skill.redb");
        let state = DurableState::open(&file, Bounds::default()).expect("the state");
        let mut lost = Vec::new();
        for number in granted {
            let digest = Sha256::digest(customer(*number).as_bytes());
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            let key = Key::new(&format!("lwa/user/{hex}")).expect("a key");
            let kept = state.get(&key).await.expect("the state");
            if kept.is_none() {
                lost.push(*number);
            }
        }
        lost
    }
}

fn configure(folder: &Path, users: usize, timed: bool) {
    let answer_limit_ms = if timed { 8000 } else { 120_000 };
    let limits = if timed {
        ""
    } else {
        "\n[limits]\nconcurrency = 200\nqueue_wait_ms = 60000\ndeadline_seconds = 120\n"
    };
    let held: Vec<TcpListener> = (0..5)
        .map(|_| TcpListener::bind("127.0.0.1:0").expect("a port"))
        .collect();
    let address = |index: usize| held[index].local_addr().expect("an address").to_string();
    let simulator = address(2);
    let moves: BTreeMap<&str, String> = [
        ("127.0.0.1:3000", address(0)),
        ("127.0.0.1:7080", address(1)),
        ("127.0.0.1:7090", simulator.clone()),
        ("127.0.0.1:5060", address(3)),
        ("127.0.0.1:5070", address(4)),
        ("40000-40999", RTP.to_owned()),
    ]
    .into();
    let edit = |file: &str, more: &dyn Fn(String) -> String| {
        let path = folder.join(file);
        let mut text = std::fs::read_to_string(&path).expect(file);
        for (from, to) in &moves {
            text = text.replace(from, to);
        }
        std::fs::write(&path, more(text)).expect("written");
    };
    edit("skillcall.toml", &|_| {
        PLAN.replace("{simulator}", &simulator)
    });
    edit("sidecar.toml", &|text| text);
    edit("host.toml", &|text| text + limits);
    edit("simulator.toml", &|text| {
        let text = text
            .replace("voice = { kind = \"wav\", file = \"voice/guest.wav\" }\nrecordings = \"simulator/heard\"\n", "")
            .replace("trace-file = \"traces/simulator.jsonl\"\n", "")
            .replace(
                "[alexa]\n",
                // Tokens are renewed five minutes before their end: here every twenty seconds.
                &format!("[alexa]\ntoken-seconds = 320\ntrace-records = 1000\nanswer-limit-ms = {answer_limit_ms}\nlisten-ms = 120000\n"),
            );
        let customers: String = (0..users)
            .map(|number| {
                format!(
                    "\n[[customer]]\nuser-id = \"{}\"\ndevice-id = \"{}\"\nlinked-numbers = [\"+12045550188\"]\naccess-token-file = \"secrets/linked{number}\"\n",
                    customer(number),
                    device(number)
                )
            })
            .collect();
        format!("{text}{customers}")
    });
    let secrets = folder.join("secrets");
    for number in 0..users {
        let token = format!("linked-account-of-{number}\n");
        write_secret(&secrets.join(format!("linked{number}")), &token);
    }
}
