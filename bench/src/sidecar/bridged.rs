//! Bridged G.711 calls before the first late packet.

use std::time::{Duration, Instant};

use super::cores;
use super::relays::{ByRtpengine, BySidecar, Relay};
use super::rtp::{Heard, Load, Side};
use super::usage::{Usage, micros_each};
use crate::Pace;
use crate::report::{Table, count};

/// Calls that are tried in their order, up to the first late packet.
const CALLS: [usize; 14] = [
    100, 250, 500, 750, 1000, 1250, 1500, 1750, 2000, 2250, 2500, 3000, 3500, 4000,
];
/// Times a step may fail before it counts: other programs take the machine's cores, too.
const ATTEMPTS: u32 = 3;
/// A packet is late when it is relayed so much after it was sent: the next one is there already.
const LATE: Duration = Duration::from_millis(20);
/// Not counted at the beginning of each run: the sidecar learns where each leg's packets come from.
const WARM_UP: Duration = Duration::from_millis(500);

/// One run.
struct Step {
    calls: usize,
    heard: Heard,
    late_ticks: u64,
    usage: Usage,
    wall: Duration,
}

impl Step {
    fn late(&self) -> u64 {
        self.heard.later_than(LATE)
    }

    fn is_clean(&self) -> bool {
        self.late() == 0 && self.late_ticks == 0 && self.heard.missing() == 0
    }
}

/// Plain G.711 on both legs.
pub(crate) fn measure(pace: Pace) -> anyhow::Result<String> {
    both(pace, false)
}

/// SRTP on the devices' legs, none on the phone's.
pub(crate) fn encrypted(pace: Pace) -> anyhow::Result<String> {
    both(pace, true)
}

/// The sidecar, and then rtpengine.
fn both(pace: Pace, encrypted: bool) -> anyhow::Result<String> {
    cores::leave_the_sidecars()?;
    let mut table = table();
    let (device, phone) = (Side::bind()?, Side::bind()?);
    let mut text = String::new();
    let ends = (device.address, phone.address);
    let start: [(&str, Start); 2] = [
        ("the sidecar", |ends, encrypted| {
            Ok(Box::new(BySidecar::start(ends.0, ends.1, encrypted)?))
        }),
        ("rtpengine", |ends, encrypted| {
            Ok(Box::new(ByRtpengine::start(ends.0, ends.1, encrypted)?))
        }),
    ];
    for (name, start) in start {
        eprintln!(" {name}");
        let mut relay = start(ends, encrypted)?;
        let (clean, end) = climb(relay.as_mut(), [&device, &phone], pace, name, &mut table)?;
        text.push_str(&format!(
            "- **{}** calls by {name}{}. {end}\n",
            count(clean.0 as u64),
            clean.1
        ));
    }
    let media = if encrypted {
        "SRTP (AES_CM_128_HMAC_SHA1_80) on the devices' legs, RTP on the phone's"
    } else {
        "RTP on both legs"
    };
    Ok(format!(
        "Calls without a late packet; {media}; PCMU both ways, 20 ms a packet, runs of {} s:\n\n{text}\n{}",
        pace.step.as_secs(),
        table.into_text()
    ))
}

/// What is told of each run.
pub(super) fn table() -> Table {
    Table::new(&[
        "relayed by",
        "bridged calls",
        "packets a second, in",
        "later than 20 ms",
        "lost",
        "late ticks",
        "delay: median",
        "99.9 %",
        "most",
        "CPU of its core",
        "CPU µs a packet",
    ])
}

/// Starts a relay between two ends.
type Start =
    fn((std::net::SocketAddr, std::net::SocketAddr), bool) -> anyhow::Result<Box<dyn Relay>>;

/// More and more calls, until one number of them is not clean: the last that was, and what its packets cost, and how it ended.
pub(super) fn climb(
    relay: &mut dyn Relay,
    sides: [&Side; 2],
    pace: Pace,
    name: &str,
    table: &mut Table,
) -> anyhow::Result<((usize, String), String)> {
    let (mut clean, mut cost, mut end) = (0, String::new(), String::new());
    for calls in CALLS {
        relay.reach(calls)?;
        let mut step = run(relay, sides, pace)?;
        let mut lost = relay.lost()?;
        for _ in 1..ATTEMPTS {
            if step.is_clean() || lost.is_some() {
                break;
            }
            step = run(relay, sides, pace)?;
            lost = relay.lost()?;
        }
        table.row(&row(name, &step));
        if let Some(lost) = lost {
            end = format!("Then calls ended: {lost}.");
            break;
        }
        if !step.is_clean() {
            end = format!(
                "In none of {ATTEMPTS} runs of {} calls was every packet in time.",
                count(calls as u64)
            );
            break;
        }
        clean = calls;
        cost = format!(
            ", {:.1} µs of its core a packet",
            micros_each(step.usage.cpu, step.heard.relayed())
        );
    }
    Ok(((clean, cost), end))
}

fn run(relay: &dyn Relay, sides: [&Side; 2], pace: Pace) -> anyhow::Result<Step> {
    let (devices, phones) = relay.legs();
    let mut load =
        Load::new([(sides[0], devices), (sides[1], phones)]).encrypted(relay.secrets())?;
    let mut before = (Usage::default(), 0, Instant::now());
    let heard = load.run(WARM_UP, pace.step, || {
        before = (relay.used()?, relay.late_ticks()?, Instant::now());
        Ok(())
    })?;
    let step = Step {
        calls: devices.len(),
        usage: relay.used()?.since(&before.0),
        wall: before.2.elapsed(),
        late_ticks: relay.late_ticks()? - before.1,
        heard,
    };
    eprintln!(
        "  {} calls: {} sent, {} late, {} lost, {} late ticks, delay {:?} / {:?} / {:?}, CPU {:.0} % ({:.2} µs a packet: {}), own lag {:?}",
        step.calls,
        step.heard.sent,
        step.late(),
        step.heard.missing(),
        step.late_ticks,
        step.heard.delay(500),
        step.heard.delay(999),
        step.heard.delay(1000),
        cpu_share(&step) * 100.0,
        micros_each(step.usage.cpu, step.heard.relayed()),
        step.usage.shares(step.heard.relayed()),
        step.heard.own_lag,
    );
    Ok(step)
}

fn cpu_share(step: &Step) -> f64 {
    step.usage.cpu.as_secs_f64() / step.wall.as_secs_f64()
}

fn row(name: &str, step: &Step) -> [String; 11] {
    let milliseconds = |delay: Duration| format!("{:.1} ms", delay.as_secs_f64() * 1e3);
    [
        name.to_owned(),
        count(step.calls as u64),
        count(step.calls as u64 * 100),
        count(step.late()),
        count(step.heard.missing()),
        count(step.late_ticks),
        milliseconds(step.heard.delay(500)),
        milliseconds(step.heard.delay(999)),
        milliseconds(step.heard.delay(1000)),
        format!("{:.0} %", cpu_share(step) * 100.0),
        format!("{:.1}", micros_each(step.usage.cpu, step.heard.relayed())),
    ]
}
