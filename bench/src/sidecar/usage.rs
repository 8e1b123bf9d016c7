//! What a process has used, as the kernel counts it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

/// Processor time up to a moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Usage {
    /// User and system time of the whole process, ended threads included.
    pub(crate) cpu: Duration,
    /// The same by the threads' names; threads of one name together.
    pub(crate) threads: BTreeMap<String, Duration>,
}

impl Usage {
    /// Of a process up to now.
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let process = PathBuf::from(format!("/proc/{pid}"));
        let mut threads = BTreeMap::new();
        let tasks = fs::read_dir(process.join("task")).context("the process's threads")?;
        for task in tasks.flatten() {
            // A thread may end between the two.
            let Ok(name) = fs::read_to_string(task.path().join("comm")) else {
                continue;
            };
            if let Ok(used) = cpu_time(&task.path()) {
                *threads.entry(name.trim().to_owned()).or_default() += used;
            }
        }
        Ok(Self {
            cpu: cpu_time(&process)?,
            threads,
        })
    }

    /// Of a process and its children, theirs too, up to now. A thread's name stands for its process's where there are several.
    pub(crate) fn of_tree(pid: u32) -> anyhow::Result<Self> {
        let mut all = Self::of(pid)?;
        for child in descendants(pid) {
            // A child may end between the two.
            let Ok(more) = Self::of(child) else { continue };
            all.cpu += more.cpu;
            for (name, used) in more.threads {
                *all.threads.entry(name).or_default() += used;
            }
        }
        Ok(all)
    }

    /// What was used since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let thread = |(name, used): (&String, &Duration)| {
            let before = earlier.threads.get(name).copied().unwrap_or_default();
            (name.clone(), used.saturating_sub(before))
        };
        Self {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            threads: self.threads.iter().map(thread).collect(),
        }
    }

    /// Each thread's share in microseconds of one of `units`, the greatest first; what rounds to nothing is left out.
    pub(crate) fn shares(&self, units: u64) -> String {
        let mut shares: Vec<(&str, f64)> = self
            .threads
            .iter()
            .map(|(name, used)| (name.as_str(), micros_each(*used, units)))
            .filter(|(_, micros)| *micros >= 0.1)
            .collect();
        shares.sort_by(|a, b| b.1.total_cmp(&a.1));
        let shares: Vec<String> = shares
            .iter()
            .map(|(name, micros)| format!("{name} {micros:.1}"))
            .collect();
        shares.join(", ")
    }
}

/// Microseconds for each of `units`.
pub(crate) fn micros_each(time: Duration, units: u64) -> f64 {
    time.as_secs_f64() * 1e6 / units.max(1) as f64
}

/// `utime` and `stime` of a process's or thread's `stat` (proc_pid_stat(5), fields 14 and 15).
fn cpu_time(folder: &Path) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(folder.join("stat")).context("the process has ended")?;
    // The name may hold spaces and parentheses.
    let (_, fields) = stat.rsplit_once(") ").context("stat without a name")?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut next = || fields.next().and_then(|field| field.parse::<u64>().ok());
    let (user, system) = (next().context("utime")?, next().context("stime")?);
    // SAFETY: it only reads a number of the system's.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    Ok(Duration::from_secs_f64(
        (user + system) as f64 / ticks.max(1) as f64,
    ))
}

/// Resident memory of a process, in bytes.
pub(crate) fn resident(pid: u32) -> anyhow::Result<u64> {
    let status =
        fs::read_to_string(format!("/proc/{pid}/status")).context("the process's status")?;
    let kilobytes: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .context("VmRSS")?;
    Ok(kilobytes * 1024)
}

/// Of a process and all below it; what they share counts once.
pub(crate) fn resident_of_tree(pid: u32) -> anyhow::Result<u64> {
    let below = descendants(pid).into_iter();
    Ok(share(pid)? + below.filter_map(|pid| share(pid).ok()).sum::<u64>())
}

/// Resident memory of a process with its part of what it shares, in bytes.
fn share(pid: u32) -> anyhow::Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kilobytes: u64 = line
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .context("Pss")?;
    Ok(kilobytes * 1024)
}

/// The processes below a process.
fn descendants(pid: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let mut next = vec![pid];
    while let Some(pid) = next.pop() {
        let tasks = fs::read_dir(format!("/proc/{pid}/task"));
        for task in tasks.into_iter().flatten().flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            let children = children.split_whitespace().flat_map(str::parse::<u32>);
            next.extend(children.clone());
            found.extend(children);
        }
    }
    found
}

/// Processor time of all children that have ended and were waited for.
pub(crate) fn of_ended_children() -> Duration {
    // SAFETY: `rusage` is a struct of numbers, for which zeros are valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the call fills the struct, which lives on this stack.
    unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage) };
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec.unsigned_abs())
            + Duration::from_micros(time.tv_usec.unsigned_abs())
    };
    time(usage.ru_utime) + time(usage.ru_stime)
}
