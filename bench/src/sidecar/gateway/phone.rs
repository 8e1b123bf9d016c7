//! The phone: a SIP endpoint, and a voice in PCMU.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use skillcall_sip::endpoint::{CallHandle, Destination, Endpoint, EndpointConfig, Event, Flow};
use skillcall_sip::message::StatusCode;
use skillcall_sip::sdp::Srtp;

use super::since_1970;
use super::voice::{Ear, Mouth};
use crate::sidecar::parties::media_of;
use crate::sidecar::rtp::datagrams;

/// A phone that is called, call after call.
pub(super) struct Phone {
    sip: UdpSocket,
    rtp: UdpSocket,
    endpoint: Endpoint,
    call: Option<(CallHandle, Bytes)>,
    invited: Option<Duration>,
    /// Where it speaks to.
    to: Option<SocketAddr>,
    ended: bool,
    pub(super) mouth: Mouth,
    pub(super) ear: Ear,
}

impl Phone {
    pub(super) fn new() -> anyhow::Result<Self> {
        let (sip, rtp) = (datagrams::bind()?, datagrams::bind()?);
        let config = EndpointConfig::new(sip.local_addr()?, rand::random());
        Ok(Self {
            sip,
            rtp,
            endpoint: Endpoint::new(config),
            call: None,
            invited: None,
            to: None,
            ended: false,
            mouth: Mouth::new(rand::random()),
            ear: Ear::default(),
        })
    }

    /// Its SIP address.
    pub(super) fn sip(&self) -> String {
        let address = self.sip.local_addr();
        address.map_or_else(|error| error.to_string(), |address| address.to_string())
    }

    /// When the INVITE came that is open, in time since 1970.
    pub(super) fn invited(&self) -> Option<Duration> {
        self.call.as_ref().and(self.invited)
    }

    /// Whether its last call has ended.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// 180.
    pub(super) fn ring(&mut self) -> anyhow::Result<()> {
        let (call, _) = self.call.as_ref().context("nobody calls")?;
        let status = StatusCode::RINGING;
        self.endpoint
            .provisional(Instant::now(), *call, status, "", &[], None)?;
        self.send()
    }

    /// 200, and speaks from now on; when, in time since 1970.
    pub(super) fn answer(&mut self) -> anyhow::Result<Duration> {
        let (call, offer) = self.call.take().context("nobody calls")?;
        let mut media = media_of(self.rtp.local_addr()?, Srtp::default());
        let (answer, agreed) = media.answer(&offer)?;
        self.endpoint
            .accept(Instant::now(), call, &[], Some(answer))?;
        self.to = Some(agreed.remote);
        self.mouth = Mouth::new(rand::random());
        self.ear = Ear::default();
        let now = since_1970();
        self.send()?;
        Ok(now)
    }

    /// Takes what has come, and says what is due.
    pub(super) fn turn(&mut self) -> anyhow::Result<()> {
        let local = self.sip.local_addr()?;
        let (endpoint, invited) = (&mut self.endpoint, &mut self.invited);
        datagrams::receive(&self.sip, |datagram, from, arrived| {
            if datagram.starts_with(b"INVITE ") {
                *invited = arrived;
            }
            let from = SocketAddr::new(local.ip(), from);
            endpoint.receive(Instant::now(), &Flow::udp(local, from), datagram);
        })?;
        self.endpoint.handle_timeout(Instant::now());
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                Event::Invite { call, offer, .. } => {
                    self.call = Some((call, offer.context("an INVITE without SDP")?));
                    self.ended = false;
                }
                Event::Ended { .. } => {
                    self.ended = true;
                    self.to = None;
                }
                _ => {}
            }
        }
        self.send()?;
        let ear = &mut self.ear;
        let speaking = self.to.is_some();
        datagrams::receive(&self.rtp, |packet, _, arrived| {
            // PCMU alone is voice.
            let voice = packet.first().is_some_and(|first| first >> 6 == 2)
                && packet.get(1).is_some_and(|second| second & 0x7f == 0);
            if speaking && voice {
                ear.hear(packet, arrived.unwrap_or_else(since_1970));
            }
        })?;
        let Some(to) = self.to else { return Ok(()) };
        let heard = self
            .ear
            .first()
            .is_some_and(|first| since_1970().saturating_sub(first) > Duration::from_millis(500));
        if let Some(packet) = self.mouth.say(heard) {
            self.rtp.send_to(&packet, to)?;
        }
        Ok(())
    }

    fn send(&mut self) -> anyhow::Result<()> {
        while let Some(message) = self.endpoint.poll_transmit() {
            let Destination::Addr(to) = message.destination else {
                bail!("the sidecar names itself by a name");
            };
            self.sip.send_to(&message.bytes, to)?;
        }
        Ok(())
    }
}
