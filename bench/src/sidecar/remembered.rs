//! Memory of calls that have ended: what is held until their transactions are forgotten (RFC 3261, timers J and L).

use std::time::Duration;

use anyhow::ensure;

use super::alone::Alone;
use super::called::Called;
use super::calls::answer_and_wait;
use super::cores;
use super::peers::{Kamailio, Script};
use super::process::{Answering, Setup, Sidecar};
use super::search::Start;
use super::sipp::{Load, call};
use crate::Pace;
use crate::report::{Table, count};

/// Calls a second: every server takes so many, also where others have half of the machine.
const RATE: u32 = 500;
/// For so long. Kamailio forgets a transaction five seconds after its end.
const TIME: Duration = Duration::from_secs(4);
/// Calls before the first reading: what a server makes for its first calls is no call's.
const WARM_UP: Duration = Duration::from_millis(500);
/// Until the transactions of RFC 3261 are forgotten, and a little.
const FORGOTTEN: Duration = Duration::from_secs(36);
/// An INVITE's and a BYE's.
const TRANSACTIONS: u64 = 2;

/// Measures, and gives the figures as Markdown.
pub(crate) fn measure(pace: Pace) -> anyhow::Result<String> {
    cores::leave_the_sidecars()?;
    let setup = Setup {
        answering: Answering::Fixed,
        all_ports: true,
        ..Setup::new(answer_and_wait())
    };
    let servers: [(&str, Start<'_>); 3] = [
        ("`crates/sip` alone", &|| Ok(Box::new(Alone::start()?))),
        ("the sidecar, a fixed reply", &|| {
            Ok(Box::new(Sidecar::start(&setup)?))
        }),
        ("Kamailio, `t_newtran` and `t_reply`", &|| {
            Ok(Box::new(Kamailio::start(Script::Reply)?))
        }),
    ];
    let mut table = Table::new(&[
        "server",
        "calls",
        "bytes for each that has ended",
        "for each transaction",
        "36 s later, and as many calls again",
    ]);
    for (name, start) in servers {
        let server = start()?;
        run(server.as_ref(), WARM_UP)?;
        let before = server.memory()?;
        let calls = run(server.as_ref(), TIME)?;
        let each = server.memory()?.saturating_sub(before) / calls.max(1);
        eprintln!("  {name}: {each} bytes a call");
        let again = if pace.quick {
            "not looked at".to_owned()
        } else {
            std::thread::sleep(FORGOTTEN);
            let calls = run(server.as_ref(), TIME)?;
            count(server.memory()?.saturating_sub(before) / calls.max(1))
        };
        table.row(&[
            name.to_owned(),
            count(calls),
            count(each),
            count(each / TRANSACTIONS),
            again,
        ]);
    }
    Ok(table.into_text())
}

fn run(server: &dyn Called, time: Duration) -> anyhow::Result<u64> {
    let outcome = call(server, Load::new(RATE, time))?;
    ensure!(
        outcome.failed == 0 && outcome.refused == 0,
        "not each call was answered: {outcome:?}"
    );
    Ok(outcome.accepted)
}
