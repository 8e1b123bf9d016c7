//! rtpengine without its kernel module: one media thread, and calls by its control protocol (`ng`: a cookie and a
//! dictionary in bencode, by UDP).

use std::net::UdpSocket;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

use super::program::{Program, is_taken};
use crate::sidecar::cores;
use crate::sidecar::process::free_udp;

/// The address whose ports are all its own.
const ITS_ALONE: &str = "127.0.0.3";
/// The longest that a command may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running rtpengine.
pub(in crate::sidecar) struct Rtpengine {
    program: Program,
    control: UdpSocket,
    commands: std::cell::Cell<u64>,
    _folder: TempDir,
}

impl Rtpengine {
    /// On the core on which servers are measured.
    pub(in crate::sidecar) fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let address = free_udp()?;
        let mut command = cores::on_the_sidecars("rtpengine");
        command
            .args(["--config-file=none", "--foreground", "--table=-1"])
            .args(["--log-level=1", "--log-stderr", "--num-threads=1"])
            .arg(format!("--interface={ITS_ALONE}"))
            .arg(format!("--listen-ng={address}"))
            .args(["--port-min=1024", "--port-max=65535"])
            // Nobody speaks between two runs.
            .args(["--timeout=3600", "--silent-timeout=3600"])
            .arg(format!("--pidfile={}", folder.path().join("pid").display()));
        let mut program = Program::start("rtpengine", command)?;
        program.wait(|| is_taken(address))?;
        let control = UdpSocket::bind("127.0.0.1:0")?;
        control.connect(address)?;
        control.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            program,
            control,
            commands: std::cell::Cell::new(0),
            _folder: folder,
        })
    }

    /// Its process.
    pub(in crate::sidecar) fn pid(&self) -> u32 {
        self.program.pid()
    }

    /// An offer of the caller's, as the called one gets it: without encryption.
    pub(in crate::sidecar) fn offer(&self, call: &str, sdp: &[u8]) -> anyhow::Result<Vec<u8>> {
        let fields: [(&str, &[u8]); 6] = [
            ("ICE", b"remove"),
            ("call-id", call.as_bytes()),
            ("command", b"offer"),
            ("from-tag", b"device"),
            ("sdp", sdp),
            ("transport-protocol", b"RTP/AVP"),
        ];
        self.ask(&fields)
    }

    /// The called one's answer, as the caller gets it.
    pub(in crate::sidecar) fn answer(&self, call: &str, sdp: &[u8]) -> anyhow::Result<Vec<u8>> {
        let fields: [(&str, &[u8]); 6] = [
            ("ICE", b"remove"),
            ("call-id", call.as_bytes()),
            ("command", b"answer"),
            ("from-tag", b"device"),
            ("sdp", sdp),
            ("to-tag", b"phone"),
        ];
        self.ask(&fields)
    }

    /// A command, whose keys are in order: the `sdp` of what it is answered with.
    fn ask(&self, fields: &[(&str, &[u8])]) -> anyhow::Result<Vec<u8>> {
        self.commands.set(self.commands.get() + 1);
        let cookie = format!("{} ", self.commands.get());
        let mut message = cookie.clone().into_bytes();
        message.push(b'd');
        for (key, value) in fields {
            for text in [key.as_bytes(), value] {
                message.extend(format!("{}:", text.len()).bytes());
                message.extend(text);
            }
        }
        message.push(b'e');
        self.control.send(&message)?;
        let mut buffer = [0; 65_536];
        let len = self.control.recv(&mut buffer).context("rtpengine")?;
        let reply = buffer.get(..len).unwrap_or_default();
        let reply = reply
            .strip_prefix(cookie.as_bytes())
            .context("rtpengine answered something else")?;
        let shown = || format!("rtpengine: {}", String::from_utf8_lossy(reply));
        ensure!(text_of(reply, "result") == Some(b"ok".as_slice()), shown());
        Ok(text_of(reply, "sdp").with_context(shown)?.to_vec())
    }
}

/// A text in a flat dictionary in bencode.
fn text_of<'a>(dictionary: &'a [u8], wanted: &str) -> Option<&'a [u8]> {
    let mut rest = dictionary.strip_prefix(b"d")?;
    while rest.first()? != &b'e' {
        let (key, after) = text(rest)?;
        let (value, after) = text(after)?;
        if key == wanted.as_bytes() {
            return Some(value);
        }
        rest = after;
    }
    None
}

/// `LENGTH:BYTES`, and what follows.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = bytes.iter().position(|byte| *byte == b':')?;
    let len = std::str::from_utf8(bytes.get(..colon)?)
        .ok()?
        .parse()
        .ok()?;
    bytes.get(colon + 1..)?.split_at_checked(len)
}
