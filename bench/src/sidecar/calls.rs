//! Calls set up and ended a second without a retransmission.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::cores;
use super::peers::Forky;
use super::process::{Answering, Setup, Sidecar};
use super::search::{Found, Search, Start, rules};
use super::usage::micros_each;
use crate::Pace;
use crate::report::{Table, count};

/// Measures, and gives the figures as Markdown.
pub(crate) fn measure(pace: Pace) -> anyhow::Result<String> {
    cores::leave_the_sidecars()?;
    let mut rates = Rates::new(pace, None);
    for (answering, name, begin) in [
        (
            Answering::Handler,
            "a handler over HTTP, signed both ways",
            3000,
        ),
        (Answering::Fixed, "a fixed reply", 6000),
    ] {
        let setup = Setup {
            answering,
            ..Setup::new(answer_and_wait())
        };
        rates.find(name, begin, &|| Ok(Box::new(Sidecar::start(&setup)?)))?;
    }
    Ok(rates.into_text())
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

/// The rates of several servers.
pub(super) struct Rates<'a> {
    pace: Pace,
    /// The Debian whose SIPp calls by TLS; UDP without.
    tls: Option<&'a Forky>,
    table: Table,
    notes: String,
}

impl<'a> Rates<'a> {
    pub(super) fn new(pace: Pace, tls: Option<&'a Forky>) -> Self {
        Self {
            pace,
            tls,
            table: Table::new(&[
                "calls are answered by",
                &format!("calls a second for {} s", pace.step.as_secs()),
                &format!("for {} s", pace.hold.as_secs()),
                "of 1,000, refused or with a message sent twice",
                "CPU µs a call",
                "of which, by thread",
                "INVITE to 200, mean",
                "SIPp's own CPU",
            ]),
            notes: String::new(),
        }
    }

    /// Finds the rate of one, which is started anew for each that is tried.
    pub(super) fn find(&mut self, name: &str, begin: u32, start: Start<'_>) -> anyhow::Result<()> {
        eprintln!(" {name}");
        let found = Search {
            start,
            begin,
            tls: self.tls,
        };
        self.add(name, found.run(self.pace)?);
        Ok(())
    }

    /// What was found of one.
    fn add(&mut self, name: &str, found: Found) {
        let _ = writeln!(self.notes, "- {name}: {}", found.limit);
        let Some((clean, moment)) = found.clean else {
            return;
        };
        let held = found.held.as_ref().map(|(rate, _)| count((*rate).into()));
        let (rate, outcome) = found.held.unwrap_or((clean, moment));
        let calls = outcome.offered;
        let amiss = outcome.refused + outcome.retransmissions;
        self.table.row(&[
            name.to_owned(),
            count(clean.into()),
            match held {
                None if self.pace.quick => "not tried".to_owned(),
                held => held.unwrap_or_else(|| "none".to_owned()),
            },
            format!("{:.2}", amiss as f64 * 1000.0 / calls as f64),
            format!("{:.0}", micros_each(outcome.usage.cpu, calls)),
            outcome.usage.shares(calls),
            format!("{} ms", outcome.answer_time.as_millis()),
            format!(
                "{:.0} %",
                outcome.sipp.as_secs_f64() * f64::from(rate) / calls as f64 * 100.0
            ),
        ]);
    }

    /// Who could not be measured, and why.
    pub(super) fn absent(&mut self, name: &str, why: &str) {
        let _ = writeln!(self.notes, "- {name}: not measured, {why}.");
    }

    pub(super) fn into_text(self) -> String {
        format!(
            "{}\n{}\n\n{}",
            self.table.into_text(),
            rules(self.pace),
            self.notes
        )
    }
}
