//! Foreign SIP programs, which nobody here wrote: SIPp and baresip.

use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};

use tokio::process::{Child, Command};

/// Ports of foreign programs: above those of the stages, below those that the system gives away by itself.
const PORTS: std::ops::Range<u16> = 31_300..32_700;
/// Ports for one program: RTP and RTCP, and the next two, which SIPp takes for video.
const STEP: u16 = 4;

/// An even port that is free now for UDP and TCP, with the next three for UDP; each call gives another.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let places = (PORTS.end - PORTS.start) / STEP;
    // Another test program may run at the same time.
    let offset = u16::try_from(std::process::id() % u32::from(places)).unwrap_or_default();
    for _ in 0..places {
        let place = (NEXT.fetch_add(1, Ordering::Relaxed) % places + offset) % places;
        let port = PORTS.start + place * STEP;
        let free = |port: u16| UdpSocket::bind(("127.0.0.1", port)).is_ok();
        if (port..port + STEP).all(free) && TcpListener::bind(("127.0.0.1", port)).is_ok() {
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
