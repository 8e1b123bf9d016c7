//! A leg's audio: its sockets, its session, what it plays and where it sends.

mod hearing;
mod remote;
mod saying;
mod sending;
mod video;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use mio::net::UdpSocket;
use skillcall_media::dtmf::ToneDetector;
use skillcall_media::encoding::Encoding;
use skillcall_media::player::Player;
use skillcall_media::session::AudioSession;
use skillcall_media::transcode::{TranscodeError, Transcoder};
use skillcall_media::utterance::UtteranceDetector;
use skillcall_media::voice_focus::NoiseSuppressor;
use skillcall_media::{Frame, SILENT_FRAME};

use super::device::DeviceMedia;
use super::negotiation::Agreed;
use super::shim::{Shim, Wire};
use super::srtp::LegSrtp;
use super::streams::Streams;
use super::video::LegVideo;
use crate::engine::{PlayId, RecordingId};
use crate::figures::Held;
use crate::meetings::Seat;
use crate::ports::PortPair;
use crate::recording::Tap;
pub(super) use sending::send;

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
