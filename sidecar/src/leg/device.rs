//! The media of an Alexa device: a leg whose packets go by ICE and DTLS-SRTP (facts G1, G9).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use skillcall_media::encoding::Encoding;
use skillcall_media::prompt::EncodedPrompt;
use skillcall_media::rtp::{MAX_PACKET, PayloadType};
use skillcall_media::session::{Format, PacketTime};
use skillcall_media::transcode::Transcoder;
use skillcall_video::Terms;
use skillcall_webrtc::{
    Audio, Carrier, Config, Direction, Event, FromServer, Gatherer, IceMode, Identity, Output,
    Peer, Received, Servers, Transmit, Video,
};

use super::shim::{INNER, Shim, Wire};
use super::video::VideoPacket;
use super::ways::Ways;
use crate::tls::Tls;

/// How the gateway speaks with devices.
#[derive(Debug, Clone)]
pub(crate) struct DeviceSettings {
    /// Our certificate.
    pub(crate) identity: Identity,
    /// Whether Opus goes before G.711, which would pass unchanged.
    pub(crate) prefer_opus: bool,
    /// What the phone's side may speak, what we like most first.
    pub(crate) codecs: Vec<Encoding>,
    /// Whether our side of ICE is lite (RFC 8445 §2.5).
    pub(crate) lite: bool,
    /// What phones hear while devices hold, again and again.
    pub(crate) hold_music: Option<Arc<EncodedPrompt>>,
    /// Who is asked for candidates ahead of calls.
    pub(crate) servers: Servers,
    /// What connections with those servers are encrypted by.
    pub(crate) tls: Tls,
    /// How many legs a worker has ready whose candidates are gathered.
    pub(crate) gathered: usize,
}

impl DeviceSettings {
    /// What a device may speak, what we like most first; `first` is what the phone speaks already: it passes unchanged.
    fn codecs_for_device(&self, first: Option<Encoding>) -> Vec<Encoding> {
        let best = [Encoding::Opus, Encoding::G722].into_iter();
        let best = best.filter(|_| self.prefer_opus);
        let rest = [
            Encoding::Pcmu,
            Encoding::Pcma,
            Encoding::Opus,
            Encoding::G722,
        ];
        let mut codecs = Vec::new();
        for codec in best
            .chain(first)
            .chain(self.codecs.iter().copied())
            .chain(rest)
        {
            if !codecs.contains(&codec) {
                codecs.push(codec);
            }
        }
        codecs
    }
}

/// What a datagram was, or what follows from the time.
#[derive(Debug)]
pub(crate) enum FromDevice {
    /// A datagram, or a message of a connection, to send.
    Send(Carrier, Vec<u8>),
    /// Packets flow.
    Connected,
    /// They do no more.
    Disconnected(String),
}

/// What a datagram of the device's holds, opened in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opened {
    /// So many bytes of RTP.
    Rtp(usize),
    /// So many bytes of RTP of its video.
    Video(usize),
    /// So many bytes of RTCP.
    Rtcp(usize),
    /// ICE or DTLS.
    Handled,
    /// A STUN or TURN server's.
    Server,
    /// Nothing of the device's.
    Foreign,
}

/// What our answer to a new offer of the device's is.
#[derive(Debug)]
pub(crate) struct Again {
    /// The answer.
    pub(crate) answer: String,
    /// Whether the device holds.
    pub(crate) held: bool,
}

/// The device's side of a leg's packets.
pub(crate) struct DeviceMedia {
    peer: Peer,
    /// The address that its socket has, as candidates name it.
    local: SocketAddr,
    /// How its packets come and go.
    ways: Ways,
    due: Option<Instant>,
    /// What stands between it and the media session, where they share no codec.
    shim: Option<Shim>,
}

impl DeviceMedia {
    fn config(
        settings: &DeviceSettings,
        ways: &Ways,
        ssrc: u32,
        first: Option<Encoding>,
    ) -> Config {
        let mut config = Config::new(settings.identity.clone(), ways.addresses());
        config.codecs = settings.codecs_for_device(first);
        if settings.lite {
            config.mode = IceMode::Lite;
        }
        config.ssrc = ssrc;
        config
    }

    /// Answers the device's first offer.
    ///
    /// # Errors
    /// In words: the offer cannot be used.
    pub(crate) fn answer(
        settings: &DeviceSettings,
        ways: Ways,
        ssrc: u32,
        offer: &str,
        now: Instant,
    ) -> Result<(Self, String), String> {
        let (peer, answer) = Peer::answer(Self::config(settings, &ways, ssrc, None), offer, now)
            .map_err(|error| format!("the device's offer: {error}"))?;
        Ok((Self::new(peer, ways, now), answer))
    }

    /// Offers to call the device; `first` is what the phone speaks, `video` what it says of its video.
    pub(crate) fn offer(
        settings: &DeviceSettings,
        ways: Ways,
        ssrc: u32,
        first: Option<Encoding>,
        video: Option<Terms>,
        now: Instant,
    ) -> (Self, String) {
        let mut config = Self::config(settings, &ways, ssrc, first);
        config.video = video;
        let (peer, offer) = Peer::offer(config, now);
        (Self::new(peer, ways, now), offer)
    }

    /// What was agreed on for video; none: it is rejected.
    pub(crate) fn video(&self) -> Option<&Video> {
        self.peer.video()
    }

    /// What an offer of a device's says of its video.
    pub(crate) fn video_in(offer: &str) -> Option<Terms> {
        Peer::video_in(offer)
    }

    /// Our source of video.
    pub(crate) const fn video_ssrc(&self) -> u32 {
        self.peer.video_ssrc()
    }

    /// What the device's last description says of its video.
    pub(crate) fn video_of_device(&self) -> Option<Terms> {
        self.peer.video_of_peer()
    }

    /// What is said of video from the next description on; none: it is rejected.
    pub(crate) fn set_video(&mut self, terms: Option<Terms>) {
        self.peer.set_video(terms);
    }

    /// Writes the answer to the device's first offer anew, which nobody was given yet.
    pub(crate) fn answer_anew(&mut self) -> Option<String> {
        self.peer.answer_anew()
    }

    /// Sends a packet of video: gives what goes out, and where to. Nothing while packets do not flow.
    pub(crate) fn send_video(
        &mut self,
        out: &mut VideoPacket,
        len: usize,
        mut give: impl FnMut(Carrier, &[u8]),
    ) {
        if let Ok((route, len)) = self.peer.send_rtp(out, len)
            && let Some(packet) = out.get(..len)
        {
            self.ways.carry(route, packet, &mut give);
        }
    }

    /// The same for RTCP of video, whose timestamps are nobody else's.
    pub(crate) fn send_video_rtcp(
        &mut self,
        out: &mut VideoPacket,
        len: usize,
        mut give: impl FnMut(Carrier, &[u8]),
    ) {
        if let Ok((route, len)) = self.peer.send_rtcp(out, len)
            && let Some(packet) = out.get(..len)
        {
            self.ways.carry(route, packet, &mut give);
        }
    }

    fn new(peer: Peer, ways: Ways, now: Instant) -> Self {
        Self {
            peer,
            local: ways.socket(),
            ways,
            due: Some(now),
            shim: None,
        }
    }

    /// Takes the device's answer to our last offer.
    ///
    /// # Errors
    /// In words: it cannot be used; all is as before then.
    pub(crate) fn take_answer(&mut self, answer: &str, now: Instant) -> Result<(), String> {
        self.due = Some(now);
        self.peer
            .take_answer(answer, now)
            .map_err(|error| error.to_string())
    }

    /// Answers a later offer of the device's.
    ///
    /// # Errors
    /// In words: it cannot be used; all is as before then.
    pub(crate) fn answer_again(&mut self, offer: &str, now: Instant) -> Result<Again, String> {
        self.due = Some(now);
        let again = self
            .peer
            .answer_again(offer, now)
            .map_err(|error| error.to_string())?;
        Ok(Again {
            answer: again.answer,
            held: self.peer.audio().is_some_and(Audio::is_held),
        })
    }

    /// Offers anew, to hold the device or to hold it no more.
    pub(crate) fn offer_again(&mut self, held: bool) -> String {
        self.peer.offer_again(if held {
            Direction::SendOnly
        } else {
            Direction::SendRecv
        })
    }

    /// What was agreed on, for the media session, and whether we send and receive.
    pub(crate) fn agreed(&mut self) -> Option<(Format, bool, bool)> {
        let audio = *self.peer.audio()?;
        if !self
            .shim
            .as_ref()
            .is_some_and(|shim| shim.fits(&Wire::from(&audio)))
        {
            self.shim = Shim::between(Wire::from(&audio))
                .inspect_err(|error| tracing::error!(%error, "a device's codec"))
                .ok()?;
        }
        let mut format = Format::new(audio.encoding.g711().unwrap_or(INNER), None);
        if self.shim.is_none() {
            format.payload_type = audio.send;
            format.receive_payload_type = audio.receive;
            let events = audio
                .events
                .as_ref()
                .filter(|events| events.clock == audio.encoding.clock());
            format.events = events.map(|events| events.send);
            format.receive_events = events.map(|events| -> PayloadType { events.receive });
        }
        format.packet_time = PacketTime::from_ms(audio.packet_time_ms);
        Some((format, audio.direction.sends(), audio.direction.receives()))
    }

    /// What the device speaks, once agreed on.
    pub(crate) fn encoding(&self) -> Option<Encoding> {
        Some(self.peer.audio()?.encoding)
    }

    /// The codec of its packets, where it is none of the media session's.
    pub(crate) fn foreign(&self) -> Option<Encoding> {
        self.shim.as_ref().map(Shim::encoding)
    }

    /// What its packets pass on their way in, for as long as one of them does.
    pub(crate) fn take_inbound(&mut self) -> Option<Box<Transcoder>> {
        self.shim.as_mut()?.take_inbound()
    }

    /// Gives back what packets pass on their way in.
    pub(crate) fn give_inbound(&mut self, inbound: Box<Transcoder>) {
        if let Some(shim) = &mut self.shim {
            shim.give_inbound(inbound);
        }
    }

    /// Whether packets flow.
    pub(crate) fn is_connected(&self) -> bool {
        self.peer.is_connected()
    }

    /// When [`DeviceMedia::poll`] is due.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// Takes a datagram, or a message that came by a connection with a server.
    pub(crate) fn receive(&mut self, now: Instant, from: Carrier, datagram: &mut [u8]) -> Opened {
        let (local, from, datagram) = match (self.ways.receive(now, from, datagram), from) {
            (FromServer::NotOurs, Carrier::Socket(from)) => (self.local, from, datagram),
            (FromServer::NotOurs, Carrier::Stream(_)) => return Opened::Foreign,
            (FromServer::Handled, _) => {
                self.due = Some(now);
                return Opened::Server;
            }
            (FromServer::Relayed { relay, peer, data }, _) => {
                // It is shorter than its wrapping.
                let Some(room) = datagram.get_mut(..data.len()) else {
                    return Opened::Foreign;
                };
                room.copy_from_slice(&data);
                (relay, peer, room)
            }
        };
        match self.peer.receive(now, local, from, datagram) {
            Received::Rtp(packet) => Opened::Rtp(packet.len()),
            Received::Video(packet) => Opened::Video(packet.len()),
            Received::Rtcp(packet) => Opened::Rtcp(packet.len()),
            Received::Handled => {
                self.due = Some(now);
                Opened::Handled
            }
            Received::Dropped(_) => Opened::Foreign,
        }
    }

    /// What is to be done now; none: nothing more, until the time or a datagram comes.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<FromDevice> {
        loop {
            if let Some((server, datagram)) = self.ways.poll(now) {
                return Some(FromDevice::Send(server, datagram));
            }
            match self.peer.poll(now) {
                Output::Transmit(Transmit {
                    local,
                    remote,
                    bytes,
                }) => {
                    if !self.ways.send(now, local, remote, &bytes) {
                        return Some(FromDevice::Send(Carrier::Socket(remote), bytes));
                    }
                }
                Output::Event(Event::Connected) => return Some(FromDevice::Connected),
                Output::Event(Event::Disconnected(why)) => {
                    return Some(FromDevice::Disconnected(why.to_string()));
                }
                Output::Wait(until) => {
                    let servers = self.ways.due(now);
                    self.due = Some(servers.map_or(until, |due| due.min(until)));
                    return None;
                }
            }
        }
    }

    /// How its packets come and go.
    pub(crate) const fn ways(&self) -> &Ways {
        &self.ways
    }

    /// A connection with a server has ended.
    pub(crate) fn stream_ended(&mut self, now: Instant, number: usize) {
        self.due = Some(now);
        self.ways.stream_ended(now, number);
    }

    /// What was gathered for it: it ends.
    pub(crate) fn into_gatherer(self) -> Option<Box<Gatherer>> {
        self.ways.into_gatherer()
    }

    /// Sends an RTP packet of ours: gives what goes out, and where to. Nothing while packets do not flow. `passes`: its payload is in
    /// the device's codec already.
    pub(crate) fn send_rtp(
        &mut self,
        out: &mut [u8; MAX_PACKET],
        len: usize,
        passes: bool,
        mut give: impl FnMut(Carrier, &[u8]),
    ) {
        let (peer, ways) = (&mut self.peer, &mut self.ways);
        let mut protect = |out: &mut [u8; MAX_PACKET], len: usize| {
            if let Ok((route, len)) = peer.send_rtp(out, len)
                && let Some(packet) = out.get(..len)
            {
                ways.carry(route, packet, &mut give);
            }
        };
        match &mut self.shim {
            None => protect(out, len),
            Some(shim) => {
                shim.outbound(out.get(..len).unwrap_or_default(), passes, protect);
            }
        }
    }

    /// The same for RTCP.
    pub(crate) fn send_rtcp(
        &mut self,
        out: &mut [u8; MAX_PACKET],
        len: usize,
        mut give: impl FnMut(Carrier, &[u8]),
    ) {
        if let Some(shim) = &self.shim {
            shim.rewrite_outbound_rtcp(out.get_mut(..len).unwrap_or_default());
        }
        if let Ok((route, len)) = self.peer.send_rtcp(out, len)
            && let Some(packet) = out.get(..len)
        {
            self.ways.carry(route, packet, &mut give);
        }
    }

    /// Timestamps of the device's reports, as the media session counts.
    pub(crate) fn rewrite_rtcp(&self, datagram: &mut [u8]) {
        if let Some(shim) = &self.shim {
            shim.rewrite_inbound_rtcp(datagram);
        }
    }

    /// Where packets go.
    pub(crate) fn remote(&self) -> Option<SocketAddr> {
        self.peer.route().map(|route| route.remote)
    }
}
