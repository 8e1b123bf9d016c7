//! A device's media: a WebRTC peer on loopback.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use skillcall_media::codec::Codec;
use skillcall_media::encoding::Encoding;
use skillcall_media::rtp::MAX_PACKET;
use skillcall_media::transcode::{OpusSettings, Side, Transcoder};
use skillcall_webrtc::{Config, Event, Identity, LocalAddress, Output, Peer, Received, Style};

use super::since_1970;
use super::voice::{Ear, Mouth};
use crate::sidecar::rtp::datagrams;

/// A device in a call.
pub(super) struct Device {
    socket: UdpSocket,
    peer: Peer,
    offer: String,
    /// In and out, where the device does not speak PCMU.
    codec: Option<(Transcoder, Transcoder)>,
    lost: bool,
    pub(super) mouth: Mouth,
    pub(super) ear: Ear,
}

impl Device {
    /// A device that offers this codec alone.
    pub(super) fn new(encoding: Encoding) -> anyhow::Result<Self> {
        let socket = datagrams::bind()?;
        let address = LocalAddress::Host(socket.local_addr()?);
        let mut config = Config::new(Identity::generate()?, vec![address]);
        config.codecs = vec![encoding];
        config.style = Style::Echo { video: true };
        // Alexa offers none (facts G9).
        config.events = false;
        let mouth = Mouth::new(config.ssrc);
        let (peer, offer) = Peer::offer(config, Instant::now());
        Ok(Self {
            socket,
            peer,
            offer,
            codec: None,
            lost: false,
            mouth,
            ear: Ear::default(),
        })
    }

    /// Its offer, as a message has it.
    pub(super) fn description(&self, kind: &str) -> Value {
        json!({"sdpDetails": {"type": kind, "value": self.offer}})
    }

    /// The answer to it.
    pub(super) fn take_answer(&mut self, answer: &str) -> anyhow::Result<()> {
        self.peer.take_answer(answer, Instant::now())?;
        let Some(audio) = self.peer.audio().copied() else {
            return Ok(());
        };
        if audio.encoding.g711().is_some() {
            return Ok(());
        }
        let inner = Side {
            encoding: Encoding::Pcmu,
            payload_type: Codec::Pcmu.static_payload_type(),
            events: None,
        };
        let outer = |payload_type| Side {
            encoding: audio.encoding,
            payload_type,
            events: None,
        };
        let opus = OpusSettings::default();
        self.codec = Some((
            Transcoder::new(outer(audio.receive), inner, opus)?,
            Transcoder::new(inner, outer(audio.send), opus)?,
        ));
        Ok(())
    }

    /// Whether its leg has ended.
    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Takes what has come, and says what is due.
    pub(super) fn turn(&mut self) -> anyhow::Result<()> {
        let local = self.socket.local_addr()?;
        let (peer, codec, ear) = (&mut self.peer, &mut self.codec, &mut self.ear);
        datagrams::receive(&self.socket, |datagram, from, arrived| {
            let arrived = arrived.unwrap_or_else(since_1970);
            let from = std::net::SocketAddr::new(local.ip(), from);
            let received = peer.receive(Instant::now(), local, from, datagram);
            let Received::Rtp(packet) = received else {
                return;
            };
            match codec {
                None => ear.hear(packet, arrived),
                // A packet of nothing that is voice gives none.
                Some((inbound, _)) => {
                    let _ = inbound.push(packet, |packet| ear.hear(packet, arrived));
                }
            }
        })?;
        loop {
            match self.peer.poll(Instant::now()) {
                Output::Transmit(transmit) => {
                    self.socket.send_to(&transmit.bytes, transmit.remote)?;
                }
                Output::Event(Event::Disconnected(_)) => self.lost = true,
                Output::Event(_) => {}
                Output::Wait(_) => break,
            }
        }
        if !self.peer.is_connected() {
            return Ok(());
        }
        let heard = self
            .ear
            .first()
            .is_some_and(|first| since_1970().saturating_sub(first) > Duration::from_millis(500));
        let Some(packet) = self.mouth.say(heard) else {
            return Ok(());
        };
        let (peer, socket) = (&mut self.peer, &self.socket);
        let mut send = |packet: &[u8]| {
            let mut out = [0; MAX_PACKET];
            if let Some(room) = out.get_mut(..packet.len()) {
                room.copy_from_slice(packet);
            }
            if let Ok((route, len)) = peer.send_rtp(&mut out, packet.len()) {
                let _ = socket.send_to(out.get(..len).unwrap_or_default(), route.remote);
            }
        };
        match &mut self.codec {
            None => send(&packet),
            Some((_, outbound)) => outbound.push(&packet, send)?,
        }
        Ok(())
    }
}
