//! One leg's video that passes through undecoded: datagrams and times in, packets and reports out; no socket, no clock.
//!
//! Two bridged legs hand each other's packets over: [`VideoSession::receive_rtp`] on the one, [`VideoSession::relay`] on the other. There
//! is no buffer: loss and order stay as they are, for the receiver to see. Numbers, timestamps and source are this leg's own, and go on
//! without a gap over holds and changes of who sends. Key frames are asked for by PLI and FIR ([`KeyFrame`]); nothing is sent again.

mod allowance;
mod numbers;
mod reception;
mod requests;

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use crate::{
    rtcp::{Compound, NtpTime, RtcpPacket, SenderInfo, write_compound},
    rtp::{PayloadType, RtpPacket},
    session::Random,
};

use allowance::Allowance;
use numbers::Numbers;
use reception::VideoReception;
use requests::Requests;

pub use requests::KeyFrame;

/// The clock of video in Hz (RFC 6184 §5.1).
pub const CLOCK: u32 = 90_000;
/// The largest datagram that is relayed: what two Ethernet frames' headers leave of a buffer of 2 KB. A sender's packets are not made
/// smaller, so one that fills its network's frame may be cut up behind us by what SRTP adds.
pub const MAX_VIDEO_PACKET: usize = 2_000;
/// Between reports, on average: video has the bandwidth for more than audio's (RFC 3550 §6.2: 360 over kbit/s).
const REPORTS: Duration = Duration::from_secs(1);

/// Counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VideoFigures {
    /// Packets that were taken.
    pub received: u64,
    /// Packets that were not: no RTP, received before, of another source, or more than [`VideoSession`] allows in a second.
    pub dropped: u64,
    /// Packets that were sent.
    pub sent: u64,
    /// Requests for a key frame that the peer made.
    pub asked: u64,
}

/// One leg's video.
#[derive(Clone, Debug)]
pub struct VideoSession {
    numbers: Numbers,
    reception: VideoReception,
    requests: Requests,
    allowance: Allowance,
    cname: String,
    ntp_at_start: NtpTime,
    start: Instant,
    due: Instant,
    random: Random,
    reported: u64,
    bytes: u64,
    figures: VideoFigures,
}

impl VideoSession {
    /// A session whose source is `ssrc`. `cname` is the audio's, so that both are played together (RFC 3550 §6.5.1), `seed` is random,
    /// and `ntp` the wall clock now.
    pub fn new(ssrc: u32, cname: String, seed: u64, ntp: NtpTime, now: Instant) -> Self {
        let mut random = Random::new(seed);
        Self {
            numbers: Numbers::new(ssrc, &mut random, now),
            reception: VideoReception::new(now),
            requests: Requests::default(),
            allowance: Allowance::new(now),
            cname,
            ntp_at_start: ntp,
            start: now,
            due: now + REPORTS / 2,
            random,
            reported: 0,
            bytes: 0,
            figures: VideoFigures::default(),
        }
    }

    /// Our source.
    pub const fn ssrc(&self) -> u32 {
        self.numbers.ssrc()
    }

    /// The peer's source, once it has sent.
    pub fn remote_ssrc(&self) -> Option<u32> {
        self.reception.ssrc()
    }

    /// What was counted.
    pub const fn figures(&self) -> VideoFigures {
        self.figures
    }

    /// Takes a packet of the peer's, whose payload types are `types`; none: it is not to be relayed.
    pub fn receive_rtp<'a>(
        &mut self,
        now: Instant,
        datagram: &'a [u8],
        types: impl Fn(PayloadType) -> bool,
    ) -> Option<RtpPacket<'a>> {
        let packet = RtpPacket::parse(datagram)
            .ok()
            .filter(|packet| types(packet.header().payload_type))
            .filter(|_| self.allowance.take(now))
            .filter(|packet| self.reception.take(now, packet.header()));
        match packet {
            Some(_) => self.figures.received += 1,
            None => self.figures.dropped += 1,
        }
        packet
    }

    /// Writes a packet that another leg has received as one of this leg into `out`, and returns its length. True beside it: its receiver
    /// has seen nothing of this source yet, or not for a while, and needs a key frame. None: it is older than where this source began,
    /// or too long.
    pub fn relay(
        &mut self,
        now: Instant,
        packet: &RtpPacket<'_>,
        payload_type: PayloadType,
        out: &mut [u8],
    ) -> Option<(usize, bool)> {
        let payload = packet.payload();
        let (mut header, begins) = self.numbers.next(now, packet.header())?;
        header.payload_type = payload_type;
        let len = header.write(payload, out)?;
        self.figures.sent += 1;
        self.bytes += payload.len() as u64;
        Some((len, begins))
    }

    /// Nothing is relayed for a while: the next packet follows the last one without a gap.
    pub const fn pause(&mut self) {
        self.numbers.pause();
    }

    /// Takes RTCP of the peer's. True: it asks for a key frame.
    pub fn receive_rtcp(&mut self, now: Instant, datagram: &[u8]) -> bool {
        let mut asks = false;
        // What comes before a fault is used.
        for packet in Compound::new(datagram).map_while(Result::ok) {
            match packet {
                RtcpPacket::Report {
                    ssrc,
                    sender: Some(sender),
                    ..
                } => self.reception.take_report(now, ssrc, sender.ntp),
                RtcpPacket::Feedback {
                    format,
                    media,
                    information,
                } => asks |= self.requests.read(self.ssrc(), format, media, information),
                _ => {}
            }
        }
        if asks {
            self.figures.asked += 1;
        }
        asks
    }

    /// Whether the peer may be asked for a key frame now: requests that follow each other closely are one.
    pub fn may_ask(&mut self, now: Instant) -> bool {
        self.requests.take_turn(now)
    }

    /// Writes a report with a request for a key frame into `out`, and returns its length. None: the peer has sent nothing yet.
    pub fn ask(&mut self, now: Instant, how: KeyFrame, out: &mut [u8]) -> Option<usize> {
        let media = self.remote_ssrc()?;
        let len = self.write_report(now, out, false)?;
        let more = self
            .requests
            .write(how, self.ssrc(), media, out.get_mut(len..)?)?;
        Some(len + more)
    }

    /// Writes the report that is due into `out` and returns its length; none: none is, or nothing was ever sent or received.
    pub fn poll_rtcp(&mut self, now: Instant, out: &mut [u8]) -> Option<usize> {
        if now < self.due || (self.figures.sent == 0 && self.figures.received == 0) {
            return None;
        }
        self.write_report(now, out, false)
    }

    /// Writes a last report, with a goodbye.
    pub fn goodbye(&mut self, now: Instant, out: &mut [u8]) -> Option<usize> {
        (self.figures.sent > 0)
            .then(|| self.write_report(now, out, true))
            .flatten()
    }

    fn write_report(&mut self, now: Instant, out: &mut [u8], leaving: bool) -> Option<usize> {
        self.due = now + REPORTS.mul_f64(0.5 + self.random.unit());
        let sends = self.figures.sent > self.reported;
        self.reported = self.figures.sent;
        let ntp = self
            .ntp_at_start
            .plus(now.saturating_duration_since(self.start));
        let rtp = self.numbers.timestamp(now).filter(|_| sends);
        let sender = rtp.map(|rtp| SenderInfo {
            ntp,
            rtp: rtp.0,
            packets: self.figures.sent as u32,
            bytes: self.bytes as u32,
        });
        let block = self.reception.block(now);
        let ssrc = self.ssrc();
        write_compound(out, ssrc, sender, block.as_slice(), &self.cname, leaving)
    }
}
