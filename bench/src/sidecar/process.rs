//! The sidecar as a process of its own, with a configuration made for load.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;
use tempfile::TempDir;

use super::control::{Control, Figures};
use super::cores::{self, Share};
use super::handler::{Handler, reply_of};
use super::usage::{Usage, resident};

/// The keys that sidecar and handler share.
pub(super) const KEYS: &str = "bench:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// The bearer token of the control API.
pub(super) const TOKEN: &str = "bench-token-of-this-run-alone";
/// The skill whose calls are admitted, as the scenario names it.
pub(super) const SKILL: &str = "amzn1.application-oa2-client.00000000000000000000000000000000";
/// The number that is called.
pub(super) const NUMBER: &str = "+16075550199";
/// The file that is played.
pub(super) const PROMPT: &str = "tone.wav";
/// RTP ports, below those that the system gives to others.
const PORTS: &str = "4096-32699";
/// Ports of an address of loopback that is the sidecar's alone: 32,256 legs.
const ALL_PORTS: &str = "1024-65535";
/// That address.
const ITS_ALONE: &str = "127.0.0.2";
/// The longest that the sidecar may take to start, or to end its last call.
const PATIENCE: Duration = Duration::from_secs(40);
/// How often it is looked whether something has come true.
const LOOK: Duration = Duration::from_millis(20);

/// Who says what a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answering {
    /// A handler, over HTTP.
    Handler,
    /// The sidecar itself, by a fixed reply.
    Fixed,
}

/// What a sidecar is started with.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    /// Who answers.
    pub(super) answering: Answering,
    /// The actions of a new call.
    pub(super) actions: Value,
    /// Where CallAndBridge leads.
    pub(super) route: Option<SocketAddr>,
    /// `limits.calls-per-second`.
    pub(super) calls_per_second: u32,
    /// Whether RTP has an address of its own, whose ports are all the sidecar's.
    pub(super) all_ports: bool,
    /// Folder with `server.pem` and `server.key`: it is called by TLS.
    pub(super) tls: Option<PathBuf>,
    /// More of its configuration, at the end.
    pub(super) more: String,
    /// The part of a core that it may have; all of it by default.
    pub(super) quota: Option<f64>,
}

impl Setup {
    /// Actions by a handler, and limits that are not reached.
    pub(super) fn new(actions: Value) -> Self {
        Self {
            answering: Answering::Handler,
            actions,
            route: None,
            calls_per_second: 1_000_000,
            all_ports: false,
            tls: None,
            more: String::new(),
            quota: None,
        }
    }
}

/// A running sidecar with its handler. Dropping it ends both.
pub(super) struct Sidecar {
    process: Child,
    control: Control,
    /// Its SIP address, by UDP.
    pub(super) sip: SocketAddr,
    /// Where it is called: the same, or its address for TLS.
    pub(super) called: SocketAddr,
    /// Of its control API.
    pub(super) api: SocketAddr,
    _share: Option<Share>,
    folder: TempDir,
    handler: Option<Handler>,
}

impl Sidecar {
    /// Starts it, and waits until it serves.
    pub(super) fn start(setup: &Setup) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let handler = match setup.answering {
            Answering::Handler => Some(Handler::start(&setup.actions, KEYS)?),
            Answering::Fixed => None,
        };
        let (sip, control) = (free_udp()?, free_tcp()?);
        let tls = setup.tls.as_ref().map(|_| free_tcp()).transpose()?;
        let listening = Listening { sip, tls, control };
        let file = configure(folder.path(), setup, handler.as_ref(), &listening)?;
        let log = fs::File::create(folder.path().join("log"))?;
        let process = cores::on_the_sidecars(program()?)
            .arg("--config")
            .arg(&file)
            .args(["--log", "error"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("taskset")?;
        let share = setup
            .quota
            .map(|part| Share::of(process.id(), part))
            .transpose()?;
        let mut sidecar = Self {
            process,
            called: tls.unwrap_or(sip),
            api: control,
            _share: share,
            control: Control::new(control, TOKEN.to_owned())?,
            sip,
            folder,
            handler,
        };
        let until = Instant::now() + PATIENCE;
        while sidecar.figures().is_err() {
            if sidecar.process.try_wait()?.is_some() || Instant::now() > until {
                let log = fs::read_to_string(sidecar.folder.path().join("log"))?;
                bail!("the sidecar does not start: {}", log.trim());
            }
            std::thread::sleep(LOOK);
        }
        Ok(sidecar)
    }

    /// When its handler answered a new call last, in time since 1970.
    pub(super) fn replied(&self) -> Option<Duration> {
        self.handler.as_ref()?.replied()
    }

    /// What one of the next new calls is answered with by its handler.
    pub(super) fn answer_next(&self, actions: &Value) {
        if let Some(handler) = &self.handler {
            handler.answer_next(actions);
        }
    }

    /// Asks its control API for something new: the answer.
    pub(super) fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.control.post(path, body)
    }

    /// Its counters now.
    pub(super) fn figures(&self) -> anyhow::Result<Figures> {
        self.control.figures()
    }

    /// Its process.
    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What it has used up to now.
    pub(super) fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(self.process.id())
    }

    /// Its resident memory now, in bytes.
    pub(super) fn resident(&self) -> anyhow::Result<u64> {
        resident(self.process.id())
    }

    /// Waits until it has no calls.
    pub(super) fn becomes_idle(&self) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        while self.figures()?.get("calls") > 0 {
            if Instant::now() > until {
                bail!("calls are left over");
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        // Nothing of it is needed any more, and a shutdown would wait for its calls.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program that is measured lies beside this one.
fn program() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name("skillcall-sidecar");
    if !program.is_file() {
        bail!(
            "{} is not there: start this by bench/run, which builds it",
            program.display()
        );
    }
    Ok(program)
}

/// Its addresses.
struct Listening {
    sip: SocketAddr,
    tls: Option<SocketAddr>,
    control: SocketAddr,
}

fn configure(
    folder: &Path,
    setup: &Setup,
    handler: Option<&Handler>,
    listening: &Listening,
) -> anyhow::Result<PathBuf> {
    secret(&folder.join("keys"), KEYS)?;
    secret(&folder.join("token"), TOKEN)?;
    let answering = match handler {
        Some(handler) => format!("handler = \"{}\"\nkeys-file = \"keys\"", handler.url()),
        None => {
            fs::write(
                folder.join("reply.json"),
                reply_of(&setup.actions).to_string(),
            )?;
            "actions = \"reply.json\"".to_owned()
        }
    };
    let route = setup.route.map_or_else(String::new, |phone| {
        format!("[[route]]\nprefix = \"+\"\nuri = \"sip:{{number}}@{phone}\"\n")
    });
    for bucket in ["prompts", "recordings"] {
        fs::create_dir(folder.join(bucket))?;
    }
    fs::write(folder.join("prompts").join(PROMPT), tone())?;
    let Listening { sip, tls, control } = listening;
    let (mut listen, mut certificate) = (format!("\"udp:{sip}\""), String::new());
    if let (Some(address), Some(folder)) = (tls, &setup.tls) {
        listen.push_str(&format!(", \"tls:{address}\""));
        let at = |name: &str| folder.join(name).display().to_string();
        certificate = format!(
            "[tls]\ncertificate = \"{}\"\nkey-file = \"{}\"\n",
            at("server.pem"),
            at("server.key")
        );
    }
    let (address, ports) = if setup.all_ports {
        (ITS_ALONE, ALL_PORTS)
    } else {
        ("127.0.0.1", PORTS)
    };
    let (calls_per_second, more) = (setup.calls_per_second, &setup.more);
    let text = format!(
        r#"
[sip]
listen = [{listen}]
skills = ["{SKILL}"]
require-skill = true
{certificate}[rtp]
address = "{address}"
ports = "{ports}"
drain-seconds = 1
[control]
listen = "{control}"
token-file = "token"
[speech]
engine = "none"
[buckets]
prompts = "prompts"
recordings = "recordings"
[limits]
calls = 100000
calls-per-second = {calls_per_second}
queue = 65536
sessions = 1000000
session-seconds = 60
[[application]]
id = "bench"
{answering}
{route}{more}"#
    );
    let file = folder.join("sidecar.toml");
    fs::write(&file, text)?;
    Ok(file)
}

/// Two seconds of a square wave of 400 Hz: 8 kHz, mono, 16 bits.
fn tone() -> Vec<u8> {
    let samples: Vec<u8> = (0..16_000u32)
        .flat_map(|n| {
            let sample: i16 = if n / 10 % 2 == 0 { 6000 } else { -6000 };
            sample.to_le_bytes()
        })
        .collect();
    let length = samples.len() as u32;
    let mut wav = Vec::with_capacity(44 + samples.len());
    wav.extend(b"RIFF");
    wav.extend((36 + length).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16u32.to_le_bytes());
    // PCM, one channel.
    wav.extend(1u16.to_le_bytes());
    wav.extend(1u16.to_le_bytes());
    wav.extend(8000u32.to_le_bytes());
    wav.extend(16_000u32.to_le_bytes());
    wav.extend(2u16.to_le_bytes());
    wav.extend(16u16.to_le_bytes());
    wav.extend(b"data");
    wav.extend(length.to_le_bytes());
    wav.extend(samples);
    wav
}

pub(super) fn secret(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}

/// A UDP address of loopback that is free now.
pub(super) fn free_udp() -> anyhow::Result<SocketAddr> {
    Ok(UdpSocket::bind("127.0.0.1:0")?.local_addr()?)
}

/// A TCP address of loopback that is free now.
pub(super) fn free_tcp() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
