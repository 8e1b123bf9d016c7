//! More calls than the limit: what is refused, what becomes of the rest, and how it goes on.

use std::time::Duration;

use anyhow::ensure;

use super::calls::answer_and_wait;
use super::cores;
use super::process::{Setup, Sidecar};
use super::sipp::{Load, Outcome, call};
use crate::Pace;
use crate::report::{Table, count};

/// `limits.calls-per-second` of the measurement: well below what a handler lets through.
const LIMIT: u32 = 200;

/// Between two rows: the limit is counted by seconds, so the next one finds a new second.
const BETWEEN: Duration = Duration::from_secs(1);

/// Measures, and gives the figures as Markdown.
pub(crate) fn measure(pace: Pace) -> anyhow::Result<String> {
    cores::leave_the_sidecars()?;
    let setup = Setup {
        calls_per_second: LIMIT,
        ..Setup::new(answer_and_wait())
    };
    let sidecar = Sidecar::start(&setup)?;
    let time = pace.step.max(Duration::from_secs(5));
    let mut table = Table::new(&[
        "offered a second",
        "calls",
        "answered and ended",
        "503 with Retry-After",
        "failed",
        "retransmissions",
        "CPU µs a call",
    ]);
    let phases = [
        (LIMIT / 2, time),
        (LIMIT * 2, time * 2),
        (LIMIT * 20, time),
        (LIMIT / 2, time),
    ];
    for (rate, time) in phases {
        std::thread::sleep(BETWEEN);
        let outcome = call(&sidecar, Load::new(rate, time))?;
        table.row(&row(rate, &outcome));
        ensure!(
            outcome.accepted + outcome.refused + outcome.failed <= outcome.offered,
            "SIPp counted more calls than it made: {outcome:?}"
        );
    }
    sidecar.becomes_idle()?;
    Ok(format!(
        "`limits.calls-per-second = {LIMIT}`, one sidecar from the first row to the last, a second between two rows:\n\n{}",
        table.into_text()
    ))
}

fn row(rate: u32, outcome: &Outcome) -> [String; 7] {
    let unfinished = outcome
        .offered
        .saturating_sub(outcome.successful + outcome.failed);
    [
        count(rate.into()),
        count(outcome.offered),
        count(outcome.accepted),
        count(outcome.refused),
        count(outcome.failed + unfinished),
        count(outcome.retransmissions),
        format!(
            "{:.0}",
            super::usage::micros_each(outcome.usage.cpu, outcome.offered)
        ),
    ]
}
