//! SIPp, which nobody here wrote, as the callers.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::called::Called;
use super::peers::Forky;
use super::process::free_udp;
use super::usage::{Usage, of_ended_children};

/// What SIPp may take beyond the time of its calls: a call that goes wrong is repeated for 32 s (RFC 3261, timer B).
const GRACE: Duration = Duration::from_secs(10);
/// How often it is looked whether SIPp has ended, or may be.
const LOOK: Duration = Duration::from_millis(250);

/// Calls to be made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load<'a> {
    /// Calls a second.
    pub(super) rate: u32,
    /// For how long.
    pub(super) time: Duration,
    /// So many of 1000 calls may be refused or need a message twice.
    pub(super) tolerance: u64,
    /// Whether it ends as soon as more than that went wrong.
    pub(super) stops: bool,
    /// The Debian whose SIPp calls by TLS, over one connection; UDP without.
    pub(super) tls: Option<&'a Forky>,
}

impl Load<'_> {
    /// By UDP, each call in order.
    pub(super) fn new(rate: u32, time: Duration) -> Self {
        Self {
            rate,
            time,
            tolerance: 0,
            stops: false,
            tls: None,
        }
    }

    fn calls(&self) -> u64 {
        (f64::from(self.rate) * self.time.as_secs_f64()) as u64
    }
}

/// What came of them.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    /// Calls that were to be made.
    pub(super) offered: u64,
    /// Calls that SIPp began a second.
    pub(super) rate: f64,
    /// Calls that ended as the scenario says.
    pub(super) successful: u64,
    /// Calls that did not.
    pub(super) failed: u64,
    /// Of the successful ones: answered.
    pub(super) accepted: u64,
    /// Of the successful ones: refused by 503 with Retry-After.
    pub(super) refused: u64,
    /// Messages that SIPp sent or got again.
    pub(super) retransmissions: u64,
    /// From the INVITE to its 200, on average.
    pub(super) answer_time: Duration,
    /// So many of 1000 may be refused or need a message twice.
    tolerance: u64,
    /// Processor time of who was called.
    pub(super) usage: Usage,
    /// Processor time of SIPp.
    pub(super) sipp: Duration,
}

impl Outcome {
    /// What is wrong with it, when each call should have been made in time and answered at once.
    pub(super) fn fault(&self, rate: u32) -> Option<String> {
        let offered = self.offered;
        let most = offered * self.tolerance / 1000;
        if self.failed > 0 {
            return Some(format!("{} calls failed", self.failed));
        }
        if self.retransmissions > most {
            return Some(format!("{} retransmissions", self.retransmissions));
        }
        if self.refused > most {
            return Some(format!("{} calls were refused", self.refused));
        }
        let ended = self.accepted + self.refused;
        if ended < offered {
            return Some(format!("{} calls did not end", offered - ended));
        }
        if self.rate < f64::from(rate) * 0.95 {
            return Some(format!("SIPp began only {:.0} a second", self.rate));
        }
        None
    }
}

/// Makes the calls. Each has a client session id of its own, as Alexa's have. It stops when more went wrong than may.
pub(super) fn call(called: &dyn Called, load: Load<'_>) -> anyhow::Result<Outcome> {
    let folder = match load.tls {
        Some(forky) => tempfile::tempdir_in(forky.folder())?,
        None => tempfile::tempdir()?,
    };
    let offered = load.calls();
    fs::write(folder.path().join("sessions.csv"), sessions(offered))?;
    let scenario = include_str!("../../scenarios/call.xml");
    fs::write(folder.path().join("call.xml"), scenario)?;
    let (port, media) = (free_udp()?.port(), free_udp()?.port());
    let (used_before, sipp_before) = (called.used()?, of_ended_children());
    let mut sipp = match load.tls {
        Some(forky) => forky.command(folder.path(), "sipp"),
        None => {
            let mut sipp = Command::new("sipp");
            sipp.current_dir(folder.path());
            sipp
        }
    };
    if let Some(forky) = load.tls {
        sipp.args(["-t", "l1"]).args(forky.certificate_of_sipp());
    }
    sipp.arg(called.address().to_string())
        .args(["-sf", "call.xml", "-inf", "sessions.csv", "-nostdin"])
        .args(["-i", "127.0.0.1", "-mi", "127.0.0.1"])
        .args(["-p", &port.to_string(), "-mp", &media.to_string()])
        .args(["-r", &load.rate.to_string(), "-m", &offered.to_string()])
        // It would hold calls back otherwise, once many are open.
        .args(["-l", &offered.to_string()])
        .args(["-deadcall_wait", "0", "-buff_size", "4194304"])
        .args(["-timeout", &(load.time + GRACE).as_secs().to_string()])
        .args(["-trace_stat", "-stf", "stat.csv", "-fd", "100ms"])
        .args(["-trace_counts"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let child = sipp.spawn().context("sipp (Debian's sip-tester)")?;
    let most = load.stops.then_some(offered * load.tolerance / 1000);
    let end = wait(child, folder.path(), most)?;
    let usage = called.used()?.since(&used_before);
    let sipp = of_ended_children().saturating_sub(sipp_before);
    let stats = Csv::all(&folder.path().join("stat.csv"))?;
    let stat = stats.last().context("SIPp wrote no statistics")?;
    let mut failed = stat.number("FailedCall(C)");
    if let End::GaveUp(status) = end {
        let begun = stat.number("TotalCallCreated");
        ensure!(begun > 0, "sipp ended with {status} before its first call");
        eprintln!("  sipp gave up ({status}) after {begun} calls");
        failed = failed.max(1);
    }
    // What SIPp got twice stands in the counts alone, which it writes at its end.
    let retransmissions = match Csv::read_counts(folder.path()) {
        Ok(counts) if end == End::Itself => counts.sum(|name| name.ends_with("_Retrans")),
        _ => stat.number("Retransmissions(C)"),
    };
    Ok(Outcome {
        offered,
        rate: rate(&stats, offered),
        successful: stat.number("SuccessfulCall(C)"),
        failed,
        accepted: stat.number("GenericCounter1(C)"),
        refused: stat.number("GenericCounter2(C)"),
        retransmissions,
        answer_time: stat.time("ResponseTime1(C)"),
        tolerance: load.tolerance,
        usage,
        sipp,
    })
}

/// How a run of SIPp's came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// All calls had ended, or the time was over.
    Itself,
    /// More went wrong than may.
    Stopped,
    /// A fault that it does not go on after, as a connection that its peer has closed.
    GaveUp(ExitStatus),
}

/// Waits until SIPp has ended, or ends it because more went wrong than may, if that is bounded.
fn wait(mut sipp: Child, folder: &Path, most: Option<u64>) -> anyhow::Result<End> {
    loop {
        if let Some(status) = sipp.try_wait()? {
            // 0: all calls succeeded; 1: some failed; 97: the time was over.
            return Ok(match status.code() {
                Some(0 | 1 | 97) => End::Itself,
                _ => End::GaveUp(status),
            });
        }
        let too_much = most.is_some_and(|most| {
            // Its last line may be half written, and is whole the next time.
            Csv::read(&folder.join("stat.csv")).is_ok_and(|stat| {
                let of = |name| stat.number(name);
                of("FailedCall(C)") > 0
                    || of("GenericCounter2(C)") > most
                    || of("Retransmissions(C)") > most
            })
        });
        if too_much {
            sipp.kill()?;
            sipp.wait()?;
            return Ok(End::Stopped);
        }
        std::thread::sleep(LOOK);
    }
}

/// Calls begun a second, up to the moment when all that were wanted had begun.
fn rate(stats: &[Csv], wanted: u64) -> f64 {
    let begun = |stat: &Csv| stat.number("TotalCallCreated");
    let at = stats
        .iter()
        .find(|stat| begun(stat) >= wanted)
        .or(stats.last());
    at.map_or(0.0, |stat| {
        begun(stat) as f64 / stat.clock().max(f64::MIN_POSITIVE)
    })
}

/// One `csi=…` in hexadecimal a line, as User-to-User carries it (facts E1).
fn sessions(count: u64) -> String {
    let mut lines = String::from("SEQUENTIAL\n");
    let run: u32 = rand::random();
    for number in 0..count {
        for byte in format!("csi={run:08x}-{number}").bytes() {
            let _ = write!(lines, "{byte:02x}");
        }
        lines.push('\n');
    }
    lines
}

/// A line of one of SIPp's files, by its head's names.
struct Csv(HashMap<String, String>);

impl Csv {
    /// The last line.
    fn read(path: &Path) -> anyhow::Result<Self> {
        Self::all(path)?.pop().context("SIPp wrote no statistics")
    }

    fn all(path: &Path) -> anyhow::Result<Vec<Self>> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let mut lines = text.lines();
        let head = lines.next().context("SIPp wrote no statistics")?;
        let line = |line: &str| {
            let pairs = head.split(';').zip(line.split(';'));
            Self(
                pairs
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect(),
            )
        };
        Ok(lines.map(line).collect())
    }

    /// `<scenario>_<pid>_counts.csv`.
    fn read_counts(folder: &Path) -> anyhow::Result<Self> {
        let path = fs::read_dir(folder)?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.to_string_lossy().ends_with("_counts.csv"))
            .context("SIPp wrote no counts")?;
        Self::read(&path)
    }

    fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or_default()
    }

    /// `HH:MM:SS:UUUUUU`.
    fn time(&self, name: &str) -> Duration {
        let mut fields = self
            .text(name)
            .split(':')
            .map(|field| field.parse::<u64>().unwrap_or_default());
        let mut next = || fields.next().unwrap_or_default();
        let (hours, minutes, seconds, micros) = (next(), next(), next(), next());
        Duration::from_secs((hours * 60 + minutes) * 60 + seconds) + Duration::from_micros(micros)
    }

    /// Seconds from SIPp's start to this line.
    fn clock(&self) -> f64 {
        // Date, time and seconds since 1970, parted by tabs.
        let seconds = |name| -> f64 {
            self.text(name)
                .rsplit('\t')
                .next()
                .and_then(|seconds| seconds.parse().ok())
                .unwrap_or_default()
        };
        seconds("CurrentTime") - seconds("StartTime")
    }

    fn sum(&self, wanted: impl Fn(&str) -> bool) -> u64 {
        self.0
            .iter()
            .filter(|(name, _)| wanted(name))
            .map(|(_, value)| value.parse::<u64>().unwrap_or_default())
            .sum()
    }
}
