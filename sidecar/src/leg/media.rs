//! A leg's audio: its sockets, its session, what it plays and where it sends.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use mio::net::UdpSocket;
use skillcall_media::codec::Codec;
use skillcall_media::player::{Player, Step};
use skillcall_media::rtp::MAX_PACKET;
use skillcall_media::session::{AudioSession, Outgoing};
use skillcall_media::{Frame, SILENT_FRAME};

use super::negotiation::Agreed;
use crate::engine::{PlayId, RecordingId};
use crate::figures::Held;
use crate::ports::PortPair;
use crate::recording::Tap;

/// Where a leg's packets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Learned {
    /// Where the peer's SDP says; the first valid packet from elsewhere is followed, because many
    /// peers sit behind address translation.
    Announced,
    /// Where valid packets came from. Others are not listened to until the next offer and answer.
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
    /// A prompt's frame, in `sent`.
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
    /// Counters, jitter buffer, digits, packets.
    pub(crate) session: AudioSession,
    /// Whether offer and answer are complete: before, nothing is sent.
    pub(crate) agreed: bool,
    /// Whether the peer may hear something: from the answer on, or from early media on.
    pub(crate) open: bool,
    announced: SocketAddr,
    announced_rtcp: SocketAddr,
    learned: Learned,
    learned_rtcp: Option<SocketAddr>,
    we_send: bool,
    we_receive: bool,
    /// What is played.
    pub(crate) playing: Option<Playing>,
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
            session,
            agreed: false,
            open: false,
            announced: nowhere,
            announced_rtcp: nowhere,
            learned: Learned::Announced,
            learned_rtcp: None,
            we_send: false,
            we_receive: false,
            playing: None,
            bridged: None,
            recording: None,
            call_recording: None,
            heard: SILENT_FRAME,
            sent: SILENT_FRAME,
            _held: held,
        }
    }

    /// Follows an offer and answer. The next valid packet decides where ours go (see [`Learned`]).
    pub(crate) fn agree(&mut self, agreed: &Agreed) {
        self.session.set_format(agreed.format);
        self.announced = agreed.remote;
        self.announced_rtcp = agreed.remote_rtcp;
        self.learned = Learned::Announced;
        self.learned_rtcp = None;
        self.we_send = agreed.we_send;
        self.we_receive = agreed.we_receive;
        self.agreed = true;
    }

    /// Where RTP goes; none while the peer takes nothing (hold, or an address of zeros: RFC 3264 §5.1, §8.4).
    pub(crate) fn destination(&self) -> Option<SocketAddr> {
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
                Learned::Locked(address) => address == from,
            }
    }

    /// Notes that a valid packet came from this address.
    pub(crate) fn learn(&mut self, from: SocketAddr) {
        if self.learned == Learned::Announced {
            self.learned = Learned::Locked(from);
        }
    }

    /// Takes an RTCP datagram from the host that RTP comes from.
    pub(crate) fn receive_rtcp(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let host = match self.learned {
            Learned::Announced => self.announced_rtcp.ip(),
            Learned::Locked(address) => address.ip(),
        };
        if self.agreed && from.ip() == host && self.session.receive_rtcp(now, datagram).is_ok() {
            self.learned_rtcp = Some(from);
        }
    }

    /// Whether packets of the bridged leg go out, or something is played over them.
    pub(crate) fn takes_bridge(&self) -> bool {
        self.playing.is_none() && self.agreed
    }

    /// Listens exactly while a recording needs what the peer says.
    pub(crate) fn settle_listening(&mut self, wanted_by_other: bool) {
        let wanted = wanted_by_other
            || self.recording.is_some()
            || self
                .call_recording
                .as_ref()
                .is_some_and(Tap::wants_incoming);
        if wanted != self.session.is_listening() {
            self.session.listen(wanted);
        }
    }

    /// Goes on by 20 ms: sends the packet that is due. Returns what it was, and whether the playing ended.
    pub(crate) fn tick(
        &mut self,
        now: Instant,
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
            None if self.bridged.is_some() => {
                kind = SentFrame::Bridged;
                self.session.tick(now, Outgoing::Nothing, out)
            }
            None => self
                .session
                .tick(now, unless_held(sends, Outgoing::Silence), out),
        };
        if let (Some(len), Some(to)) = (len, destination) {
            send(&self.rtp, out.get(..len).unwrap_or_default(), to);
        }
        if let Some(to) = self.rtcp_destination()
            && let Some(len) = self.session.poll_rtcp(now, out)
        {
            send(&self.rtcp, out.get(..len).unwrap_or_default(), to);
        }
        (kind, ended)
    }

    /// Sends a last report: the leg ends.
    pub(crate) fn goodbye(&mut self, now: Instant) {
        let mut out = [0; MAX_PACKET];
        if let Some(to) = self.rtcp_destination()
            && let Some(len) = self.session.goodbye(now, &mut out)
        {
            send(&self.rtcp, out.get(..len).unwrap_or_default(), to);
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

/// What is not sent takes no number, or the peer would count it as lost when its hold ends.
fn unless_held(sends: bool, outgoing: Outgoing<'_>) -> Outgoing<'_> {
    if sends { outgoing } else { Outgoing::Nothing }
}

fn encoded<'a>(frame: &skillcall_media::player::PromptFrame<'a>, codec: Codec) -> Outgoing<'a> {
    Outgoing::Encoded(frame.encoded(codec))
}

/// A packet that cannot be sent is lost, as packets are.
pub(crate) fn send(socket: &UdpSocket, packet: &[u8], to: SocketAddr) {
    if let Err(error) = socket.send_to(packet, to)
        && error.kind() != io::ErrorKind::WouldBlock
        && error.kind() != io::ErrorKind::ConnectionRefused
    {
        tracing::trace!(%to, %error, "RTP send");
    }
}
