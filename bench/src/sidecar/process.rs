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
use super::cores;
use super::handler::{Handler, reply_of};
use super::usage::{Usage, resident};

/// The keys that sidecar and handler share.
const KEYS: &str = "bench:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// The bearer token of the control API.
const TOKEN: &str = "bench-token-of-this-run-alone";
/// The skill whose calls are admitted, as the scenario names it.
pub(super) const SKILL: &str = "amzn1.application-oa2-client.00000000000000000000000000000000";
/// The number that is called.
pub(super) const NUMBER: &str = "+16075550199";
/// The file that is played.
pub(super) const PROMPT: &str = "tone.wav";
/// RTP ports, below those that the system gives to others.
const PORTS: &str = "4096-32699";
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
}

impl Setup {
    /// Actions by a handler, and limits that are not reached.
    pub(super) fn new(actions: Value) -> Self {
        Self {
            answering: Answering::Handler,
            actions,
            route: None,
            calls_per_second: 1_000_000,
        }
    }
}

/// A running sidecar with its handler. Dropping it ends both.
pub(super) struct Sidecar {
    process: Child,
    control: Control,
    /// Its SIP address.
    pub(super) sip: SocketAddr,
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
        let file = configure(folder.path(), setup, handler.as_ref(), sip, control)?;
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
        let mut sidecar = Self {
            process,
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

    /// What it has used up to now.
    pub(super) fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(self.process.id())
    }

    /// Its resident memory now, in bytes.
    pub(super) fn resident(&self) -> anyhow::Result<u64> {
        resident(self.process.id())
    }

    /// A folder for files of its load.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
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

fn configure(
    folder: &Path,
    setup: &Setup,
    handler: Option<&Handler>,
    sip: SocketAddr,
    control: SocketAddr,
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
    let calls_per_second = setup.calls_per_second;
    let text = format!(
        r#"
[sip]
listen = ["udp:{sip}"]
skills = ["{SKILL}"]
require-skill = true
[rtp]
ports = "{PORTS}"
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
{route}"#
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

fn secret(path: &Path, text: &str) -> anyhow::Result<()> {
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

fn free_tcp() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
