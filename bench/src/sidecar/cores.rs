//! Who runs where: the sidecar has the first core, everything else the others.

use std::ffi::OsStr;
use std::process::Command;
use std::thread::available_parallelism;

use anyhow::{Context as _, ensure};

/// The sidecar's core.
const SIDECAR: &str = "0";

/// A command that runs on the sidecar's core alone.
pub(crate) fn on_the_sidecars(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", SIDECAR]).arg(program);
    command
}

/// Keeps this program, and what it starts from now on, off the sidecar's core.
pub(crate) fn leave_the_sidecars() -> anyhow::Result<()> {
    let last = std::fs::read_to_string("/sys/devices/system/cpu/online")
        .ok()
        .and_then(|online| online.trim().rsplit(['-', ',']).next()?.parse().ok())
        .or_else(|| available_parallelism().ok().map(|cores| cores.get() - 1))
        .context("how many cores there are")?;
    ensure!(
        last >= 1,
        "two cores are needed: one for the sidecar, one for its load"
    );
    let moved = Command::new("taskset")
        .args(["-a", "-p", "-c", &format!("1-{last}")])
        .arg(std::process::id().to_string())
        .output()
        .context("taskset")?;
    ensure!(
        moved.status.success(),
        "taskset: {}",
        String::from_utf8_lossy(&moved.stderr)
    );
    Ok(())
}
