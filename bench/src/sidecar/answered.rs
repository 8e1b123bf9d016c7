//! Calls answered and ended a second without a handler and without media, beside others who answer.

use super::alone::Alone;
use super::calls::{Rates, answer_and_wait};
use super::cores;
use super::peers::{Asterisk, Does, Forky, Kamailio, Script, SippUas};
use super::process::{Answering, Setup, Sidecar};
use crate::Pace;

/// Measures, and gives the figures as Markdown.
pub(crate) fn measure(pace: Pace) -> anyhow::Result<String> {
    cores::leave_the_sidecars()?;
    let mut rates = Rates::new(pace, None);
    rates.find(
        "`crates/sip`: transactions, dialogs, offer and answer, and nothing else",
        16_000,
        &|| Ok(Box::new(Alone::start()?)),
    )?;
    let setup = Setup {
        answering: Answering::Fixed,
        all_ports: true,
        ..Setup::new(answer_and_wait())
    };
    rates.find(
        "the sidecar, a fixed reply, with media ports",
        7000,
        &|| Ok(Box::new(Sidecar::start(&setup)?)),
    )?;
    rates.find("SIPp's own UAS", 12_000, &|| {
        Ok(Box::new(SippUas::measured()?))
    })?;
    rates.find("Kamailio, `t_newtran` and `t_reply`", 5000, &|| {
        Ok(Box::new(Kamailio::start(Script::Reply)?))
    })?;
    const ASTERISK: &str = "Asterisk, `Answer` and `Wait`, with media ports";
    match Forky::find()? {
        Ok(forky) => rates.find(ASTERISK, 600, &|| {
            Ok(Box::new(Asterisk::start(&forky, Does::Answer)?))
        })?,
        Err(why) => rates.absent(ASTERISK, &why),
    }
    Ok(rates.into_text())
}
