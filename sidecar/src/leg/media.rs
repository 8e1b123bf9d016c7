//! A leg's audio: its sockets, its session, what it plays and where it sends.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use mio::net::UdpSocket;
use skillcall_media::codec::Codec;
use skillcall_media::dtmf::{COMMA_MS, Digit, ToneDetector, audible};
use skillcall_media::encoding::Encoding;
use skillcall_media::player::{Player, Step};
use skillcall_media::prompt::EncodedPrompt;
use skillcall_media::rtp::{MAX_PACKET, RtpPacket};
use skillcall_media::session::{AudioSession, Outgoing};
use skillcall_media::transcode::{TranscodeError, Transcoder};
use skillcall_media::utterance::UtteranceDetector;
use skillcall_media::voice_focus::NoiseSuppressor;
use skillcall_media::{FRAME_SAMPLES, Frame, SILENT_FRAME};
use skillcall_webrtc::Carrier;

use super::device::DeviceMedia;
use super::negotiation::Agreed;
use super::shim::{Shim, Wire};
use super::srtp::LegSrtp;
use super::streams::Streams;
use super::video::{Asking, LegVideo, VideoPacket, VideoPorts};
use crate::engine::{PlayId, RecordingId};
use crate::figures::Held;
use crate::meetings::Seat;
use crate::ports::PortPair;
use crate::recording::Tap;

/// Samples of silence between relayed packets and tones of our own in a codec with a memory, 40 ms: the peer's decoder has followed
/// another encoder, whose loud voice would make the first 30 ms of a tone a bang, in which a digit is heard twice.
const CALMING: usize = 2 * FRAME_SAMPLES;

/// Digits that wait to be sent as tones: no finger presses more ahead of what is heard.
const MAX_PRESSED: usize = 32;

/// Where a leg's packets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Learned {
    /// Where the peer's SDP says; the first valid packet from elsewhere is followed, because many
    /// peers sit behind address translation.
    Announced,
    /// Where valid packets came from. Others are not listened to until the next offer and answer, but for those that come from
    /// where the peer's SDP says: what a former user of the port still gets may come first, and must not take the peer's place.
    Locked(SocketAddr),
}

/// What is being played to a leg.
#[derive(Debug)]
pub(crate) struct Playing {
    /// Its name.
    pub(crate) play: PlayId,
    /// Where it stands.
    pub(crate) player: Player,
}

/// What a leg was sent in a tick, for its recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SentFrame {
    /// A frame of our own, in `sent`: a prompt's, or a meeting's.
    Prompt,
    /// What the bridged leg says.
    Bridged,
    /// Nothing, or silence.
    Silence,
}

/// A leg's audio.
pub(crate) struct LegMedia {
    /// RTP.
    pub(crate) rtp: UdpSocket,
    /// RTCP.
    pub(crate) rtcp: UdpSocket,
    /// The even port.
    pub(crate) port: u16,
    /// Where its RTP is captured.
    pub(crate) capture: Option<super::MediaCapture>,
    /// Counters, jitter buffer, digits, packets.
    pub(crate) session: AudioSession,
    /// Whether offer and answer are complete: before, nothing is sent.
    pub(crate) agreed: bool,
    /// Whether we hold the peer: it does not hear who it is bridged with.
    pub(crate) holding: bool,
    follows: Option<Agreed>,
    srtp: Option<Box<LegSrtp>>,
    /// What stands between a phone and the media session, where they share no codec.
    shim: Option<Box<Shim>>,
    /// The way of a device's packets; its leg has no other.
    device: Option<Box<DeviceMedia>>,
    /// Video, once it was spoken of.
    pub(crate) video: Option<Box<LegVideo>>,
    /// Connections with TURN servers.
    pub(crate) streams: Streams,
    /// When something of the peer's came last: RTP, RTCP, or what keeps ICE alive.
    last_heard: Option<Instant>,
    /// Whether the peer may hear something: from the answer on, or from early media on.
    pub(crate) open: bool,
    /// Our 200 waits for its ACK. A caller who is gone by then costs no silence for 32 s (RFC 3261 §13.3.1.4).
    pub(crate) unacknowledged: bool,
    announced: SocketAddr,
    announced_rtcp: SocketAddr,
    learned: Learned,
    learned_rtcp: Option<SocketAddr>,
    we_send: bool,
    we_receive: bool,
    /// What is played.
    pub(crate) playing: Option<Playing>,
    /// Digits of the bridged leg as tones, for a peer that takes no telephone events.
    pressed: VecDeque<Player>,
    /// The SendDigits whose telephone events are being sent.
    sending: Option<PlayId>,
    /// Finds digits in the audio, while somebody wants them and the peer has no telephone events.
    tones: Option<Box<ToneDetector>>,
    /// VoiceFocus.
    pub(crate) focus: Option<Box<NoiseSuppressor>>,
    /// Finds what the peer says, while a bot listens.
    pub(crate) utterance: Option<Box<UtteranceDetector>>,
    /// The meeting that it takes part in.
    pub(crate) seat: Option<Seat>,
    /// The slot of the leg that is bridged with this one.
    pub(crate) bridged: Option<usize>,
    /// RecordAudio.
    pub(crate) recording: Option<(RecordingId, Tap)>,
    /// StartCallRecording.
    pub(crate) call_recording: Option<Tap>,
    /// What the peer said in this tick, while somebody listens.
    pub(crate) heard: Frame,
    /// What the peer was sent in this tick.
    pub(crate) sent: Frame,
    /// Digits that the trace was told of.
    pub(crate) traced_digits: u32,
    _held: [Held; 2],
}

impl LegMedia {
    /// A leg on freshly bound ports, before offer and answer; `held` counts its ports and its sockets.
    pub(crate) fn new(pair: PortPair, session: AudioSession, held: [Held; 2]) -> Self {
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        Self {
            rtp: UdpSocket::from_std(pair.rtp),
            rtcp: UdpSocket::from_std(pair.rtcp),
            port: pair.port,
            capture: None,
            session,
            agreed: false,
            holding: false,
            follows: None,
            srtp: None,
            shim: None,
            device: None,
            video: None,
            streams: Streams::default(),
            last_heard: None,
            open: false,
            unacknowledged: false,
            announced: nowhere,
            announced_rtcp: nowhere,
            learned: Learned::Announced,
            learned_rtcp: None,
            we_send: false,
            we_receive: false,
            playing: None,
            pressed: VecDeque::new(),
            sending: None,
            tones: None,
            focus: None,
            utterance: None,
            seat: None,
            bridged: None,
            recording: None,
            call_recording: None,
            heard: SILENT_FRAME,
            sent: SILENT_FRAME,
            traced_digits: 0,
            _held: held,
        }
    }

    /// Follows an offer and answer. The next valid packet decides where ours go (see [`Learned`]).
    ///
    /// What changes nothing, as the refresh of a session does, leaves all as it is.
    pub(crate) fn agree(&mut self, agreed: &Agreed) {
        if let Some(video) = &mut self.video {
            video.agree(agreed.video.as_ref());
        }
        let voice = Agreed {
            video: None,
            ..agreed.clone()
        };
        if self.follows.as_ref() == Some(&voice) {
            return;
        }
        self.follows = Some(voice);
        match LegSrtp::follow(self.srtp.take(), agreed.srtp.as_ref()) {
            Ok(srtp) => self.srtp = srtp,
            Err(error) => {
                // Never in the clear what was to be encrypted.
                tracing::error!(%error, "SRTP keys");
                self.agreed = false;
                return;
            }
        }
        match follow_wire(self.shim.take(), agreed.wire) {
            Ok(shim) => self.shim = shim,
            Err(error) => {
                tracing::error!(%error, "a phone's codec");
                self.agreed = false;
                return;
            }
        }
        self.session.set_format(agreed.format);
        self.announced = agreed.remote;
        self.announced_rtcp = agreed.remote_rtcp;
        self.learned = Learned::Announced;
        self.learned_rtcp = None;
        self.we_send = agreed.we_send;
        self.we_receive = agreed.we_receive;
        self.agreed = true;
    }

    /// Ports for a phone's video.
    pub(crate) fn give_video(&mut self, ports: VideoPorts) {
        let cname = self.session.cname().to_owned();
        let video = LegVideo::new(rand::random(), &cname, Some(ports));
        self.video = Some(Box::new(video));
    }

    /// The leg's packets go to a device from now on.
    pub(crate) fn give_device(&mut self, device: DeviceMedia) {
        self.device = Some(Box::new(device));
        self.open = true;
        self.follow_device();
    }

    /// The way of a device's packets, if it is a device's leg: it ends, and nothing goes out any more.
    pub(crate) fn take_device(&mut self) -> Option<Box<DeviceMedia>> {
        let device = self.device.take()?;
        self.agreed = false;
        Some(device)
    }

    /// The way of a device's packets, if it is a device's leg.
    pub(crate) fn device(&self) -> Option<&DeviceMedia> {
        self.device.as_deref()
    }

    /// As [`LegMedia::device`].
    pub(crate) fn device_mut(&mut self) -> Option<&mut DeviceMedia> {
        self.device.as_deref_mut()
    }

    /// The codec's name, as it is on the wire.
    pub(crate) fn codec_name(&self) -> &'static str {
        let foreign = self.foreign().map(Encoding::name);
        foreign.unwrap_or_else(|| super::codec_name(self.session.format().codec))
    }

    /// The codec of its packets, where it is none of the media session's.
    fn foreign(&self) -> Option<Encoding> {
        match &self.device {
            Some(device) => device.foreign(),
            None => self.shim.as_deref().map(Shim::encoding),
        }
    }

    /// Whether packets of this leg become packets of the other one as they are, though the media session does not speak their codec:
    /// both speak it, and nobody listens in between.
    pub(crate) fn passes_to(&self, other: &Self) -> bool {
        let foreign = self.foreign();
        foreign.is_some()
            && foreign == other.foreign()
            && self.focus.is_none()
            && !self.session.is_listening()
            && other.takes_bridge()
    }

    /// What its packets pass on their way in, for as long as one of them does.
    pub(crate) fn take_inbound(&mut self) -> Option<Box<Transcoder>> {
        match &mut self.device {
            Some(device) => device.take_inbound(),
            None => self.shim.as_mut()?.take_inbound(),
        }
    }

    /// Gives back what packets pass on their way in.
    pub(crate) fn give_inbound(&mut self, inbound: Box<Transcoder>) {
        match (&mut self.device, &mut self.shim) {
            (Some(device), _) => device.give_inbound(inbound),
            (None, Some(shim)) => shim.give_inbound(inbound),
            (None, None) => {}
        }
    }

    /// Whether it is a device's leg.
    pub(crate) fn is_device(&self) -> bool {
        self.device.is_some()
    }

    /// Follows what the device's descriptions agree on.
    pub(crate) fn follow_device(&mut self) {
        let Some((format, sends, receives)) =
            self.device.as_mut().and_then(|device| device.agreed())
        else {
            return;
        };
        if self.session.format() != format {
            self.session.set_format(format);
        }
        self.we_send = sends;
        self.we_receive = receives;
        self.agreed = true;
        let Some(device) = &self.device else { return };
        if self.video.is_none() && device.video().is_some() {
            let video = LegVideo::new(device.video_ssrc(), self.session.cname(), None);
            self.video = Some(Box::new(video));
        }
        if let Some(video) = &mut self.video {
            video.follow(device.video());
        }
    }

    /// Sends a packet of video: the first `len` bytes of `out`.
    pub(crate) fn send_video(&mut self, out: &mut VideoPacket, len: usize) {
        match (&mut self.device, &mut self.video) {
            (Some(device), _) => {
                let (socket, capture, streams) = (&self.rtp, &self.capture, &mut self.streams);
                device.send_video(out, len, |to, packet| {
                    carry(socket, streams, packet, to);
                    if let (Some(capture), Carrier::Socket(to)) = (capture, to) {
                        capture.sent(to, packet);
                    }
                });
            }
            (None, Some(video)) if self.open => video.put(out, len),
            _ => {}
        }
    }

    fn send_video_rtcp(&mut self, out: &mut VideoPacket, len: usize) {
        match (&mut self.device, &mut self.video) {
            (Some(device), _) => {
                let (socket, streams) = (&self.rtp, &mut self.streams);
                device.send_video_rtcp(out, len, |to, packet| carry(socket, streams, packet, to));
            }
            (None, Some(video)) if self.open => video.put_rtcp(out, len),
            _ => {}
        }
    }

    /// Asks the peer for a key frame. True: it has to be asked by INFO.
    pub(crate) fn ask_key_frame(&mut self, now: Instant) -> bool {
        let mut out = [0; 2_048];
        let asking = self.video.as_mut().and_then(|it| it.ask(now, &mut out));
        match asking {
            Some(Asking::Rtcp(len)) => self.send_video_rtcp(&mut out, len),
            Some(Asking::Info) => return true,
            None => {}
        }
        false
    }

    /// Sends the report on video that is due.
    pub(crate) fn tick_video(&mut self, now: Instant) {
        let Some(video) = self.video.as_mut().filter(|video| video.is_agreed()) else {
            return;
        };
        let mut out = [0; 2_048];
        if let Some(len) = video.session.poll_rtcp(now, &mut out) {
            self.send_video_rtcp(&mut out, len);
        }
    }

    /// Something of the peer's has come.
    pub(crate) fn note_heard(&mut self, now: Instant) {
        self.last_heard = Some(now);
    }

    /// When something of the peer's came last.
    pub(crate) fn last_heard(&self) -> Option<Instant> {
        self.last_heard.max(self.session.last_received())
    }

    /// Sends what is neither RTP nor RTCP.
    pub(crate) fn send_datagram(&mut self, datagram: &[u8], to: Carrier) {
        carry(&self.rtp, &mut self.streams, datagram, to);
    }

    /// Where RTP goes; none while the peer takes nothing (hold, or an address of zeros: RFC 3264 §5.1, §8.4).
    pub(crate) fn destination(&self) -> Option<SocketAddr> {
        if let Some(device) = &self.device {
            let sends = self.agreed && self.we_send && device.is_connected();
            return device.remote().filter(|_| sends);
        }
        let address = match self.learned {
            Learned::Announced => self.announced,
            Learned::Locked(address) => address,
        };
        (self.agreed
            && self.open
            && self.we_send
            && address.port() != 0
            && !self.announced.ip().is_unspecified())
        .then_some(address)
    }

    fn rtcp_destination(&self) -> Option<SocketAddr> {
        if let Some(device) = &self.device {
            return device
                .remote()
                .filter(|_| self.agreed && device.is_connected());
        }
        let address = self.learned_rtcp.unwrap_or(self.announced_rtcp);
        (self.agreed && self.open && address.port() != 0 && !address.ip().is_unspecified())
            .then_some(address)
    }

    /// Whether RTP from this address may be this leg's.
    pub(crate) fn listens_to(&self, from: SocketAddr) -> bool {
        self.agreed
            && self.we_receive
            && match self.learned {
                Learned::Announced => true,
                Learned::Locked(address) => address == from || self.announced == from,
            }
    }

    /// Notes that a valid packet came from this address.
    pub(crate) fn learn(&mut self, from: SocketAddr) {
        if self.learned == Learned::Announced {
            self.learned = Learned::Locked(from);
        }
    }

    /// RTP has come from here: follows the peer to where its SDP says, if others were followed before. They are not listened to any
    /// more, so that the media session takes the peer for its source with the second packet.
    pub(crate) fn return_to_announced(&mut self, from: SocketAddr, datagram: &[u8]) {
        if self.announced == from
            && matches!(self.learned, Learned::Locked(other) if other != from)
            && RtpPacket::parse(datagram).is_ok()
        {
            self.learned = Learned::Locked(from);
        }
    }

    /// Takes an RTCP datagram from the host that RTP comes from.
    pub(crate) fn receive_rtcp(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) {
        let host = match self.learned {
            Learned::Announced => self.announced_rtcp.ip(),
            Learned::Locked(address) => address.ip(),
        };
        if !self.agreed || from.ip() != host {
            return;
        }
        let len = match &mut self.srtp {
            Some(srtp) => match srtp.inbound.unprotect_rtcp(datagram) {
                Ok(len) => len,
                Err(_) => return,
            },
            None => datagram.len(),
        };
        let opened = datagram.get_mut(..len).unwrap_or_default();
        if let Some(shim) = &self.shim {
            shim.rewrite_inbound_rtcp(opened);
        }
        if self.session.receive_rtcp(now, opened).is_ok() {
            self.last_heard = Some(now);
            self.learned_rtcp = Some(from);
        }
    }

    /// Checks and opens a datagram of the peer's where media are encrypted; none if it is not the peer's.
    pub(crate) fn open_rtp<'d>(&mut self, datagram: &'d mut [u8]) -> Option<&'d [u8]> {
        match &mut self.srtp {
            Some(srtp) => {
                let len = srtp.inbound.unprotect_rtp(datagram).ok()?;
                datagram.get(..len)
            }
            None => Some(datagram),
        }
    }

    /// Sends the RTP packet in the first `len` bytes of `out`.
    pub(crate) fn send_rtp(&mut self, out: &mut [u8; MAX_PACKET], len: usize, to: SocketAddr) {
        self.send_relayed(out, len, to, false);
    }

    /// As [`LegMedia::send_rtp`]; `passes`: its payload is in the peer's codec already.
    pub(crate) fn send_relayed(
        &mut self,
        out: &mut [u8; MAX_PACKET],
        len: usize,
        to: SocketAddr,
        passes: bool,
    ) {
        if let Some(device) = &mut self.device {
            let (socket, capture, streams) = (&self.rtp, &self.capture, &mut self.streams);
            device.send_rtp(out, len, passes, |to, packet| {
                carry(socket, streams, packet, to);
                if let (Some(capture), Carrier::Socket(to)) = (capture, to) {
                    capture.sent(to, packet);
                }
            });
            return;
        }
        let Some(mut shim) = self.shim.take() else {
            return self.put_rtp(out, len, to);
        };
        let packet = out.get(..len).unwrap_or_default();
        shim.outbound(packet, passes, |out, len| self.put_rtp(out, len, to));
        self.shim = Some(shim);
    }

    fn put_rtp(&mut self, out: &mut [u8; MAX_PACKET], len: usize, to: SocketAddr) {
        let len = match &mut self.srtp {
            Some(srtp) => srtp.out.protect_rtp(out, len).ok(),
            None => Some(len),
        };
        if let Some(packet) = len.and_then(|len| out.get(..len)) {
            send(&self.rtp, packet, to);
            // As it is on the wire: what is encrypted stays so in a capture.
            if let Some(capture) = &self.capture {
                capture.sent(to, packet);
            }
        }
    }

    fn send_rtcp(&mut self, out: &mut [u8; MAX_PACKET], len: usize, to: SocketAddr) {
        if let Some(device) = &mut self.device {
            // Both go one way (RFC 5761).
            let (socket, streams) = (&self.rtp, &mut self.streams);
            device.send_rtcp(out, len, |to, packet| carry(socket, streams, packet, to));
            return;
        }
        if let Some(shim) = &self.shim {
            shim.rewrite_outbound_rtcp(out.get_mut(..len).unwrap_or_default());
        }
        let len = match &mut self.srtp {
            Some(srtp) => srtp.out.protect_rtcp(out, len).ok(),
            None => Some(len),
        };
        if let Some(packet) = len.and_then(|len| out.get(..len)) {
            send(&self.rtcp, packet, to);
        }
    }

    /// The crypto suite, where media are encrypted.
    pub(crate) fn srtp_suite(&self) -> Option<&'static str> {
        self.srtp.as_deref().map(LegSrtp::suite)
    }

    /// Takes up what runs on the audio of a leg whose place it takes: prompts, recordings, listeners, a meeting.
    pub(crate) fn succeed(&mut self, old: &mut Self) {
        self.playing = old.playing.take();
        self.tones = old.tones.take();
        self.focus = old.focus.take();
        self.seat = old.seat.take();
        self.recording = old.recording.take();
        self.call_recording = old.call_recording.take();
        self.traced_digits = old.traced_digits;
        self.open = true;
    }

    /// Whether packets of the bridged leg go out, or something is played over them.
    pub(crate) fn takes_bridge(&self) -> bool {
        self.playing.is_none() && self.pressed.is_empty() && self.agreed && !self.holding
    }

    /// Whether somebody wants the leg's digits: those in the audio count when the peer has agreed on no telephone events.
    pub(crate) fn want_digits(&mut self, on: bool) {
        self.tones = on.then(Box::default);
    }

    /// Whether the peer has agreed on no telephone events.
    pub(crate) fn has_digits_in_audio(&self) -> bool {
        self.agreed && self.session.format().events.is_none()
    }

    /// A digit of the bridged leg, which reached us as a telephone event: its tones for a peer that takes none.
    pub(crate) fn press(&mut self, digit: char, duration_ms: u32) {
        if self.pressed.len() < MAX_PRESSED {
            let mut tones = audible(&digit.to_string(), duration_ms);
            if self.foreign().is_some() && self.pressed.is_empty() {
                tones.splice(..0, [0; CALMING]);
            }
            self.pressed
                .push_back(Player::new(EncodedPrompt::from_pcm(&tones)));
        }
    }

    /// VoiceFocus, on or off.
    pub(crate) fn set_focus(&mut self, on: bool) {
        if !on {
            self.focus = None;
        } else if self.focus.is_none() {
            self.focus = Some(Box::default());
        }
    }

    /// Hears what the peer said in this tick, into `heard`, without its noise while VoiceFocus is on. Gives a digit that
    /// was in it.
    pub(crate) fn hear(&mut self) -> Option<Digit> {
        if !self.session.is_listening() {
            return None;
        }
        self.session.hear(&mut self.heard);
        let in_audio = self.has_digits_in_audio();
        let digit = self
            .tones
            .as_mut()
            .filter(|_| in_audio)
            .and_then(|tones| tones.push(&self.heard));
        if let Some(focus) = &mut self.focus {
            focus.clean(&mut self.heard);
        }
        digit
    }

    /// Begins to send digits as telephone events. False when too many wait already.
    pub(crate) fn send_digits(&mut self, play: PlayId, digits: &str, tone_ms: u32) -> bool {
        let queued = digits.chars().all(|character| {
            let queued = match Digit::from_char(character) {
                Some(digit) => self.session.send_digit(digit, tone_ms),
                None => self.session.send_pause(COMMA_MS),
            };
            queued.is_ok()
        });
        if queued {
            self.sending = Some(play);
        } else {
            self.session.cancel_digits();
        }
        queued
    }

    /// Stops a playback, or the sending of digits.
    pub(crate) fn stop(&mut self, play: PlayId) {
        if self
            .playing
            .as_ref()
            .is_some_and(|playing| playing.play == play)
        {
            self.playing = None;
        }
        if self.sending == Some(play) {
            self.sending = None;
            self.session.cancel_digits();
        }
    }

    /// Listens exactly while a recording, VoiceFocus or somebody who wants digits needs what the peer says.
    pub(crate) fn settle_listening(&mut self, wanted_by_other: bool) {
        let wanted = wanted_by_other
            || self.focus.is_some()
            || self.seat.is_some()
            || self.utterance.is_some()
            || (self.tones.is_some() && self.has_digits_in_audio())
            || self.recording.is_some()
            || self
                .call_recording
                .as_ref()
                .is_some_and(Tap::wants_incoming);
        if wanted != self.session.is_listening() {
            self.session.listen(wanted);
        }
    }

    /// Whether it plays something, and has sent nothing before.
    pub(crate) fn begins_to_speak(&self) -> bool {
        self.playing.is_some() && self.session.figures().packets_sent == 0
    }

    /// Goes on by 20 ms: sends the packet that is due. Returns what it was, and whether the playing ended. `cleaned` is
    /// what the bridged leg says, when its packets are not relayed because its noise is suppressed.
    pub(crate) fn tick(
        &mut self,
        now: Instant,
        cleaned: Option<&Frame>,
        out: &mut [u8; MAX_PACKET],
    ) -> (SentFrame, Option<PlayId>) {
        let codec = self.session.format().codec;
        let destination = self.destination();
        let sends = destination.is_some();
        let mut ended = None;
        let mut kind = SentFrame::Silence;
        let len = match self
            .playing
            .as_mut()
            .map(|playing| (playing.play, playing.player.step()))
        {
            Some((_, Step::Frame(frame))) => {
                kind = SentFrame::Prompt;
                self.sent = *frame.pcm();
                self.session
                    .tick(now, unless_held(sends, encoded(&frame, codec)), out)
            }
            Some((_, Step::Silence)) => {
                self.session
                    .tick(now, unless_held(sends, Outgoing::Silence), out)
            }
            Some((play, Step::Done)) => {
                ended = Some(play);
                self.playing = None;
                self.session
                    .tick(now, unless_held(sends, Outgoing::Silence), out)
            }
            None if let Some(player) = self.pressed.front_mut() => {
                let outgoing = match player.step() {
                    Step::Frame(frame) => {
                        kind = SentFrame::Prompt;
                        self.sent = *frame.pcm();
                        encoded(&frame, codec)
                    }
                    Step::Silence | Step::Done => Outgoing::Silence,
                };
                let len = self.session.tick(now, unless_held(sends, outgoing), out);
                if player.is_done() {
                    self.pressed.pop_front();
                }
                len
            }
            None if let Some(seat) = &self.seat => {
                self.sent = seat.hear();
                kind = SentFrame::Prompt;
                self.session.tick(now, Outgoing::Pcm(&self.sent), out)
            }
            None if self.bridged.is_some() => {
                kind = SentFrame::Bridged;
                let heard = cleaned.filter(|_| !self.holding);
                let outgoing = heard.map_or(Outgoing::Nothing, Outgoing::Pcm);
                self.session.tick(now, outgoing, out)
            }
            None => {
                let heard = !self.unacknowledged || self.last_heard().is_some();
                self.session
                    .tick(now, unless_held(sends && heard, Outgoing::Silence), out)
            }
        };
        if let Some(play) = self.sending
            && !self.session.is_sending_digits()
        {
            self.sending = None;
            ended = Some(play);
        }
        let mut due = len;
        while let Some(len) = due {
            if let Some(to) = destination {
                self.send_rtp(out, len, to);
            }
            due = self.session.poll_audio(out);
        }
        if let Some(to) = self.rtcp_destination()
            && let Some(len) = self.session.poll_rtcp(now, out)
        {
            self.send_rtcp(out, len, to);
        }
        (kind, ended)
    }

    /// Sends a last report: the leg ends.
    pub(crate) fn goodbye(&mut self, now: Instant) {
        let mut out = [0; 2_048];
        if let Some(video) = self.video.as_mut().filter(|video| video.is_agreed())
            && let Some(len) = video.session.goodbye(now, &mut out)
        {
            self.send_video_rtcp(&mut out, len);
        }
        let mut out = [0; MAX_PACKET];
        if let Some(to) = self.rtcp_destination()
            && let Some(len) = self.session.goodbye(now, &mut out)
        {
            self.send_rtcp(&mut out, len, to);
        }
    }

    /// Its sockets, as the pair that goes back to the pool.
    pub(crate) fn into_ports(self) -> PortPair {
        use std::os::fd::OwnedFd;
        PortPair {
            rtp: OwnedFd::from(self.rtp).into(),
            rtcp: OwnedFd::from(self.rtcp).into(),
            port: self.port,
        }
    }
}

/// What stands between a peer that speaks this and the media session.
fn follow_wire(
    shim: Option<Box<Shim>>,
    wire: Option<Wire>,
) -> Result<Option<Box<Shim>>, TranscodeError> {
    let Some(wire) = wire else {
        return Ok(None);
    };
    match shim {
        Some(shim) if shim.fits(&wire) => Ok(Some(shim)),
        _ => Ok(Shim::between(wire)?.map(Box::new)),
    }
}

/// What is not sent takes no number, or the peer would count it as lost when its hold ends.
fn unless_held(sends: bool, outgoing: Outgoing<'_>) -> Outgoing<'_> {
    if sends { outgoing } else { Outgoing::Nothing }
}

fn encoded<'a>(frame: &skillcall_media::player::PromptFrame<'a>, codec: Codec) -> Outgoing<'a> {
    Outgoing::Encoded(frame.encoded(codec))
}

/// Sends to an address, or by a connection.
fn carry(socket: &UdpSocket, streams: &mut Streams, packet: &[u8], to: Carrier) {
    match to {
        Carrier::Socket(to) => send(socket, packet, to),
        Carrier::Stream(number) => streams.send(number, packet),
    }
}

/// A packet that cannot be sent is lost, as packets are.
pub(super) fn send(socket: &UdpSocket, packet: &[u8], to: SocketAddr) {
    if let Err(error) = socket.send_to(packet, to)
        && error.kind() != io::ErrorKind::WouldBlock
        && error.kind() != io::ErrorKind::ConnectionRefused
    {
        tracing::trace!(%to, %error, "RTP send");
    }
}
