//! coturn: a STUN and TURN server that nobody here wrote.

use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::LIMIT;
use super::network::RELAY;

/// The gateway's password there.
pub(crate) const PASSWORD: &str = "the password of the gateway";

/// A server. Dropping it ends it.
pub(crate) struct Coturn {
    child: Child,
    log: PathBuf,
    pub(crate) address: SocketAddr,
}

impl Coturn {
    /// On the Internet of a test's own networks.
    pub(crate) fn on_the_internet(folder: &Path) -> Self {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", "internet", "turnserver"]);
        // Its certificate, which is its own root, is in `turn.pem`.
        let names = vec![RELAY.to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let (certificate, key) = (folder.join("turn.pem"), folder.join("turn.key"));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        command.args(["--tls-listening-port", "5349"]);
        command.arg("--cert").arg(certificate);
        command.arg("--pkey").arg(key);
        Self::start(command, format!("{RELAY}:3478").parse().unwrap(), folder)
    }

    /// On loopback.
    pub(crate) fn on_loopback(folder: &Path) -> Self {
        let free = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let mut command = Command::new("turnserver");
        command.args(["--allow-loopback-peers", "--no-tls"]);
        Self::start(command, address, folder)
    }

    fn start(mut command: Command, address: SocketAddr, folder: &Path) -> Self {
        let log = folder.join("turnserver.log");
        let file = |name: &str| folder.join(name).display().to_string();
        let (ip, port) = (address.ip().to_string(), address.port().to_string());
        let child = command
            .args(["-n", "-v", "--listening-ip", &ip, "--relay-ip", &ip])
            .args(["--listening-port", &port])
            .args(["--lt-cred-mech", "--realm", "skillcall.test"])
            .args(["--user", &format!("gateway:{PASSWORD}")])
            .args(["--no-dtls", "--no-cli", "--no-multicast-peers"])
            .args(["--userdb", &file("turn.db"), "--pidfile", &file("turn.pid")])
            .args(["--log-file", "stdout", "--simple-log"])
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(&log).unwrap())
            .stderr(Stdio::null())
            .spawn();
        Self {
            child: child.expect("coturn; `tools/setup.sh test` installs it"),
            log,
            address,
        }
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned()
    }

    /// How often it has said something.
    pub(crate) fn said(&self, what: &str) -> usize {
        self.log().matches(what).count()
    }

    /// Waits until it has said something that often.
    pub(crate) fn says(&self, what: &str, times: usize) {
        let begin = Instant::now();
        while self.said(what) < times {
            assert!(begin.elapsed() < LIMIT, "{what}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
