//! Who runs where: what is measured has the first core, or a part of it, everything else the others.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
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

/// Microseconds of the period over which a share is counted.
const PERIOD: u32 = 100_000;

/// A control group whose processes share a part of a core (sched-bwc). Dropping it makes them free again.
pub(crate) struct Share {
    folder: PathBuf,
    /// Where processes go that leave it.
    above: PathBuf,
}

impl Share {
    /// Gives a process this part of a core and no more: 0.25 is a quarter.
    ///
    /// # Errors
    /// The system's, where this is not root or control groups have no processor time to give.
    pub(crate) fn of(pid: u32, part: f64) -> anyhow::Result<Self> {
        let (v1, v2) = (Path::new("/sys/fs/cgroup/cpu"), Path::new("/sys/fs/cgroup"));
        let quota = (f64::from(PERIOD) * part) as u32;
        let old = v1.is_dir();
        let above = if old { v1 } else { v2 };
        let folder = above.join(format!("skillcall-bench-{pid}"));
        fs::create_dir(&folder).with_context(|| folder.display().to_string())?;
        let share = Self {
            folder,
            above: above.to_owned(),
        };
        let put = |file: &str, text: String| {
            let path = share.folder.join(file);
            fs::write(&path, text).with_context(|| path.display().to_string())
        };
        if old {
            put("cpu.cfs_period_us", PERIOD.to_string())?;
            put("cpu.cfs_quota_us", quota.to_string())?;
        } else {
            put("cpu.max", format!("{quota} {PERIOD}"))?;
        }
        put("cgroup.procs", pid.to_string())?;
        Ok(share)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let held = fs::read_to_string(self.folder.join("cgroup.procs")).unwrap_or_default();
        for pid in held.lines() {
            let _ = fs::write(self.above.join("cgroup.procs"), pid);
        }
        let _ = fs::remove_dir(&self.folder);
    }
}
