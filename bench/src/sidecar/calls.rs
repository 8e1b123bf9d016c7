//! Calls set up and ended a second without a retransmission.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::cores;
use super::process::{Answering, Setup, Sidecar};
use super::sipp::{Load, Outcome, call};
use super::usage::micros_each;
use crate::Pace;
use crate::report::{Table, count};

/// Rates that are tried in their order, up to the first that fails.
const RATES: [u32; 21] = [
    100, 250, 500, 750, 1000, 1500, 2000, 2500, 3000, 3500, 4000, 5000, 6000, 7000, 8000, 9000,
    10_000, 12_000, 14_000, 16_000, 20_000,
];
/// Times a step may fail before it counts: other programs take the machine's cores, too.
const ATTEMPTS: u32 = 2;
/// Rates that are tried for long.
const HOLDS: u32 = 3;
/// What is kept of a rate that did not hold for long.
const STEP_DOWN: f64 = 0.9;

/// Measures, and gives the figures as Markdown.
pub(crate) fn measure(pace: Pace) -> anyhow::Result<String> {
    cores::leave_the_sidecars()?;
    let mut text = String::new();
    let mut table = Table::new(&[
        "calls are answered by",
        "calls a second",
        "CPU µs a call",
        "of which, by thread",
        "INVITE to 200, mean",
        "SIPp's own CPU",
    ]);
    let mut notes = String::new();
    for (answering, name) in [
        (Answering::Handler, "a handler over HTTP, signed both ways"),
        (Answering::Fixed, "a fixed reply"),
    ] {
        let setup = Setup {
            answering,
            ..Setup::new(answer_and_wait())
        };
        let found = search(&setup, pace)?;
        let _ = writeln!(notes, "- With {name}: {}", found.limit);
        let Some((rate, outcome)) = found.best else {
            continue;
        };
        let calls = outcome.offered;
        table.row(&[
            name.to_owned(),
            count(rate.into()),
            format!("{:.0}", micros_each(outcome.usage.cpu, calls)),
            outcome.usage.shares(calls),
            format!("{} ms", outcome.answer_time.as_millis()),
            format!(
                "{:.0} %",
                outcome.sipp.as_secs_f64() * f64::from(rate) / calls as f64 * 100.0
            ),
        ]);
    }
    text.push_str(&table.into_text());
    let _ = write!(
        text,
        "\nEach rate for {} s, the last for {} s.\n\n{notes}",
        pace.step.as_secs(),
        pace.hold.as_secs()
    );
    Ok(text)
}

/// Answers the call without speech, and then waits for the caller's BYE.
pub(super) fn answer_and_wait() -> Value {
    json!([
        {"Type": "ReceiveDigits", "Parameters": {
            "InputDigitsRegex": "^\\d$",
            "InBetweenDigitsDurationInMilliseconds": 1000,
            "FlushDigitsDurationInMilliseconds": 10_000,
        }},
        {"Type": "Pause", "Parameters": {"DurationInMilliseconds": 600_000}},
    ])
}

struct Found {
    best: Option<(u32, Outcome)>,
    /// What the next higher rate failed by.
    limit: String,
}

fn search(setup: &Setup, pace: Pace) -> anyhow::Result<Found> {
    let try_rate = |rate| {
        let time = pace.step;
        step(setup, Load { rate, time })
    };
    let (mut clean, mut failed) = (0, None);
    let mut limit = "the highest rate tried was clean.".to_owned();
    let mut best = None;
    for rate in RATES {
        match try_rate(rate)? {
            Ok(outcome) => {
                clean = rate;
                best = Some((rate, outcome));
            }
            Err(fault) => {
                failed = Some(rate);
                limit = format!("at {} a second {fault}.", count(rate.into()));
                break;
            }
        }
    }
    if let Some(mut failed) = failed {
        for _ in 0..pace.bisections {
            let rate = clean.midpoint(failed);
            match try_rate(rate)? {
                Ok(outcome) => {
                    clean = rate;
                    best = Some((rate, outcome));
                }
                Err(fault) => {
                    failed = rate;
                    limit = format!("at {} a second {fault}.", count(rate.into()));
                }
            }
        }
    }
    if !pace.quick {
        // What held for a moment may not hold for long.
        for _ in 0..HOLDS {
            let Some((rate, _)) = best else { break };
            let hold = Load {
                rate,
                time: pace.hold,
            };
            let fault = match step(setup, hold)? {
                Ok(outcome) => {
                    best = Some((rate, outcome));
                    break;
                }
                Err(fault) => fault,
            };
            let _ = write!(
                limit,
                " {} a second did not hold for {} s: {fault}.",
                count(rate.into()),
                pace.hold.as_secs()
            );
            let lower = Load {
                rate: (f64::from(rate) * STEP_DOWN) as u32,
                time: pace.step,
            };
            best = step(setup, lower)?
                .ok()
                .map(|outcome| (lower.rate, outcome));
        }
    }
    Ok(Found { best, limit })
}

/// One rate, with a sidecar of its own; the fault of the last attempt, if none was clean.
fn step(setup: &Setup, load: Load) -> anyhow::Result<Result<Outcome, String>> {
    let mut fault = String::new();
    for _ in 0..ATTEMPTS {
        let sidecar = Sidecar::start(setup)?;
        let outcome = call(&sidecar, load)?;
        let calls = outcome.successful + outcome.failed;
        eprintln!(
            "  {:>6} a second for {:>2} s: {} ok, {} failed, {} retransmissions, {:.0} µs CPU a call ({}), 200 after {} ms, trace records dropped: {}",
            load.rate,
            load.time.as_secs(),
            outcome.accepted,
            outcome.failed,
            outcome.retransmissions,
            micros_each(outcome.usage.cpu, calls),
            outcome.usage.shares(calls),
            outcome.answer_time.as_millis(),
            sidecar.figures()?.get("traceDropped"),
        );
        match outcome.fault(load.rate) {
            None => return Ok(Ok(outcome)),
            Some(found) => fault = found,
        }
    }
    Ok(Err(fault))
}
