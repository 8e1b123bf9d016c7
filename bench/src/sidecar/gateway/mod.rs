//! A call from a device by CallSignaling: from its last byte to the INVITE, from the phone's answer to the first voice in
//! each direction, and what the way between both ends adds to the voice.

mod device;
mod phone;
mod skill;
mod voice;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{bail, ensure};
use serde_json::{Value, json};
use skillcall_media::encoding::Encoding;

use super::cores;
use super::process::{Answering, Setup, Sidecar};
use crate::Pace;
use crate::report::{Table, count};
use device::Device;
use phone::Phone;
use skill::{Said, Skill};

/// The longest that anything of a call may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at the sockets.
const NAP: Duration = Duration::from_micros(100);
/// How long both speak once both are heard.
const TALK: Duration = Duration::from_millis(1300);
/// So long it rings, that nothing of the call's beginning is in the figures of its answer.
const RING: Duration = Duration::from_millis(100);

/// Measures, and gives the figures as Markdown.
pub(crate) fn measure(pace: Pace) -> anyhow::Result<String> {
    cores::leave_the_sidecars()?;
    let calls = if pace.quick { 5 } else { 60 };
    let mut table = Table::new(&["the device speaks", "what", "median", "95 %", "most"]);
    for (encoding, name) in [
        (Encoding::Pcmu, "PCMU, as the phone"),
        (Encoding::Opus, "Opus, transcoded"),
    ] {
        let mut phone = Phone::new()?;
        let skill = Skill::start()?;
        let sidecar = Sidecar::start(&Setup {
            answering: Answering::Fixed,
            more: format!(
                "[gateway]\nskill = \"{}\"\nkeys-file = \"keys\"\n[[gateway.route]]\naddress = \"*\"\nuri = \"sip:{{number}}@{}\"\n",
                skill.url(),
                phone.sip()
            ),
            ..Setup::new(json!([]))
        })?;
        let mut all = Times::default();
        for number in 0..calls {
            let mut call = Call {
                sidecar: &sidecar,
                skill: &skill,
                phone: &mut phone,
                device: Device::new(encoding)?,
                session: format!("bench-{}-{number}", rand::random::<u32>()),
            };
            call.run(&mut all)?;
        }
        eprintln!("  {name}: {all:?}");
        for (what, times) in [
            ("InitiateOutboundCall's last byte to INVITE", all.invite),
            (
                "answer to the phone's first voice at the device",
                all.to_device,
            ),
            (
                "answer to the device's first voice at the phone",
                all.to_phone,
            ),
            (
                "the phone's voice on its way to the device",
                all.voice_to_device,
            ),
            (
                "the device's voice on its way to the phone",
                all.voice_to_phone,
            ),
        ] {
            table.row(&row(name, what, times));
        }
    }
    Ok(format!(
        "{} calls of each kind, one after the other.\n\n{}",
        count(calls),
        table.into_text()
    ))
}

/// What was measured of several calls.
#[derive(Debug, Default)]
struct Times {
    invite: Vec<Duration>,
    to_device: Vec<Duration>,
    to_phone: Vec<Duration>,
    voice_to_device: Vec<Duration>,
    voice_to_phone: Vec<Duration>,
}

fn row(name: &str, what: &str, mut times: Vec<Duration>) -> [String; 5] {
    times.sort_unstable();
    let at = |per_cent: usize| {
        let place = times.len().saturating_sub(1) * per_cent / 100;
        let time = times.get(place).map_or(0.0, Duration::as_secs_f64);
        format!("{:.2} ms", time * 1e3)
    };
    [name.to_owned(), what.to_owned(), at(50), at(95), at(100)]
}

/// One call.
struct Call<'a> {
    sidecar: &'a Sidecar,
    skill: &'a Skill,
    phone: &'a mut Phone,
    device: Device,
    session: String,
}

impl Call<'_> {
    fn run(&mut self, all: &mut Times) -> anyhow::Result<()> {
        let mut begin = self.device.description("OFFER");
        begin["participants"] = json!([
            {"id": {"type": "COMMUNICATION_PROFILE_ID", "value": "amzn1.alexa.communications.profile.did.BENCH"},
             "isOriginator": true},
            {"id": {"type": "RAW_ADDRESS", "value": "frontdesk"}, "isOriginator": false},
        ]);
        let called = self.says("InitiateOutboundCall", begin)?;
        let invited = self.until("an INVITE", |call| call.phone.invited())?;
        all.invite.push(invited.saturating_sub(called));
        self.phone.ring()?;
        self.hears("CallRinging")?;
        self.says("CallRingingAck", json!({}))?;
        let rung = Instant::now() + RING;
        self.until("ringing", |_| (Instant::now() >= rung).then_some(()))?;
        let answered = self.phone.answer()?;
        let accepted = self.hears("CallAccepted")?;
        self.device.take_answer(&accepted)?;
        self.says("CallAcceptedAck", json!({}))?;
        let at_device = self.until("voice at the device", |call| call.device.ear.first())?;
        let at_phone = self.until("voice at the phone", |call| call.phone.ear.first())?;
        all.to_device.push(at_device.saturating_sub(answered));
        all.to_phone.push(at_phone.saturating_sub(answered));
        let end = Instant::now() + TALK;
        self.until("talk", |_| (Instant::now() >= end).then_some(()))?;
        all.voice_to_device
            .extend(self.device.ear.delays(&self.phone.mouth));
        all.voice_to_phone
            .extend(self.phone.ear.delays(&self.device.mouth));
        self.says("CallEnded", json!({"callResult": {"code": "SUCCESS"}}))?;
        self.until("BYE", |call| call.phone.ended().then_some(()))?;
        Ok(())
    }

    /// Alexa says something in this session; when its last byte had been written, in time since 1970.
    fn says(&self, operation: &str, members: Value) -> anyhow::Result<Duration> {
        self.skill
            .says(self.sidecar.api, &self.session, operation, members)
    }

    /// Alexa hears something in this session: the SDP in it, or nothing.
    fn hears(&mut self, operation: &str) -> anyhow::Result<String> {
        self.until(operation, |call| {
            let Said { session, kind, sdp } = call.skill.said()?;
            (session == call.session && kind.ends_with(operation)).then_some(sdp)
        })
    }

    /// Lets both ends go on until something has come true.
    fn until<T>(
        &mut self,
        what: &str,
        mut fits: impl FnMut(&mut Self) -> Option<T>,
    ) -> anyhow::Result<T> {
        let until = Instant::now() + PATIENCE;
        loop {
            self.phone.turn()?;
            self.device.turn()?;
            if let Some(found) = fits(self) {
                return Ok(found);
            }
            if Instant::now() >= until {
                bail!("no {what} in {PATIENCE:?}");
            }
            ensure!(!self.device.is_lost(), "the device's leg ended: {what}");
            std::thread::sleep(NAP);
        }
    }
}

/// By the clock that the kernel stamps datagrams with.
fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
