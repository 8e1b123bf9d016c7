//! A peer's process, from its start to its end.

use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// The longest that a peer may take to start, and then to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(20);

/// A running program. Dropping it ends it.
pub(super) struct Program {
    name: &'static str,
    child: Child,
}

impl Program {
    /// Starts it.
    pub(super) fn start(name: &'static str, mut command: Command) -> anyhow::Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{name} does not start; tools/setup.sh bench installs it"))?;
        Ok(Self { name, child })
    }

    /// Its process.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `ready`.
    pub(super) fn wait(&mut self, ready: impl Fn() -> bool) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        while !ready() {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status}", self.name);
            }
            if Instant::now() > until {
                bail!("{} does not get ready", self.name);
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Asks it to end, and waits for that.
    pub(super) fn stop(&mut self) {
        // Ended or not, what follows is right.
        let _ = Command::new("kill").arg(self.pid().to_string()).status();
        self.wait_for_end();
    }

    /// Waits until it has ended, and ends it if that does not come.
    pub(super) fn wait_for_end(&mut self) {
        let until = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether somebody has a UDP port.
pub(super) fn is_taken(address: SocketAddr) -> bool {
    UdpSocket::bind(address).is_err()
}
