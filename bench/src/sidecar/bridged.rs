//! Bridged G.711 calls before the first late packet.

use std::time::{Duration, Instant};

use super::cores;
use super::parties::{Parties, put_through};
use super::process::{Setup, Sidecar};
use super::rtp::{Heard, Load, Side};
use super::usage::{Usage, micros_each};
use crate::Pace;
use crate::report::{Table, count};

/// Calls that are tried in their order, up to the first late packet.
const CALLS: [usize; 15] = [
    50, 100, 250, 500, 750, 1000, 1250, 1500, 1750, 2000, 2250, 2500, 3000, 3500, 4000,
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

/// Measures, and gives the figures as Markdown.
pub(crate) fn measure(pace: Pace) -> anyhow::Result<String> {
    cores::leave_the_sidecars()?;
    let (device, phone) = (Side::bind()?, Side::bind()?);
    let mut parties = Parties::new(device.address, phone.address)?;
    let setup = Setup {
        route: Some(parties.phone()),
        ..Setup::new(put_through())
    };
    let sidecar = Sidecar::start(&setup)?;
    let mut table = Table::new(&[
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
    ]);
    let (mut clean, mut end) = (0, String::new());
    for calls in CALLS {
        parties.call_until(sidecar.sip, calls)?;
        let mut step = run(&sidecar, &parties, [&device, &phone], pace)?;
        for _ in 1..ATTEMPTS {
            if step.is_clean() {
                break;
            }
            parties.pump()?;
            step = run(&sidecar, &parties, [&device, &phone], pace)?;
        }
        parties.pump()?;
        table.row(&row(&step));
        if let Some(lost) = parties.lost().first() {
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
    }
    Ok(format!(
        "**{}** bridged calls without a late packet. {end} Runs of {} s, PCMU both ways, 20 ms a packet.\n\n{}",
        count(clean as u64),
        pace.step.as_secs(),
        table.into_text()
    ))
}

fn run(
    sidecar: &Sidecar,
    parties: &Parties,
    sides: [&Side; 2],
    pace: Pace,
) -> anyhow::Result<Step> {
    let (devices, phones) = parties.legs();
    let mut load = Load::new([(sides[0], devices), (sides[1], phones)]);
    let mut before = (Usage::default(), 0, Instant::now());
    let heard = load.run(WARM_UP, pace.step, || {
        let ticks = sidecar.figures()?.get("lateTicks");
        before = (sidecar.usage()?, ticks, Instant::now());
        Ok(())
    })?;
    let step = Step {
        calls: devices.len(),
        usage: sidecar.usage()?.since(&before.0),
        wall: before.2.elapsed(),
        late_ticks: sidecar.figures()?.get("lateTicks") - before.1,
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

fn row(step: &Step) -> [String; 10] {
    let milliseconds = |delay: Duration| format!("{:.1} ms", delay.as_secs_f64() * 1e3);
    [
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
