//! Programs: the sidecar as its own process, and SIPp.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::LIMIT;
pub(crate) use super::free_port::free_port;

/// A process that ends with the test.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// The sidecar as a program; its SIP address.
    pub(crate) fn sidecar(config: &Path) -> (Self, SocketAddr) {
        let (process, sip, _) = Self::sidecar_with_control(config);
        (process, sip)
    }

    /// The sidecar as a program; its SIP address, and that of its control API.
    pub(crate) fn sidecar_with_control(config: &Path) -> (Self, SocketAddr, SocketAddr) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_skillcall-sidecar"))
            .args(["--json", "--config"])
            .arg(config)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let started = lines.find_map(|line| {
            let line = line.unwrap();
            let entry: Option<Value> = serde_json::from_str(&line).ok();
            said.push(line);
            entry.filter(|entry| entry["fields"]["message"] == "sidecar started")
        });
        let started = started.unwrap_or_else(|| panic!("the sidecar does not start: {said:#?}"));
        let udp = started["fields"]["udp"].as_str().unwrap();
        let udp = udp
            .trim_start_matches("Some(")
            .trim_end_matches(')')
            .parse()
            .unwrap();
        let control = started["fields"]["control"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        // Nobody may hold it up by not reading what it says.
        std::thread::spawn(move || lines.for_each(drop));
        (Self(child), udp, control)
    }

    /// SIPp with a scenario, for so many calls.
    pub(crate) fn sipp(
        folder: &Path,
        name: &str,
        scenario: &str,
        calls: usize,
        args: &[&str],
    ) -> Self {
        let file = folder.join(format!("{name}.xml"));
        // It takes nothing without the declaration.
        let declared = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{scenario}");
        std::fs::write(&file, declared).unwrap();
        let child = Command::new("sipp")
            .arg("-sf")
            .arg(&file)
            .args([
                "-i",
                "127.0.0.1",
                "-nostdin",
                "-timeout",
                "120s",
                "-timeout_error",
            ])
            .args(["-m", &calls.to_string()])
            .args(args)
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// Waits for a good end.
    pub(crate) fn succeeds(&mut self, what: &str, within: Duration) {
        let until = Instant::now() + within;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                assert!(status.success(), "{what}: {status}");
                return;
            }
            assert!(Instant::now() < until, "{what}: its calls were not ended");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Looks again and again until there is something.
pub(crate) fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + LIMIT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
