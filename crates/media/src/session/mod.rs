//! One leg's RTP and RTCP, whole: datagrams and times in, packets, digits and frames out; no socket, no clock.
//!
//! The owner passes every datagram of the peer to [`AudioSession::receive_rtp`] or [`AudioSession::receive_rtcp`]
//! (whether the peer may send from that address is the owner's to judge), and every 20 ms calls
//! [`AudioSession::tick`] with what is to be heard by the peer. While somebody needs what the peer says (a recorder,
//! a detector), the owner switches [`AudioSession::listen`] on and calls [`AudioSession::hear`] once a tick; else no
//! packet is decoded. Two bridged legs hand each other's packets to [`AudioSession::relay`], and still tick (with
//! [`Outgoing::Nothing`]).
//!
//! Sequence numbers and timestamps stay continuous over every switch between prompt, silence, digits and relay.

mod control;
mod digits;
mod incoming;
mod outgoing;
mod packets;
mod relay;

#[cfg(test)]
mod tests;

use std::time::Instant;

use thiserror::Error;

use crate::{
    Frame,
    codec::Codec,
    dtmf::{Digit, DigitReport, DtmfReceiver, DtmfSender, ReceivedDigit, TooManyDigits},
    jitter::JitterConfig,
    quality::Figures,
    rtcp::NtpTime,
    rtp::{PayloadType, RtpError, RtpPacket, Sequence, Timestamp},
};

use control::Control;
use digits::SentDigits;
use incoming::Incoming;
use outgoing::Clock;
use packets::Pending;
use relay::Anchor;

pub use packets::PacketTime;

/// How a leg speaks: what offer and answer agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Codec that we send.
    pub codec: Codec,
    /// The payload type that it has for the peer: ours when we send. Each side names the numbers that it wants to
    /// receive (RFC 3264 §5.1, §6.1), so those of the two directions may differ.
    pub payload_type: PayloadType,
    /// The payload type that it has for us: the peer's when it sends.
    pub receive_payload_type: PayloadType,
    /// Payload type of the telephone events that we send; `None`: the peer takes none.
    pub events: Option<PayloadType>,
    /// Payload type of the telephone events that the peer sends; `None`: we take none.
    pub receive_events: Option<PayloadType>,
    /// Audio of a packet that we send. What the peer sends may have any, and what is relayed keeps what it came with.
    pub packet_time: PacketTime,
}

impl Format {
    /// A codec under its static payload type, with events under `events`, both ways; packets of 20 ms.
    pub const fn new(codec: Codec, events: Option<PayloadType>) -> Self {
        Self {
            codec,
            payload_type: codec.static_payload_type(),
            receive_payload_type: codec.static_payload_type(),
            events,
            receive_events: events,
            packet_time: PacketTime::from_ms(crate::FRAME_MS),
        }
    }
}

/// What a session is made of. Random values are passed in: this crate has no source of randomness.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// What was negotiated.
    pub format: Format,
    /// Our synchronisation source: random (RFC 3550 §8.1).
    pub ssrc: u32,
    /// Number of the first packet: random (RFC 3550 §5.1).
    pub first_sequence: Sequence,
    /// Timestamp at the start: random (RFC 3550 §5.1).
    pub first_timestamp: Timestamp,
    /// Canonical name in reports (RFC 3550 §6.5.1); it should not tell a user's name or an inner address (RFC 7022).
    pub cname: String,
    /// Wall clock at the start, for sender reports.
    pub ntp_at_start: NtpTime,
    /// Bounds of the jitter buffer.
    pub jitter: JitterConfig,
    /// When received digits are reported.
    pub digits: DigitReport,
}

impl SessionConfig {
    /// A configuration with the random values taken from `seed`, and defaults for the rest.
    pub fn new(format: Format, seed: u64) -> Self {
        let mut random = Random::new(seed);
        Self {
            format,
            ssrc: random.next() as u32,
            // The upper half could wrap before the peer has heard of us, which confuses SRTP's roll-over counter.
            first_sequence: Sequence(random.next() as u16 & 0x7fff),
            first_timestamp: Timestamp(random.next() as u32),
            cname: format!("{:016x}", random.next()),
            ntp_at_start: NtpTime::default(),
            jitter: JitterConfig::default(),
            digits: DigitReport::default(),
        }
    }
}

/// SplitMix64: spreads report times and seeds; nothing secret hangs on it.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in 0 to 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// What the peer shall hear in this tick.
#[derive(Clone, Copy, Debug)]
pub enum Outgoing<'a> {
    /// Nothing is sent; the next audio begins a talk-spurt.
    Nothing,
    /// Silence is sent: keeps open what closes without packets (NAT bindings, peers with a media time-out).
    Silence,
    /// 160 codes of the leg's codec: a prompt's frame.
    Encoded(&'a [u8]),
    /// A frame that is encoded here.
    Pcm(&'a Frame),
}

/// Why a datagram was not taken. All of these are counted in [`Figures::packets_rejected`], and harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Rejected {
    /// No RTP at all.
    #[error(transparent)]
    Malformed(#[from] RtpError),
    /// A payload type that was not agreed on.
    #[error("payload type {} was not agreed on", .0.number())]
    PayloadType(PayloadType),
    /// Another source than the current one; the second such packet in a row is taken.
    #[error("the packet is of another source, {ssrc:#010x}; it is followed when it goes on")]
    OtherSource {
        /// Its synchronisation source.
        ssrc: u32,
    },
    /// Received before.
    #[error("packet {} was received before", .0.0)]
    Duplicate(Sequence),
    /// A sequence number far off; the second such packet in a row is taken.
    #[error("sequence number {} is far off; the source is followed when it goes on from there", .0.0)]
    Jump(Sequence),
}

/// A packet that was taken, to be relayed if the leg is bridged.
#[derive(Clone, Copy, Debug)]
pub struct Received<'p> {
    pub(crate) packet: RtpPacket<'p>,
    /// What is inside.
    pub media: Media,
}

impl<'p> Received<'p> {
    /// The packet.
    pub const fn packet(&self) -> &RtpPacket<'p> {
        &self.packet
    }
}

/// What a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// Audio.
    Audio(Codec),
    /// A telephone event.
    Event,
    /// Comfort noise (RFC 3389): the peer is silent.
    ComfortNoise,
}

/// What a frame of [`AudioSession::hear`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The peer's audio.
    Audio,
    /// Made up in place of what was lost or late.
    Concealed,
    /// The peer is silent, or sends a digit; the frame is zeros.
    Silence,
}

/// A digit that went out as telephone events, to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentDigit {
    /// Which.
    pub digit: Digit,
    /// How long it sounded, as its final report says: of a digit beyond 8 seconds its last segment.
    pub duration_ms: u32,
}

/// Why a digit cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DigitError {
    /// The peer did not agree on telephone events.
    #[error("the peer takes no telephone events; send the digit as tones instead")]
    NoEvents,
    /// Too much waits already.
    #[error(transparent)]
    TooMany(#[from] TooManyDigits),
}

/// One leg.
#[derive(Clone, Debug)]
pub struct AudioSession {
    format: Format,
    ssrc: u32,
    clock: Clock,
    pending: Pending,
    anchor: Option<Anchor>,
    sender: DtmfSender,
    receiver: DtmfReceiver,
    sent_digits: SentDigits,
    incoming: Incoming,
    control: Control,
    packets_sent: u64,
    bytes_sent: u64,
    digits_sent: u64,
    digits_received: u64,
}

impl AudioSession {
    /// A leg that begins at `now`.
    pub fn new(config: SessionConfig, now: Instant) -> Self {
        let random =
            Random::new(u64::from(config.ssrc) << 32 | u64::from(config.first_timestamp.0));
        Self {
            format: config.format,
            ssrc: config.ssrc,
            clock: Clock::new(config.first_sequence, config.first_timestamp, now),
            pending: Pending::new(),
            anchor: None,
            sender: DtmfSender::new(),
            receiver: DtmfReceiver::new(config.digits),
            sent_digits: SentDigits::default(),
            incoming: Incoming::new(config.jitter),
            control: Control::new(config.cname, config.ntp_at_start, now, random),
            packets_sent: 0,
            bytes_sent: 0,
            digits_sent: 0,
            digits_received: 0,
        }
    }

    /// Follows a new offer and answer; source, numbers and timestamps go on (RFC 3264 §8.3.1).
    pub fn set_format(&mut self, format: Format) {
        if self.format.events != format.events {
            self.sender.cancel();
        }
        // It may be of another codec, or meant for a peer that holds now.
        self.pending.clear();
        self.format = format;
    }

    /// What is spoken.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Our synchronisation source.
    pub const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The peer's synchronisation source, once it has sent.
    pub fn remote_ssrc(&self) -> Option<u32> {
        self.incoming.ssrc()
    }

    /// When the peer's last packet was taken: silence for long means a dead peer, or hold.
    pub fn last_received(&self) -> Option<Instant> {
        self.incoming.last_received()
    }

    /// The next digit that the peer has pressed; each press is reported once.
    pub fn poll_digit(&mut self) -> Option<ReceivedDigit> {
        let digit = self.receiver.poll()?;
        self.digits_received += 1;
        Some(digit)
    }

    /// The next digit that went out to its end: one of [`AudioSession::send_digit`], or one of the other leg that was
    /// relayed. Each is told once.
    pub fn poll_sent_digit(&mut self) -> Option<SentDigit> {
        self.sent_digits.poll()
    }

    /// Queues a digit of `duration_ms`; it takes the place of audio in the coming ticks.
    ///
    /// # Errors
    /// [`DigitError`] when the peer takes no events, or too many wait.
    pub fn send_digit(&mut self, digit: Digit, duration_ms: u32) -> Result<(), DigitError> {
        if self.format.events.is_none() {
            return Err(DigitError::NoEvents);
        }
        self.sender.queue_digit(digit, duration_ms)?;
        self.digits_sent += 1;
        Ok(())
    }

    /// Queues a pause between digits (SendDigits' comma is 500 ms, facts F6).
    ///
    /// # Errors
    /// [`DigitError`] when the peer takes no events, or too many wait.
    pub fn send_pause(&mut self, duration_ms: u32) -> Result<(), DigitError> {
        if self.format.events.is_none() {
            return Err(DigitError::NoEvents);
        }
        Ok(self.sender.queue_pause(duration_ms)?)
    }

    /// Whether digits are being sent, or wait.
    pub fn is_sending_digits(&self) -> bool {
        !self.sender.is_idle()
    }

    /// Forgets the digits that wait, and ends the one that sounds.
    pub fn cancel_digits(&mut self) {
        self.sender.cancel();
    }

    /// The figures since the start.
    pub fn figures(&self) -> Figures {
        let mut figures = self.incoming.figures();
        self.control.add_to(&mut figures);
        figures.packets_sent = self.packets_sent;
        figures.bytes_sent = self.bytes_sent;
        figures.digits_sent = self.digits_sent;
        figures.digits_received = self.digits_received;
        figures
    }
}
