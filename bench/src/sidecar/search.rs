//! The highest rate of calls that a server takes without a call lost, and for long.

use std::fmt::Write as _;

use super::called::Called;
use super::peers::Forky;
use super::sipp::{Load, Outcome, call};
use super::usage::micros_each;
use crate::Pace;
use crate::report::count;

/// Rates that are tried in their order.
const RATES: [u32; 26] = [
    50, 100, 150, 200, 300, 400, 600, 800, 1000, 1500, 2000, 2500, 3000, 3500, 4000, 5000, 6000,
    7000, 8000, 9000, 10_000, 12_000, 14_000, 16_000, 20_000, 25_000,
];
/// Times a step may fail before it counts: other programs take the machine's cores, too.
const ATTEMPTS: u32 = 2;
/// Rates that are tried for long.
const HOLDS: u32 = 6;
/// What is kept of a rate that did not hold for long.
const STEP_DOWN: f64 = 0.85;
/// Of 1000 calls so many may be refused or need a message twice while a rate is held.
const TOLERANCE: u64 = 1;

/// Starts a server.
pub(super) type Start<'a> = &'a dyn Fn() -> anyhow::Result<Box<dyn Called + 'a>>;

/// What is looked for.
pub(super) struct Search<'s, 'a> {
    /// Starts the server: each rate has one of its own.
    pub(super) start: Start<'s>,
    /// The rate that is tried first.
    pub(super) begin: u32,
    /// The Debian whose SIPp calls by TLS; UDP without.
    pub(super) tls: Option<&'a Forky>,
}

/// What was found.
pub(super) struct Found {
    /// The highest rate that was clean for a moment, and its run.
    pub(super) clean: Option<(u32, Outcome)>,
    /// The rate that was held for long, and its run.
    pub(super) held: Option<(u32, Outcome)>,
    /// What the next higher rate failed by.
    pub(super) limit: String,
}

impl Search<'_, '_> {
    /// Searches: up from the first rate until one fails, or down until one is clean; then between the two; then for long.
    pub(super) fn run(&self, pace: Pace) -> anyhow::Result<Found> {
        let (clean, mut limit) = self.climb(pace)?;
        let mut held = None;
        // What held for a moment may not hold for long.
        let mut rate = match &clean {
            Some((rate, _)) if !pace.quick => *rate,
            _ => return Ok(Found { clean, held, limit }),
        };
        for _ in 0..HOLDS {
            let load = Load {
                tolerance: TOLERANCE,
                stops: true,
                tls: self.tls,
                ..Load::new(rate, pace.hold)
            };
            match self.step(load, 1)? {
                Ok(outcome) => {
                    held = Some((rate, outcome));
                    break;
                }
                Err(fault) => {
                    let _ = write!(
                        limit,
                        " {} a second did not hold for {} s: {fault}.",
                        count(rate.into()),
                        pace.hold.as_secs()
                    );
                }
            }
            rate = (f64::from(rate) * STEP_DOWN) as u32;
        }
        Ok(Found { clean, held, limit })
    }

    fn climb(&self, pace: Pace) -> anyhow::Result<(Option<(u32, Outcome)>, String)> {
        let load = |rate| Load {
            stops: true,
            tls: self.tls,
            ..Load::new(rate, pace.step)
        };
        let fails = |rate, fault| format!("at {} a second {fault}.", count(u64::from(rate)));
        let mut limit = "the highest rate tried was clean.".to_owned();
        let (mut clean, mut failed, mut best) = (0, None, None);
        // Coarse, and from far below: to see that all of it runs.
        let (begin, stride) = if pace.quick {
            (self.begin / 8, 3)
        } else {
            (self.begin, 1)
        };
        let up = RATES.into_iter().filter(|rate| *rate >= begin);
        for rate in up.step_by(stride) {
            match self.step(load(rate), ATTEMPTS)? {
                Ok(outcome) => {
                    clean = rate;
                    best = Some((rate, outcome));
                }
                Err(fault) => {
                    failed = Some(rate);
                    limit = fails(rate, fault);
                    break;
                }
            }
        }
        if best.is_none() {
            for rate in RATES.into_iter().rev().filter(|rate| *rate < begin) {
                match self.step(load(rate), ATTEMPTS)? {
                    Ok(outcome) => {
                        clean = rate;
                        best = Some((rate, outcome));
                        break;
                    }
                    Err(fault) => {
                        failed = Some(rate);
                        limit = fails(rate, fault);
                    }
                }
            }
        }
        if let (Some(mut failed), Some(_)) = (failed, &best) {
            for _ in 0..pace.bisections {
                let rate = clean.midpoint(failed);
                match self.step(load(rate), ATTEMPTS)? {
                    Ok(outcome) => {
                        clean = rate;
                        best = Some((rate, outcome));
                    }
                    Err(fault) => {
                        failed = rate;
                        limit = fails(rate, fault);
                    }
                }
            }
        }
        Ok((best, limit))
    }

    /// One rate, with a server of its own; the fault of the last attempt, if none was clean.
    fn step(&self, load: Load<'_>, attempts: u32) -> anyhow::Result<Result<Outcome, String>> {
        let mut fault = String::new();
        for _ in 0..attempts {
            let server = (self.start)()?;
            let outcome = call(server.as_ref(), load)?;
            let calls = outcome.successful + outcome.failed;
            eprintln!(
                "  {:>6} a second for {:>2} s: {} ok, {} refused, {} failed, {} retransmissions, {:.0} µs CPU a call ({}), 200 after {} ms{}",
                load.rate,
                load.time.as_secs(),
                outcome.accepted,
                outcome.refused,
                outcome.failed,
                outcome.retransmissions,
                micros_each(outcome.usage.cpu, calls),
                outcome.usage.shares(calls),
                outcome.answer_time.as_millis(),
                server.note(),
            );
            match outcome.fault(load.rate) {
                None => return Ok(Ok(outcome)),
                Some(found) => fault = found,
            }
        }
        Ok(Err(fault))
    }
}

/// What is judged how, for the text beside a table.
pub(super) fn rules(pace: Pace) -> String {
    let clean = format!(
        "For {} s: no call fails or is refused, nothing is sent twice.",
        pace.step.as_secs()
    );
    if pace.quick {
        return clean;
    }
    format!(
        "{clean} For {} s: no call fails, one of 1,000 may be refused, or need a message twice. What is behind them in a row is of \
         the longer run, where a rate was held in one.",
        pace.hold.as_secs()
    )
}
