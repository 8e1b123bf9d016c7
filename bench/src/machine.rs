//! On what was measured, and when.

use std::fmt;
use std::fs;
use std::process::Command;

/// The machine and the day: figures mean nothing without.
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    kernel: String,
    rustc: String,
    date: String,
}

impl Machine {
    /// This machine, now.
    pub(crate) fn look() -> Self {
        let unknown = || "unknown".to_owned();
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = cpus
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
            .map_or_else(unknown, |(_, model)| model.trim().to_owned());
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")
            .map_or_else(|_| unknown(), |release| release.trim().to_owned());
        let rustc = Command::new("rustc").arg("--version").output().map_or_else(
            |_| unknown(),
            |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        );
        Self {
            cpu,
            cores: cpus
                .lines()
                .filter(|line| line.starts_with("processor"))
                .count(),
            kernel,
            rustc,
            date: jiff::Zoned::now().strftime("%Y-%m-%d").to_string(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cpu,
            cores,
            kernel,
            rustc,
            date,
        } = self;
        write!(
            f,
            "{date}: {cpu}, {cores} cores, Linux {kernel}, {rustc}, release profile"
        )
    }
}
