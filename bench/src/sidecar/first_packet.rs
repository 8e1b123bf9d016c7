//! From the handler's reply to the first packet of what it said.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::json;

use super::cores;
use super::parties::Parties;
use super::process::{PROMPT, Setup, Sidecar};
use super::rtp::Side;
use crate::Pace;
use crate::report::Table;

/// The longest that a first packet may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Measures, and gives the figures as Markdown.
pub(crate) fn measure(pace: Pace) -> anyhow::Result<String> {
    cores::leave_the_sidecars()?;
    let calls = if pace.quick { 50 } else { 500 };
    let (device, nobody) = (Side::bind()?, Side::bind()?);
    let mut parties = Parties::new(device.address, nobody.address)?.unbridged();
    let actions = json!([{"Type": "PlayAudio", "Parameters": {
        "AudioSource": {"Type": "S3", "BucketName": "prompts", "Key": PROMPT}}},
        {"Type": "Pause", "Parameters": {"DurationInMilliseconds": 3_600_000}}]);
    let sidecar = Sidecar::start(&Setup::new(actions))?;
    let mut delays = Vec::with_capacity(calls);
    for call in 1..=calls {
        // What came last of the call before is read.
        device.first_packet(Duration::ZERO)?;
        parties.call_until(sidecar.sip, call)?;
        let until = Instant::now() + PATIENCE;
        let came = loop {
            parties.pump()?;
            if let Some(came) = device.first_packet(Duration::from_millis(1))? {
                break came;
            }
            ensure!(
                Instant::now() < until,
                "call {call}: no packet in {PATIENCE:?}"
            );
        };
        if let Some(replied) = sidecar.replied() {
            delays.push(came.saturating_sub(replied));
        }
        parties.hang_up()?;
        sidecar.becomes_idle()?;
    }
    delays.sort_unstable();
    ensure!(!delays.is_empty(), "the handler was never asked");
    let at = |per_mille: usize| {
        let place = (delays.len() - 1) * per_mille / 1000;
        delays.get(place).map_or(0.0, Duration::as_secs_f64) * 1e3
    };
    let mut table = Table::new(&["calls", "median", "95 %", "99 %", "most"]);
    table.row(&[
        delays.len().to_string(),
        format!("{:.2} ms", at(500)),
        format!("{:.2} ms", at(950)),
        format!("{:.2} ms", at(990)),
        format!("{:.2} ms", at(1000)),
    ]);
    Ok(format!(
        "One call after the other, a file that was played before.\n\n{}",
        table.into_text()
    ))
}
