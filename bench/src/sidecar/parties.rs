//! Both SIP ends of bridged calls: the devices that call, and the phone that they are put through to.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use skillcall_sip::endpoint::{
    Destination, Endpoint, EndpointConfig, Event, Flow, OutgoingInvite, Party,
};
use skillcall_sip::message::{ExtraHeader, StatusCode, Uri};
use skillcall_sip::sdp::{Capabilities, Codec, MediaSession, Srtp};

use super::process::{NUMBER, SKILL};
use super::rtp::Secret;

/// The number of the phone.
const PHONE: &str = "+14255550123";
/// Between two INVITEs: 250 calls a second.
const APART: Duration = Duration::from_millis(4);
/// The longest that calls may take to be answered.
const PATIENCE: Duration = Duration::from_secs(20);
/// The most that a datagram of SIP holds.
const DATAGRAM: usize = 65_535;

/// Puts each call through to the phone.
pub(super) fn put_through() -> Value {
    json!([{"Type": "CallAndBridge", "Parameters": {
        "CallTimeoutSeconds": 30,
        "CallerIdNumber": NUMBER,
        "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": PHONE}],
    }}])
}

/// One end: its endpoint, and where it wants its RTP.
struct End {
    socket: UdpSocket,
    address: SocketAddr,
    endpoint: Endpoint,
    rtp: SocketAddr,
    /// Where the sidecar takes RTP, a leg each.
    legs: Vec<SocketAddr>,
}

/// The devices and the phone.
pub(super) struct Parties {
    device: End,
    phone: End,
    buffer: Vec<u8>,
    /// Offers under way, by the call's place among the devices' calls.
    offers: Vec<(skillcall_sip::endpoint::CallHandle, MediaSession)>,
    called: usize,
    /// The devices' keys, where they have any.
    secrets: Vec<Secret>,
    srtp: Srtp,
    /// Whether each call is put through to the phone.
    bridged: bool,
    lost: Vec<String>,
    /// Calls of ours that we have ended, and not been told so yet.
    hung_up: usize,
}

impl Parties {
    /// Ends whose RTP is wanted at these addresses.
    pub(super) fn new(device_rtp: SocketAddr, phone_rtp: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self {
            device: End::new(device_rtp)?,
            phone: End::new(phone_rtp)?,
            buffer: vec![0; DATAGRAM],
            offers: Vec::new(),
            called: 0,
            secrets: Vec::new(),
            srtp: Srtp::default(),
            bridged: true,
            lost: Vec::new(),
            hung_up: 0,
        })
    }

    /// The same, and the devices encrypt their media so.
    pub(super) fn encrypting(mut self, srtp: Srtp) -> Self {
        self.srtp = srtp;
        self
    }

    /// The devices' keys, one for each leg, or none at all.
    pub(super) fn secrets(&self) -> &[Secret] {
        &self.secrets
    }

    /// The same, but nobody is put through to the phone.
    pub(super) fn unbridged(mut self) -> Self {
        self.bridged = false;
        self
    }

    /// Where the sidecar has to route the phone's number.
    pub(super) fn phone(&self) -> SocketAddr {
        self.phone.address
    }

    /// Where the sidecar takes RTP of the devices, and of the phone.
    pub(super) fn legs(&self) -> (&[SocketAddr], &[SocketAddr]) {
        (&self.device.legs, &self.phone.legs)
    }

    /// Makes calls until there are `count`, all put through.
    pub(super) fn call_until(&mut self, sidecar: SocketAddr, count: usize) -> anyhow::Result<()> {
        let mut next = Instant::now();
        while self.called < count {
            if Instant::now() >= next {
                next += APART;
                self.invite(sidecar)?;
            }
            self.pump()?;
            std::thread::sleep(Duration::from_millis(1));
        }
        let until = Instant::now() + PATIENCE;
        while self.device.legs.len() < count || (self.bridged && self.phone.legs.len() < count) {
            self.pump()?;
            if let Some(reason) = self.lost.first() {
                bail!("a call was lost while {count} were made: {reason}");
            }
            ensure!(
                Instant::now() < until,
                "of {count} calls {} were answered within {PATIENCE:?}",
                self.device.legs.len()
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Calls that ended although nobody hung up, and why.
    pub(super) fn lost(&self) -> &[String] {
        &self.lost
    }

    /// Reads and sends what there is.
    pub(super) fn pump(&mut self) -> anyhow::Result<()> {
        self.device.receive(&mut self.buffer)?;
        self.phone.receive(&mut self.buffer)?;
        while let Some(event) = self.device.endpoint.poll_event() {
            match event {
                Event::Answered { call, sdp, .. } => {
                    let place = self
                        .offers
                        .iter()
                        .position(|(offered, _)| *offered == call)
                        .context("an answer to no offer")?;
                    let (_, mut session) = self.offers.swap_remove(place);
                    let answer = sdp.context("an answer without SDP")?;
                    let agreed = session.accept_answer(&answer)?;
                    self.device.legs.push(agreed.remote);
                    if let Some(keys) = &agreed.srtp {
                        self.secrets.push(Secret::new(keys)?);
                    }
                }
                Event::Failed { status, reason, .. } => {
                    self.lost.push(format!("{status} {reason}"));
                }
                Event::Ended { .. } if self.hung_up > 0 => self.hung_up -= 1,
                Event::Ended { reason, .. } => {
                    self.lost
                        .push(format!("BYE {}", reason.unwrap_or_default()));
                }
                _ => {}
            }
        }
        while let Some(event) = self.phone.endpoint.poll_event() {
            match event {
                Event::Invite { call, offer, .. } => {
                    let offer = offer.context("an INVITE without SDP")?;
                    let (answer, agreed) =
                        media_of(self.phone.rtp, Srtp::default()).answer(&offer)?;
                    self.phone
                        .endpoint
                        .accept(Instant::now(), call, &[], Some(answer))?;
                    self.phone.legs.push(agreed.remote);
                }
                Event::Ended { reason, .. } => {
                    self.lost
                        .push(format!("BYE at the phone {}", reason.unwrap_or_default()));
                }
                _ => {}
            }
        }
        self.device.send()?;
        self.phone.send()
    }

    /// Ends the device's one call.
    pub(super) fn hang_up(&mut self) -> anyhow::Result<()> {
        self.hung_up += 1;
        let status = StatusCode::REQUEST_TERMINATED;
        self.device.endpoint.end_all(Instant::now(), status);
        self.pump()
    }

    fn invite(&mut self, sidecar: SocketAddr) -> anyhow::Result<()> {
        let mut session = media_of(self.device.rtp, self.srtp.clone());
        let offer = session.offer();
        let target: Uri = format!("sip:{NUMBER}@{sidecar}").parse()?;
        let from = Party::new(format!("sip:+12045550100@{}", self.device.address).parse()?);
        let mut invite = OutgoingInvite::new(target, sidecar, from, Some(offer));
        let session_id = format!("csi=bridged-{}-{}", std::process::id(), self.called);
        invite.headers = vec![
            ExtraHeader::new("X-Alexa-LWA-ClientId", SKILL)?,
            ExtraHeader::new(
                "User-to-User",
                format!("{};encoding=hex", hexadecimal(&session_id)),
            )?,
        ];
        let call = self.device.endpoint.invite(Instant::now(), invite)?;
        self.offers.push((call, session));
        self.called += 1;
        Ok(())
    }
}

impl End {
    fn new(rtp: SocketAddr) -> anyhow::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        Ok(Self {
            socket,
            address,
            endpoint: Endpoint::new(EndpointConfig::new(address, rand::random())),
            rtp,
            legs: Vec::new(),
        })
    }

    fn receive(&mut self, buffer: &mut [u8]) -> anyhow::Result<()> {
        loop {
            match self.socket.recv_from(buffer) {
                Ok((len, from)) => {
                    let flow = Flow::udp(self.address, from);
                    self.endpoint.receive(
                        Instant::now(),
                        &flow,
                        buffer.get(..len).unwrap_or_default(),
                    );
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("SIP"),
            }
        }
        self.endpoint.handle_timeout(Instant::now());
        Ok(())
    }

    fn send(&mut self) -> anyhow::Result<()> {
        while let Some(message) = self.endpoint.poll_transmit() {
            let Destination::Addr(to) = message.destination else {
                bail!("the sidecar names itself by a name");
            };
            self.socket.send_to(&message.bytes, to)?;
        }
        Ok(())
    }
}

/// An end's side of a call. All calls of an end have their RTP at one port: those of who relays it tell them apart.
pub(super) fn media_of(rtp: SocketAddr, srtp: Srtp) -> MediaSession {
    let mut capabilities = Capabilities::new(rtp.ip(), rtp.port());
    capabilities.codecs = vec![Codec::Pcmu];
    capabilities.srtp = srtp;
    MediaSession::new(capabilities, 1)
}

/// As User-to-User carries it (facts E1).
pub(super) fn hexadecimal(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}
