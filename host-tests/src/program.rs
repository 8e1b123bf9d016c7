//! Foreign SIP programs, which nobody here wrote: SIPp and baresip.

use std::net::UdpSocket;
use std::path::Path;
use std::process::Stdio;

use tokio::process::{Child, Command};

/// An even UDP port that is free now, with the next two.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn free_port() -> u16 {
    for _ in 0..200 {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let port = socket.local_addr().expect("its address").port();
        let free = |port: u16| UdpSocket::bind(("127.0.0.1", port)).is_ok();
        if port.is_multiple_of(2) && port < 65_000 && free(port + 1) && free(port + 2) {
            return port;
        }
    }
    panic!("no free ports");
}

/// A program that runs. Dropping it ends it.
pub struct Program {
    name: &'static str,
    child: Child,
    log: std::path::PathBuf,
}

impl Program {
    /// Starts a program with its output in `folder`.
    ///
    /// # Panics
    /// When it is not installed: the tests want it, as `tools/setup.sh test` says.
    #[must_use]
    pub fn start(name: &'static str, folder: &Path, arguments: &[String]) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = std::fs::File::create(&log).expect("a log");
        let child = Command::new(name)
            .args(arguments)
            .current_dir(folder)
            .env("TERM", "dumb")
            .env("HOME", folder)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a log"))
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "{name} cannot be started ({error}): install what `tools/setup.sh test` lists"
                )
            });
        Self { name, child, log }
    }

    /// Waits for its end, which must be a good one.
    ///
    /// # Panics
    /// When it ends badly, or not at all.
    pub async fn succeeds(mut self) {
        let status = tokio::time::timeout(crate::PATIENCE, self.child.wait()).await;
        let status =
            status.unwrap_or_else(|_| panic!("{} does not end:\n{}", self.name, self.log()));
        let status = status.expect("its status");
        assert!(
            status.success(),
            "{} ended with {status}:\n{}",
            self.name,
            self.log()
        );
    }

    /// What it wrote.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}
