//! Relays that do nothing but relay: what the kernel asks for each packet, by the ways in which a relay may ask it.
//!
//! Each is a process of its own on the core of what is measured, started by this program ([`serve`]). It takes no care
//! of its peers, keeps no counters and no order: what it costs is the floor under any relay that works in its way.

mod own;
mod ring;
mod shared;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use anyhow::Context as _;
use clap::ValueEnum;

use super::cores;
use super::relays::Relay;
use super::rtp::Secret;
use super::usage::Usage;

/// How a relay asks the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// A socket for each leg: epoll, `recvfrom` until nothing is left, `sendto`.
    Own,
    /// A socket for each leg: epoll, one `recvmmsg` for what is there, `sendto`.
    OwnBatched,
    /// A socket for each leg, by an `io_uring`: one system call receives and sends for all.
    Ring,
    /// One socket for all legs of a side: `recvmmsg` and `sendmmsg`; the streams are told apart by their SSRC.
    Shared,
}

impl Way {
    /// All, in the order in which they are measured.
    pub(super) const ALL: [Self; 4] = [Self::Own, Self::OwnBatched, Self::Ring, Self::Shared];

    /// For a table.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Own => "a port a leg, recvfrom and sendto",
            Self::OwnBatched => "a port a leg, recvmmsg and sendto",
            Self::Ring => "a port a leg, io_uring",
            Self::Shared => "shared ports, recvmmsg and sendmmsg",
        }
    }

    /// As an argument.
    fn argument(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// A process that relays. Dropping it ends it.
pub(super) struct Bare {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    legs: (Vec<SocketAddr>, Vec<SocketAddr>),
}

impl Bare {
    /// Between a device and a phone whose RTP is wanted at these addresses.
    pub(super) fn start(way: Way, device: SocketAddr, phone: SocketAddr) -> anyhow::Result<Self> {
        let mut process = cores::on_the_sidecars(std::env::current_exe()?)
            .arg("--relay")
            .arg(way.argument())
            .args(["--between", &device.to_string(), &phone.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("taskset")?;
        Ok(Self {
            orders: process.stdin.take().context("no stdin")?,
            answers: BufReader::new(process.stdout.take().context("no stdout")?),
            process,
            legs: (Vec::new(), Vec::new()),
        })
    }
}

impl Relay for Bare {
    fn reach(&mut self, calls: usize) -> anyhow::Result<()> {
        let more = calls.saturating_sub(self.legs.0.len());
        for _ in 0..more {
            self.orders.write_all(b"+")?;
            let mut line = String::new();
            self.answers.read_line(&mut line)?;
            let (device, phone) = line.trim().split_once(' ').context("the relay ended")?;
            self.legs.0.push(device.parse()?);
            self.legs.1.push(phone.parse()?);
        }
        Ok(())
    }

    fn legs(&self) -> (&[SocketAddr], &[SocketAddr]) {
        (&self.legs.0, &self.legs.1)
    }

    fn secrets(&self) -> &[Secret] {
        &[]
    }

    fn used(&self) -> anyhow::Result<Usage> {
        Usage::of(self.process.id())
    }

    fn late_ticks(&self) -> anyhow::Result<u64> {
        Ok(0)
    }

    fn lost(&mut self) -> anyhow::Result<Option<String>> {
        Ok(None)
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One way of relaying, in its process.
trait Relaying {
    /// One call more: where it takes RTP of the device, and of the phone.
    fn add(&mut self) -> anyhow::Result<(SocketAddr, SocketAddr)>;

    /// Relays what comes, for ever, or until an order waits at stdin.
    fn relay(&mut self) -> anyhow::Result<()>;
}

/// Relays between two addresses until stdin ends; each byte there is one call more.
pub(crate) fn serve(way: Way, ends: [SocketAddr; 2]) -> anyhow::Result<()> {
    let mut relaying: Box<dyn Relaying> = match way {
        Way::Own => Box::new(own::Own::new(ends, false)?),
        Way::OwnBatched => Box::new(own::Own::new(ends, true)?),
        Way::Ring => Box::new(ring::Ring::new(ends)?),
        Way::Shared => Box::new(shared::Shared::new(ends)?),
    };
    let (mut stdin, mut stdout) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut order = [0];
    while stdin.read(&mut order)? == 1 {
        let (device, phone) = relaying.add()?;
        writeln!(stdout, "{device} {phone}")?;
        stdout.flush()?;
        relaying.relay()?;
    }
    Ok(())
}
