//! A sidecar with its handler and phones, all on loopback.

#![allow(
    dead_code,
    unused_imports,
    reason = "each test file uses its part of it"
)]

pub(crate) mod asterisk;
pub(crate) mod authority;
pub(crate) mod baresip;
pub(crate) mod boto3;
pub(crate) mod camera;
pub(crate) mod coturn;
pub(crate) mod crowd;
pub(crate) mod device;
pub(crate) mod free_port;
pub(crate) mod handler;
pub(crate) mod kamailio;
pub(crate) mod lossy;
pub(crate) mod network;
pub(crate) mod peer;
pub(crate) mod phone;
pub(crate) mod pjsua;
pub(crate) mod plain_call;
pub(crate) mod process;
pub(crate) mod recogniser;
pub(crate) mod room;
pub(crate) mod skill;
#[allow(unreachable_pub, reason = "host-tests has it too")]
pub(crate) mod steady;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use skillcall_sidecar::{Sidecar, SidecarConfig};
use tempfile::TempDir;

pub(crate) use handler::{Handler, hang_up_all};
pub(crate) use phone::{Behaviour, Phone};

/// The longest that anything in a test may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
/// The signing key of all tests.
pub(crate) const KEYS: &str = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// The bearer token of all tests.
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// The skill that may call.
pub(crate) const SKILL: &str = "amzn1.application-oa2-client.00000000000000000000000000000000";
/// The number of the application.
pub(crate) const NUMBER: &str = "+16075550199";

/// A sidecar in a folder of its own.
pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    pub(crate) handler: Handler,
    pub(crate) sidecar: Sidecar,
    pub(crate) client: reqwest::Client,
}

/// Writes a secret as it must be.
pub(crate) fn write_secret(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// The configuration of a test: `extra` is put before `[[application]]`, `route` is where +1607… leads.
pub(crate) fn config(
    folder: &Path,
    handler: &str,
    route: Option<std::net::SocketAddr>,
    extra: &str,
) -> SidecarConfig {
    let text = config_text(folder, handler, route, extra);
    SidecarConfig::parse(&text, &folder.join("sidecar.toml")).unwrap()
}

/// The text of [`config`], whose secrets and folders it makes.
pub(crate) fn config_text(
    folder: &Path,
    handler: &str,
    route: Option<std::net::SocketAddr>,
    extra: &str,
) -> String {
    for bucket in ["prompts", "recordings", "secrets"] {
        std::fs::create_dir_all(folder.join(bucket)).unwrap();
    }
    write_secret(&folder.join("secrets/sidecar.key"), KEYS);
    write_secret(&folder.join("secrets/control.token"), TOKEN);
    let route = route.map_or_else(String::new, |phone| {
        format!("[[route]]\nprefix = \"+\"\nuri = \"sip:{{number}}@{phone}\"\n")
    });
    format!(
        r#"
[sip]
listen = ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"]
skills = ["{SKILL}"]
{extra}
[rtp]
ports = "42000-43999"
[control]
listen = "127.0.0.1:0"
token-file = "secrets/control.token"
[buckets]
prompts = "prompts"
recordings = "recordings"
[[application]]
id = "c3b8a6f0-0000-4000-8000-000000000001"
handler = "{handler}"
numbers = ["{NUMBER}"]
keys-file = "secrets/sidecar.key"
{route}"#
    )
}

impl Bench {
    pub(crate) async fn start(handler: Handler, route: Option<std::net::SocketAddr>) -> Self {
        Self::with(handler, route, "", |_| {}).await
    }

    pub(crate) async fn with(
        handler: Handler,
        route: Option<std::net::SocketAddr>,
        extra: &str,
        change: impl FnOnce(&mut SidecarConfig),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path(), &handler.url, route, extra);
        change(&mut config);
        let sidecar = Sidecar::start(config).await.unwrap();
        Self {
            folder,
            handler,
            sidecar,
            client: reqwest::Client::new(),
        }
    }

    /// A phone that calls the application's number; INVITE headers as given.
    pub(crate) fn call(&self, phone: &Phone, headers: &[(&str, &str)]) {
        phone.call(self.sidecar.sip_udp().unwrap(), NUMBER, headers);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.sidecar.control())
    }

    pub(crate) async fn get(&self, path: &str) -> serde_json::Value {
        let response = self
            .client
            .get(self.url(path))
            .bearer_auth(TOKEN)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    /// What the control API says at `path`, once it fits.
    pub(crate) async fn shows(
        &self,
        path: &str,
        what: &str,
        fits: impl Fn(&serde_json::Value) -> bool,
    ) -> serde_json::Value {
        let until = std::time::Instant::now() + LIMIT;
        loop {
            let shown = self.get(path).await;
            if fits(&shown) {
                return shown;
            }
            assert!(std::time::Instant::now() < until, "{what}: {shown}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What it says of the first trunk's registration, once it fits.
    pub(crate) async fn registration(
        &self,
        what: &str,
        fits: impl Fn(&serde_json::Value) -> bool,
    ) -> serde_json::Value {
        let of = |trunks: &serde_json::Value| trunks["trunks"][0]["registration"].clone();
        of(&self
            .shows("/v1/trunks", what, |trunks| fits(&of(trunks)))
            .await)
    }

    /// The same, once it is registered.
    pub(crate) async fn is_registered(&self) -> serde_json::Value {
        self.registration("registered", |state| state["state"] == "registered")
            .await
    }

    /// Waits until each leg of the first call was sent so many packets.
    pub(crate) async fn sends(&self, packets: u64) {
        self.shows("/v1/calls", "packets to each leg", |calls| {
            let media = calls["calls"][0]["media"].as_array().unwrap();
            let sent = media.iter().map(|leg| leg["packetsSent"].as_u64());
            sent.min().flatten() >= Some(packets)
        })
        .await;
    }

    /// Waits until all that calls have held is given back.
    pub(crate) async fn nothing_is_left(&self) {
        self.figures_become("everything is given back", |now| {
            (now.calls, now.legs, now.port_pairs, now.sockets) == (0, 0, 0, 0)
        })
        .await;
    }

    /// Waits until the sidecar's figures fit.
    pub(crate) async fn figures_become(
        &self,
        what: &str,
        fits: impl Fn(&skillcall_sidecar::FiguresSnapshot) -> bool,
    ) {
        let until = std::time::Instant::now() + LIMIT;
        loop {
            let figures = self.sidecar.figures();
            if fits(&figures) {
                return;
            }
            assert!(std::time::Instant::now() < until, "{what}: {figures:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Headers of an INVITE that Alexa sends for a client session (facts E1).
pub(crate) fn skill_headers(csi: &str) -> Vec<(&'static str, String)> {
    let uui = format!("{};encoding=hex", hex::encode(format!("csi={csi}")));
    vec![
        ("X-Alexa-LWA-ClientId", SKILL.to_owned()),
        ("User-to-User", uui),
    ]
}

/// Whether 200 ms on end are this tone. What is longer may have gaps where the machine stood still.
pub(crate) fn has_tone(samples: &[i16], hz: f64) -> bool {
    let clear = |piece| skillcall_media::tone::power_at(piece, hz) > 0.8;
    samples.windows(1600).step_by(400).any(clear)
}

/// A program of another project, found in PATH or among what `tools/setup.sh` installs. Without it the test is left
/// out, and says so.
pub(crate) fn program(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    if found.is_none() {
        eprintln!("skipped: {name} is not installed; tools/setup.sh test installs it");
    }
    found
}

/// A program of the Python environment that `tools/strangers.sh` makes. Without it the test is left out, and says so.
pub(crate) fn stranger(name: &str) -> Option<std::path::PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/strangers.sh");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("strangers");
    let made = std::process::Command::new(script).arg(folder).output();
    match made {
        Ok(made) if made.status.success() => {
            Some(Path::new(String::from_utf8_lossy(&made.stdout).trim()).join(name))
        }
        failed => {
            eprintln!("skipped: {name} cannot be had: {failed:?}");
            None
        }
    }
}
