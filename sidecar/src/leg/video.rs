//! A leg's video: undecoded packets, on ports of its own beside a phone's voice, and on the voice's way with a device.

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mio::net::UdpSocket;
use skillcall_media::rtcp::NtpTime;
use skillcall_media::rtp::{PayloadType, RtpPacket};
use skillcall_media::video::{KeyFrame, MAX_VIDEO_PACKET, VideoSession};
use skillcall_sip::sdp;
use skillcall_video::Format;
use skillcall_webrtc::Video;

use super::MediaCapture;
use super::media::{Learned, send};
use super::srtp::LegSrtp;
use crate::figures::Held;
use crate::ports::PortPair;

/// Between two INFOs: each is a transaction of SIP.
const INFO_APART: Duration = Duration::from_secs(1);

/// Room for a packet, and for what SRTP adds.
pub(crate) type VideoPacket = [u8; 2_048];

const _: () = assert!(MAX_VIDEO_PACKET + skillcall_media::srtp::OVERHEAD <= 2_048);

/// A phone's way.
#[derive(Debug)]
pub(crate) struct VideoPorts {
    pub(crate) rtp: UdpSocket,
    pub(crate) rtcp: UdpSocket,
    pub(crate) port: u16,
    /// Where its RTP is captured.
    pub(crate) capture: Option<MediaCapture>,
    place: sdp::VideoPlace,
    srtp: Option<Box<LegSrtp>>,
    announced: SocketAddr,
    announced_rtcp: SocketAddr,
    learned: Learned,
    learned_rtcp: Option<SocketAddr>,
    follows: Option<sdp::NegotiatedVideo>,
    _held: [Held; 2],
}

impl VideoPorts {
    /// On freshly bound ports, whose keys are `srtp`'s.
    pub(crate) fn new(pair: PortPair, srtp: sdp::Srtp, held: [Held; 2]) -> Self {
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        Self {
            rtp: UdpSocket::from_std(pair.rtp),
            rtcp: UdpSocket::from_std(pair.rtcp),
            port: pair.port,
            capture: None,
            place: sdp::VideoPlace {
                port: pair.port,
                srtp,
            },
            srtp: None,
            announced: nowhere,
            announced_rtcp: nowhere,
            learned: Learned::Announced,
            learned_rtcp: None,
            follows: None,
            _held: held,
        }
    }

    /// Where we receive, for descriptions.
    pub(crate) const fn place(&self) -> &sdp::VideoPlace {
        &self.place
    }

    pub(crate) fn into_ports(self) -> PortPair {
        use std::os::fd::OwnedFd;
        PortPair {
            rtp: OwnedFd::from(self.rtp).into(),
            rtcp: OwnedFd::from(self.rtcp).into(),
            port: self.port,
        }
    }

    fn destination(&self) -> Option<SocketAddr> {
        let address = match self.learned {
            Learned::Announced => self.announced,
            Learned::Locked(address) => address,
        };
        (address.port() != 0 && !self.announced.ip().is_unspecified()).then_some(address)
    }

    fn rtcp_destination(&self) -> Option<SocketAddr> {
        let address = self.learned_rtcp.unwrap_or(self.announced_rtcp);
        (address.port() != 0 && !address.ip().is_unspecified()).then_some(address)
    }

    fn put(&mut self, out: &mut VideoPacket, len: usize) {
        let Some(to) = self.destination() else { return };
        let len = match &mut self.srtp {
            Some(srtp) => srtp.out.protect_rtp(out, len).ok(),
            None => Some(len),
        };
        if let Some(packet) = len.and_then(|len| out.get(..len)) {
            send(&self.rtp, packet, to);
            if let Some(capture) = &self.capture {
                capture.sent(to, packet);
            }
        }
    }

    fn put_rtcp(&mut self, out: &mut VideoPacket, len: usize) {
        let Some(to) = self.rtcp_destination() else {
            return;
        };
        let len = match &mut self.srtp {
            Some(srtp) => srtp.out.protect_rtcp(out, len).ok(),
            None => Some(len),
        };
        if let Some(packet) = len.and_then(|len| out.get(..len)) {
            send(&self.rtcp, packet, to);
        }
    }
}

/// How a peer is to be asked for a key frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asking {
    /// By RTCP, which is in the buffer and has this length.
    Rtcp(usize),
    /// By INFO (RFC 5168): its description speaks of no feedback.
    Info,
}

/// One format's numbers.
#[derive(Debug)]
struct Known {
    send: Option<PayloadType>,
    receive: Option<PayloadType>,
    format: Format,
}

/// A leg's video.
pub(crate) struct LegVideo {
    pub(crate) session: VideoSession,
    /// A phone's ports; a device's leg has none.
    pub(crate) ports: Option<VideoPorts>,
    formats: Vec<Known>,
    we_send: bool,
    we_receive: bool,
    how: Option<KeyFrame>,
    /// When it was asked by INFO last.
    informed: Option<Instant>,
}

impl LegVideo {
    /// Video of a leg, before anything is agreed on. `cname` is its voice's.
    pub(crate) fn new(ssrc: u32, cname: &str, ports: Option<VideoPorts>) -> Self {
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let (seed, ntp) = (rand::random(), NtpTime::from_unix(since_1970));
        Self {
            session: VideoSession::new(ssrc, cname.to_owned(), seed, ntp, Instant::now()),
            ports,
            formats: Vec::new(),
            we_send: false,
            we_receive: false,
            how: None,
            informed: None,
        }
    }

    /// Follows what was agreed on with a phone; none: there is no video.
    pub(crate) fn agree(&mut self, agreed: Option<&sdp::NegotiatedVideo>) {
        let (Some(agreed), Some(ports)) = (agreed, &mut self.ports) else {
            return self.stop();
        };
        if ports.follows.as_ref() != Some(agreed) {
            match LegSrtp::follow(ports.srtp.take(), agreed.srtp.as_ref()) {
                Ok(srtp) => ports.srtp = srtp,
                Err(error) => {
                    // Never in the clear what was to be encrypted.
                    tracing::error!(%error, "SRTP keys of video");
                    return self.stop();
                }
            }
            ports.announced = agreed.remote;
            ports.announced_rtcp = agreed.rtcp;
            ports.learned = Learned::Announced;
            ports.learned_rtcp = None;
            ports.follows = Some(agreed.clone());
        }
        let known = agreed.formats.iter().map(|it| Known {
            send: PayloadType::new(it.send_payload),
            receive: PayloadType::new(it.receive_payload),
            format: it.format.clone(),
        });
        self.formats = known.collect();
        self.turn(agreed.direction.sends(), agreed.direction.receives());
        self.how = match (agreed.picture_loss, agreed.full_intra) {
            (true, _) => Some(KeyFrame::PictureLoss),
            (false, true) => Some(KeyFrame::FullIntra),
            (false, false) => None,
        };
    }

    /// Follows what was agreed on with a device; none: there is no video.
    pub(crate) fn follow(&mut self, agreed: Option<&Video>) {
        let Some(agreed) = agreed else {
            return self.stop();
        };
        let known = agreed.formats.iter().map(|it| Known {
            send: Some(it.send),
            receive: Some(it.receive),
            format: it.format.clone(),
        });
        self.formats = known.collect();
        self.turn(agreed.direction.sends(), agreed.direction.receives());
        // All of them understand PLI (RFC 8834 §5.1.2).
        self.how = Some(match (agreed.picture_loss, agreed.full_intra) {
            (false, true) => KeyFrame::FullIntra,
            _ => KeyFrame::PictureLoss,
        });
    }

    fn turn(&mut self, sends: bool, receives: bool) {
        if !sends {
            self.session.pause();
        }
        (self.we_send, self.we_receive) = (sends, receives);
    }

    fn stop(&mut self) {
        self.formats.clear();
        self.turn(false, false);
        if let Some(ports) = &mut self.ports {
            ports.follows = None;
        }
    }

    /// Whether video is agreed on, whoever sends.
    pub(crate) fn is_agreed(&self) -> bool {
        !self.formats.is_empty()
    }

    /// Takes an opened packet of the peer's: what it is, and of which format. None: it is not to be passed on.
    pub(crate) fn receive<'p>(
        &mut self,
        now: Instant,
        packet: &'p [u8],
    ) -> Option<(RtpPacket<'p>, &Format)> {
        if !self.we_receive {
            return None;
        }
        let formats = &self.formats;
        let of = |number| {
            let mut known = formats.iter();
            known.find(|known| known.receive == Some(number))
        };
        let types = |number| of(number).is_some();
        let received = self.session.receive_rtp(now, packet, types)?;
        let known = of(received.header().payload_type)?;
        Some((received, &known.format))
    }

    /// Checks and opens a datagram of a phone's; none if it is not the phone's.
    pub(crate) fn open_rtp<'d>(
        &mut self,
        from: SocketAddr,
        datagram: &'d mut [u8],
    ) -> Option<&'d [u8]> {
        let may = self.we_receive;
        let ports = self.ports.as_mut().filter(|_| may)?;
        if matches!(ports.learned, Learned::Locked(address) if address != from) {
            return None;
        }
        match &mut ports.srtp {
            Some(srtp) => {
                let len = srtp.inbound.unprotect_rtp(datagram).ok()?;
                datagram.get(..len)
            }
            None => Some(datagram),
        }
    }

    /// Notes that a packet that came from this address was the phone's.
    pub(crate) fn learn(&mut self, from: SocketAddr) {
        if let Some(ports) = &mut self.ports
            && ports.learned == Learned::Announced
        {
            ports.learned = Learned::Locked(from);
        }
    }

    /// Takes RTCP of a phone's, from the host that its RTP comes from. True: it asks for a key frame.
    pub(crate) fn receive_rtcp(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &mut [u8],
    ) -> bool {
        let agreed = self.is_agreed();
        let Some(ports) = self.ports.as_mut().filter(|_| agreed) else {
            return false;
        };
        let host = match ports.learned {
            Learned::Announced => ports.announced_rtcp.ip(),
            Learned::Locked(address) => address.ip(),
        };
        if from.ip() != host {
            return false;
        }
        let len = match &mut ports.srtp {
            Some(srtp) => match srtp.inbound.unprotect_rtcp(datagram) {
                Ok(len) => len,
                Err(_) => return false,
            },
            None => datagram.len(),
        };
        let Some(report) = datagram.get(..len) else {
            return false;
        };
        ports.learned_rtcp = Some(from);
        self.session.receive_rtcp(now, report)
    }

    /// Under which payload type the peer takes a format; none: it takes nothing, or not this.
    pub(crate) fn number_of(&self, format: &Format) -> Option<PayloadType> {
        let fitting = |alike: fn(&Format, &Format) -> bool| {
            let mut known = self.formats.iter();
            known.find(|known| alike(&known.format, format))
        };
        let known = fitting(Format::is_same).or_else(|| fitting(Format::fits));
        known.filter(|_| self.we_send)?.send
    }

    /// A request for a key frame, in `out` if it goes by RTCP; none: one was just made, or there is nobody to ask.
    pub(crate) fn ask(&mut self, now: Instant, out: &mut VideoPacket) -> Option<Asking> {
        if !self.we_receive || !self.session.may_ask(now) {
            return None;
        }
        match self.how {
            Some(how) => self.session.ask(now, how, out).map(Asking::Rtcp),
            None => {
                let waits = self
                    .informed
                    .is_some_and(|at| now.saturating_duration_since(at) < INFO_APART);
                (!waits).then(|| {
                    self.informed = Some(now);
                    Asking::Info
                })
            }
        }
    }

    /// Sends a packet of a phone's leg.
    pub(crate) fn put(&mut self, out: &mut VideoPacket, len: usize) {
        if let Some(ports) = &mut self.ports {
            ports.put(out, len);
        }
    }

    /// The same for RTCP.
    pub(crate) fn put_rtcp(&mut self, out: &mut VideoPacket, len: usize) {
        if let Some(ports) = &mut self.ports {
            ports.put_rtcp(out, len);
        }
    }
}
