//! A sidecar that is held to a quarter of a core, and calls beyond what it can do.

use std::time::Duration;

use super::called::Called as _;
use super::calls::answer_and_wait;
use super::cores;
use super::process::{Answering, Setup, Sidecar};
use super::search::Search;
use super::sipp::{Load, Outcome, call};
use crate::Pace;
use crate::report::{Table, count};

/// Its part of a core.
const QUARTER: f64 = 0.25;
/// What is offered, in tenths of the limit that was found: up, and down again, to one sidecar.
const TENTHS: [u32; 8] = [5, 10, 15, 20, 30, 40, 10, 5];

/// Measures, and gives the figures as Markdown.
pub(crate) fn measure(pace: Pace) -> anyhow::Result<String> {
    cores::leave_the_sidecars()?;
    let setup = Setup {
        answering: Answering::Fixed,
        all_ports: true,
        quota: Some(QUARTER),
        ..Setup::new(answer_and_wait())
    };
    let search = Search {
        start: &|| Ok(Box::new(Sidecar::start(&setup)?)),
        begin: 1500,
        tls: None,
    };
    // The limit is where the curve begins, and need not hold for long.
    let found = search.run(Pace {
        quick: true,
        ..pace
    })?;
    let Some((limit, _)) = found.clean else {
        return Ok(format!("No rate was clean: {}\n", found.limit));
    };
    let sidecar = Sidecar::start(&setup)?;
    let time = pace.step.max(Duration::from_secs(5)) * if pace.quick { 1 } else { 2 };
    let mut table = Table::new(&[
        "offered a second",
        "of the limit",
        "calls",
        "answered and ended",
        "answered a second",
        "503 with Retry-After",
        "failed",
        "retransmissions",
        "INVITE to 200, mean",
        "calls still open after",
    ]);
    for tenths in TENTHS {
        let rate = limit * tenths / 10;
        let outcome = call(&sidecar, Load::new(rate, time))?;
        eprintln!("  {rate} a second: {outcome:?}, {}", sidecar.note());
        let open = sidecar.figures()?.get("calls");
        table.row(&row(rate, tenths, time, &outcome, open));
    }
    // Calls that SIPp gave up are not ended by anybody until their ACK is overdue.
    let left = match sidecar.becomes_idle() {
        Ok(()) => "Every call had ended within 40 s after the last row.".to_owned(),
        Err(error) => format!("40 s after the last row {error}."),
    };
    Ok(format!(
        "**{}** calls a second with a fixed reply and a quarter of a core (control group), for {} s: {} Then one sidecar from the first row to the last, {} s each. {left}\n\n{}",
        count(limit.into()),
        pace.step.as_secs(),
        found.limit,
        time.as_secs(),
        table.into_text()
    ))
}

fn row(rate: u32, tenths: u32, time: Duration, outcome: &Outcome, open: u64) -> [String; 10] {
    let ended = outcome.successful + outcome.failed;
    [
        count(rate.into()),
        format!("{:.1}", f64::from(tenths) / 10.0),
        count(outcome.offered),
        count(outcome.accepted),
        count((outcome.accepted as f64 / time.as_secs_f64()) as u64),
        count(outcome.refused),
        count(outcome.failed + outcome.offered.saturating_sub(ended)),
        count(outcome.retransmissions),
        format!("{} ms", outcome.answer_time.as_millis()),
        count(open),
    ]
}
