//! A browser that nobody here wrote: Debian's Chromium, driven by its own driver (W3C WebDriver).

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::wait::until;

/// WebDriver's name of an element's id in JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Keeps the page's connections where scripts find them.
const KEEP_PEERS: &str = r"
window.peers = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...all) { super(...all); window.peers.push(this); }
};
";

/// The ICE session of the way that packets take now: its user name, and where they go.
const WAY: &str = r"
const done = arguments[0];
window.peers.at(-1).getStats().then((stats) => {
  const all = [...stats.values()];
  const way = stats.get(all.find(({ type }) => type === 'transport')?.selectedCandidatePairId);
  const [local, remote] = [stats.get(way?.localCandidateId), stats.get(way?.remoteCandidateId)];
  done(way ? { name: local.usernameFragment, from: local.address, to: remote.address } : null);
});
";

/// How much of what the page hears now is a tone: 1 is the tone alone, 0 something else or silence. For 250 ms of it.
const LISTEN: &str = r"
const [hz, done] = arguments;
const stream = document.getElementById('audio').srcObject;
if (!stream) { done(0); return; }
if (window.heardStream !== stream) {
  window.listening?.close();
  window.listening = new AudioContext();
  window.ear = window.listening.createAnalyser();
  window.ear.fftSize = 8192;
  window.listening.createMediaStreamSource(stream).connect(window.ear);
  window.heardStream = stream;
}
setTimeout(() => {
  const all = new Float32Array(8192);
  window.ear.getFloatTimeDomainData(all);
  let [re, im, energy] = [0, 0, 0];
  all.forEach((sample, at) => {
    const angle = 2 * Math.PI * hz * at / window.listening.sampleRate;
    re += sample * Math.cos(angle);
    im += sample * Math.sin(angle);
    energy += sample * sample;
  });
  done(energy < 1e-3 ? 0 : 2 * (re * re + im * im) / (energy * all.length));
}, 250);
";

/// A browser with one window. Dropping it ends it.
pub struct Chromium {
    driver: Child,
    http: reqwest::Client,
    session: String,
}

impl Chromium {
    /// Starts it with a microphone that plays a WAV file again and again; its profile and log lie in `folder`.
    ///
    /// # Panics
    /// When Chromium or its driver do not start: the tests want them, as `tools/setup.sh test` says.
    pub async fn start(folder: &Path, microphone: &Path) -> Self {
        let mut driver = Command::new("chromedriver")
            .args(["--port=0", "--log-level=WARNING"])
            .env("HOME", folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver starts; `tools/setup.sh test` installs it");
        let mut lines = BufReader::new(driver.stdout.take().expect("its output")).lines();
        let port = loop {
            let line = lines.next_line().await.expect("its output");
            let line = line.expect("chromedriver says its port");
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        // Nobody reads the rest; a pipe that is full would stop the driver.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let arguments = [
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-quic".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--autoplay-policy=no-user-gesture-required".to_owned(),
            "--use-fake-ui-for-media-stream".to_owned(),
            "--use-fake-device-for-media-stream".to_owned(),
            format!("--use-file-for-fake-audio-capture={}", microphone.display()),
            format!("--user-data-dir={}", folder.join("profile").display()),
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"binary": "/usr/bin/chromium", "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
            "timeouts": {"script": 30_000},
        }}});
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(90))
            .build()
            .expect("an HTTP client");
        let mut chromium = Self {
            driver,
            http,
            session: format!("http://127.0.0.1:{port}/session"),
        };
        let begun = chromium.post("", &wanted).await;
        let id = begun["sessionId"].as_str().expect("a session").to_owned();
        chromium.session = format!("{}/{id}", chromium.session);
        let keep = json!({
            "cmd": "Page.addScriptToEvaluateOnNewDocument",
            "params": {"source": KEEP_PEERS},
        });
        chromium.post("/goog/cdp/execute", &keep).await;
        chromium
    }

    async fn answer(request: reqwest::RequestBuilder) -> Result<Value, Value> {
        let reply = request.send().await.expect("chromedriver answers");
        let fine = reply.status().is_success();
        let text = reply.text().await.expect("an answer");
        let value: Value = serde_json::from_str(&text).expect("JSON");
        if fine {
            Ok(value["value"].clone())
        } else {
            Err(value["value"].clone())
        }
    }

    async fn try_post(&self, path: &str, body: &Value) -> Result<Value, Value> {
        let url = format!("{}{path}", self.session);
        // WebDriver wants the length; a body of JSON has it.
        Self::answer(self.http.post(url).body(body.to_string())).await
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let done = self.try_post(path, body).await;
        done.unwrap_or_else(|error| panic!("chromedriver {path}: {error}"))
    }

    /// Opens a page.
    pub async fn open(&self, url: &str) {
        self.post("/url", &json!({"url": url})).await;
    }

    /// Clicks an element as soon as it can be clicked.
    pub async fn click(&self, css: &str) {
        until(&format!("a click on {css}"), async || {
            let found = json!({"using": "css selector", "value": css});
            let element = self.try_post("/element", &found).await.ok()?;
            let id = element[ELEMENT].as_str()?.to_owned();
            let (path, nothing) = (format!("/element/{id}/click"), json!({}));
            self.try_post(&path, &nothing).await.ok()
        })
        .await;
    }

    /// Runs a script that gives something at once.
    pub async fn run(&self, script: &str) -> Value {
        let body = json!({"script": script, "args": []});
        self.post("/execute/sync", &body).await
    }

    /// An element's text.
    pub async fn text(&self, id: &str) -> String {
        let script = format!("return document.getElementById({}).textContent", json!(id));
        let text = self.run(&script).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an element's text is as wanted.
    pub async fn shows(&self, id: &str, wanted: &str) {
        until(&format!("{wanted:?} in the browser"), async || {
            let (text, problem) = (self.text(id).await, self.text("problem").await);
            assert!(problem.is_empty(), "the page: {problem}");
            (text == wanted).then_some(())
        })
        .await;
    }

    /// How much of what the page hears now is this tone, 0 to 1.
    pub async fn hears(&self, hz: f64) -> f64 {
        let body = json!({"script": LISTEN, "args": [hz]});
        let share = self.post("/execute/async", &body).await;
        share.as_f64().unwrap_or_default()
    }

    /// The way that packets of the page's last connection take: `name` (of its ICE session), `from` and `to`; null: none yet.
    pub async fn way(&self) -> Value {
        let body = json!({"script": WAY, "args": []});
        self.post("/execute/async", &body).await
    }

    /// What the page wrote on its console.
    pub async fn console(&self) -> Value {
        self.post("/se/log", &json!({"type": "browser"})).await
    }

    /// Closes it.
    ///
    /// # Panics
    /// When it cannot be closed.
    pub async fn end(mut self) {
        let closed = Self::answer(self.http.delete(&self.session)).await;
        assert!(closed.is_ok(), "{closed:?}");
        self.driver.kill().await.expect("chromedriver ends");
    }
}
