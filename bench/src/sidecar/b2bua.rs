//! Calls put through a second, media ports on both legs included, beside others who stand between two parties.

use super::called::Called;
use super::calls::Rates;
use super::cores;
use super::parties::put_through;
use super::peers::{Asterisk, Does, Forky, Kamailio, Script, SippUas};
use super::process::{Answering, Setup, Sidecar};
use super::usage::Usage;
use crate::Pace;

/// A server with who is called behind it.
struct Between<T> {
    server: T,
    _uas: SippUas,
}

impl<T: Called> Called for Between<T> {
    fn address(&self) -> std::net::SocketAddr {
        self.server.address()
    }

    fn process(&self) -> u32 {
        self.server.process()
    }

    fn note(&self) -> String {
        self.server.note()
    }

    fn used(&self) -> anyhow::Result<Usage> {
        self.server.used()
    }
}

/// Measures, and gives the figures as Markdown.
pub(crate) fn measure(pace: Pace) -> anyhow::Result<String> {
    cores::leave_the_sidecars()?;
    let mut rates = Rates::new(pace, None);
    rates.find(
        "the sidecar: CallAndBridge, four media ports a call",
        3500,
        &|| {
            let uas = SippUas::beside()?;
            let server = Sidecar::start(&Setup {
                answering: Answering::Fixed,
                all_ports: true,
                route: Some(uas.address()),
                ..Setup::new(put_through())
            })?;
            Ok(Box::new(Between { server, _uas: uas }))
        },
    )?;
    rates.find("Kamailio, `t_relay`: a proxy without media", 4000, &|| {
        let uas = SippUas::beside()?;
        let server = Kamailio::start(Script::Relay(uas.address()))?;
        Ok(Box::new(Between { server, _uas: uas }))
    })?;
    const ASTERISK: &str = "Asterisk, `Dial`, four media ports a call";
    match Forky::find()? {
        Ok(forky) => rates.find(ASTERISK, 200, &|| {
            let uas = SippUas::beside()?;
            let server = Asterisk::start(&forky, Does::Dial(uas.address()))?;
            Ok(Box::new(Between { server, _uas: uas }))
        })?,
        Err(why) => rates.absent(ASTERISK, &why),
    }
    Ok(rates.into_text())
}
