//! Memory of a call.

use std::time::Duration;

use super::cores;
use super::parties::{Parties, put_through};
use super::process::{Setup, Sidecar, free_udp};
use crate::Pace;
use crate::report::{Table, count};

/// Bridged calls at which the memory is read.
const CALLS: [usize; 3] = [250, 500, 1000];
/// After the last call: what was needed for setting it up is given back, or never.
const SETTLE: Duration = Duration::from_secs(3);

/// Measures, and gives the figures as Markdown.
pub(crate) fn measure(_: Pace) -> anyhow::Result<String> {
    cores::leave_the_sidecars()?;
    // Nobody speaks in these calls, so nobody need listen.
    let mut parties = Parties::new(free_udp()?, free_udp()?)?;
    let setup = Setup {
        route: Some(parties.phone()),
        ..Setup::new(put_through())
    };
    let sidecar = Sidecar::start(&setup)?;
    let start = sidecar.resident()?;
    let mut table = Table::new(&[
        "bridged calls, idle",
        "resident memory",
        "more than at the start, for each call",
    ]);
    table.row(&["0".to_owned(), mebibytes(start), "".to_owned()]);
    for calls in CALLS {
        parties.call_until(sidecar.sip, calls)?;
        std::thread::sleep(SETTLE);
        parties.pump()?;
        let resident = sidecar.resident()?;
        let each = resident.saturating_sub(start) as f64 / calls as f64 / 1000.0;
        eprintln!("  {calls} calls: {each:.1} KB a call");
        table.row(&[
            count(calls as u64),
            mebibytes(resident),
            format!("{each:.1} KB"),
        ]);
    }
    Ok(table.into_text())
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
