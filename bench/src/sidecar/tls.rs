//! Calls by TLS a second, all over one connection.

use super::calls::{Rates, answer_and_wait};
use super::cores;
use super::peers::{Forky, Kamailio, Script, SippUas};
use super::process::{Answering, Setup, Sidecar};
use crate::Pace;

/// Measures, and gives the figures as Markdown.
pub(crate) fn measure(pace: Pace) -> anyhow::Result<String> {
    cores::leave_the_sidecars()?;
    let forky = match Forky::find()? {
        Ok(forky) => forky,
        // Debian's own SIPp is built without TLS.
        Err(why) => return Ok(format!("Not measured: {why}.\n")),
    };
    let mut rates = Rates::new(pace, Some(&forky));
    let setup = Setup {
        answering: Answering::Fixed,
        all_ports: true,
        tls: Some(forky.folder().to_owned()),
        ..Setup::new(answer_and_wait())
    };
    rates.find(
        "the sidecar, a fixed reply, with media ports",
        5000,
        &|| Ok(Box::new(Sidecar::start(&setup)?)),
    )?;
    rates.find("SIPp's own UAS", 5000, &|| {
        Ok(Box::new(SippUas::by_tls(&forky)?))
    })?;
    rates.find("Kamailio, `t_newtran` and `t_reply`", 3000, &|| {
        Ok(Box::new(Kamailio::start(Script::ReplyByTls(&forky))?))
    })?;
    Ok(rates.into_text())
}
