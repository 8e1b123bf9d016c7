//! What relayed packets cost by a port for each leg and by shared ports, beside the sidecar's own way.

use super::bare::{Bare, Way};
use super::bridged::{climb, table};
use super::cores;
use super::rtp::Side;
use crate::Pace;
use crate::report::count;

/// Climbs by each way.
pub(crate) fn measure(pace: Pace) -> anyhow::Result<String> {
    cores::leave_the_sidecars()?;
    let mut table = table();
    let (device, phone) = (Side::bind()?, Side::bind()?);
    let mut text = String::new();
    for way in Way::ALL {
        let name = way.name();
        eprintln!(" {name}");
        let mut relay = Bare::start(way, device.address, phone.address)?;
        let (clean, end) = climb(&mut relay, [&device, &phone], pace, name, &mut table)?;
        text.push_str(&format!(
            "- **{}** calls by {name}{}. {end}\n",
            count(clean.0 as u64),
            clean.1
        ));
    }
    Ok(format!(
        "Programs that relay and do nothing else: no jitter, no counters, no recording, any sender. Calls without a late packet; RTP on both legs, PCMU both ways, 20 ms a packet, runs of {} s:\n\n{text}\n{}",
        pace.step.as_secs(),
        table.into_text()
    ))
}
