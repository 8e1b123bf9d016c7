//! Programs as peers, whose lines are waited for; OpenSSL's client among them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use super::LIMIT;

/// A program whose lines are waited for; it ends with the test.
pub(crate) struct Peer {
    child: Child,
    lines: Receiver<String>,
    pub(crate) seen: Vec<String>,
}

impl Peer {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the peer starts");
        let output = child.stdout.take().unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// The next line that begins so; `None`: its output has ended without one.
    pub(crate) fn line(&mut self, begins: &str) -> Option<String> {
        let until = Instant::now() + LIMIT;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.starts_with(begins) {
                        return Some(line);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => panic!("no `{begins}` in {:?}", self.seen),
            }
        }
    }

    pub(crate) fn say(&mut self, text: &str) {
        let mut input = self.child.stdin.as_ref().unwrap();
        // A peer that has ended hears nothing; its output says so.
        let _ = input.write_all(text.as_bytes());
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A script of these tests.
pub(crate) fn peer_script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/peers")
        .join(name)
}

/// `openssl s_client`, connected to a listener that has to prove that it is `sip.example`.
pub(crate) fn s_client(to: SocketAddr, roots: &Path, own: Option<&Path>) -> Peer {
    let mut command = Command::new("openssl");
    command
        .args(["s_client", "-quiet", "-no_ign_eof", "-verify_return_error"])
        .args([
            "-verify_hostname",
            "sip.example",
            "-servername",
            "sip.example",
        ])
        .arg("-connect")
        .arg(to.to_string())
        .arg("-CAfile")
        .arg(roots)
        .stderr(Stdio::null());
    if let Some(own) = own {
        command.arg("-cert").arg(own.with_extension("pem"));
        command.arg("-key").arg(own.with_extension("key"));
    }
    Peer::start(&mut command)
}
