//! RTP packets of one encoding into those of another, where two sides of a call share none.
//!
//! A [`Transcoder`] stands between a leg's wire and what takes its packets: it takes packets as they arrive and gives packets at
//! once, with their own numbers and the other clock's timestamps, and no buffer in between: only where a network changes the
//! order of packets do some wait for those before them. What was lost of Opus is made up here, of the next packet's error
//! correction where it has one, and what was lost of G.711 is concealed: a gap before Opus would be filled by its receiver with
//! the packet before, said twice. What was lost of G.722 stays a gap, which the receiver fills in.
//!
//! Audio goes at the lower of the two rates: G.711 has 8000 samples a second, G.722 16000, and Opus what is asked of it. So
//! only G.722 beside G.711 is resampled.

mod decoder;
mod encoder;
mod half_band;
mod order;
mod timeline;

#[cfg(test)]
mod tests;

use thiserror::Error;

use crate::{
    encoding::Encoding,
    rtp::{HEADER_LEN, MAX_PACKET, PayloadType, RtpError, RtpHeader, RtpPacket, Sequence},
};

use decoder::Decoder;
use encoder::Encoder;
pub use encoder::OpusSettings;
use order::{Order, Turn};
use timeline::Timeline;

/// Lost packets that are made up from what was heard before: 60 ms of the usual ones, after which only silence would be right.
const MOST_MADE_UP: i16 = 3;
/// The most packets lost in a row that a stream goes on after: half a second of the usual ones.
const MOST_LOST: i16 = 25;
/// The most places that a packet that passes may come late, or be ahead.
const MOST_BEHIND: i16 = 1_000;
/// Samples of the longest Opus packet, 120 ms, at 16 kHz.
const ROOM: usize = 1_920;

/// One side's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// How audio is encoded.
    pub encoding: Encoding,
    /// Under which payload type.
    pub payload_type: PayloadType,
    /// Telephone events; `None`: they are left out.
    pub events: Option<SideEvents>,
}

/// One side's telephone events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SideEvents {
    /// Their payload type.
    pub payload_type: PayloadType,
    /// The clock of their durations in Hz.
    pub clock: u32,
}

/// Why a packet gives none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TranscodeError {
    /// No RTP.
    #[error(transparent)]
    Rtp(#[from] RtpError),
    /// Of a payload type that this side does not have, or whose counterpart the other does not have.
    #[error("payload type {} is not transcoded", .0.number())]
    PayloadType(PayloadType),
    /// Older than what was decoded, or there already: its place is filled.
    #[error("packet {} came too late", .0.0)]
    Late(Sequence),
    /// What is inside is not of the encoding.
    #[error("the payload is no {0}")]
    Payload(&'static str),
    /// The codec's library has no memory, or refuses its settings.
    #[error("no {0} codec could be made")]
    Codec(&'static str),
}

/// Packets of one encoding into packets of another: one direction of one leg.
pub struct Transcoder {
    from: Side,
    to: Side,
    rate: u32,
    decoder: Decoder,
    encoder: Encoder,
    timeline: Timeline,
    order: Order,
    source: Option<Source>,
    next: Option<Sequence>,
    /// The last packet was an event, or none: what follows begins a talk-spurt.
    broken_off: bool,
}

/// The stream that is decoded.
#[derive(Clone, Copy, Debug)]
struct Source {
    ssrc: u32,
    last: Sequence,
    /// Samples of the last packet.
    samples: usize,
}

impl std::fmt::Debug for Transcoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Transcoder({:?} to {:?} at {} Hz)",
            self.from, self.to, self.rate
        )
    }
}

/// The rate at which audio goes from one encoding to the other, in Hz.
fn common_rate(from: Encoding, to: Encoding) -> u32 {
    let rate = |encoding| match encoding {
        Encoding::Pcmu | Encoding::Pcma => 8_000,
        Encoding::G722 | Encoding::Opus => 16_000,
    };
    rate(from).min(rate(to))
}

impl Transcoder {
    /// A transcoder between two sides. `opus` says how Opus is encoded, if it is.
    ///
    /// # Errors
    /// [`TranscodeError::Codec`] when libopus refuses.
    pub fn new(from: Side, to: Side, opus: OpusSettings) -> Result<Self, TranscodeError> {
        let rate = common_rate(from.encoding, to.encoding);
        Ok(Self {
            from,
            to,
            rate,
            decoder: Decoder::new(from.encoding, rate)?,
            encoder: Encoder::new(to.encoding, rate, opus)?,
            timeline: Timeline::new(from.encoding.clock(), to.encoding.clock()),
            order: Order::default(),
            source: None,
            next: None,
            broken_off: true,
        })
    }

    /// Takes a packet and gives what it leads to, in order: nothing, one packet, or several.
    ///
    /// # Errors
    /// It leads to nothing, and why.
    pub fn push(
        &mut self,
        datagram: &[u8],
        mut give: impl FnMut(&[u8]),
    ) -> Result<(), TranscodeError> {
        let packet = RtpPacket::parse(datagram)?;
        let (source, sequence) = (packet.header().ssrc, packet.header().sequence);
        let taken = match self.order.turn(source, sequence) {
            Turn::Over => return Err(TranscodeError::Late(sequence)),
            Turn::Later => {
                self.order.keep(sequence, datagram);
                Ok(())
            }
            Turn::Now => self.take(&packet, &mut give),
            Turn::Anew => {
                self.let_go(&mut give);
                self.take(&packet, &mut give)
            }
        };
        while let Some(datagram) = self.order.next() {
            self.take_kept(&datagram, &mut give);
        }
        taken
    }

    /// All that waits, whatever is missing before it.
    fn let_go(&mut self, give: &mut impl FnMut(&[u8])) {
        while let Some(datagram) = self.order.rest() {
            self.take_kept(&datagram, give);
        }
    }

    fn take_kept(&mut self, datagram: &[u8], give: &mut impl FnMut(&[u8])) {
        if let Ok(packet) = RtpPacket::parse(datagram) {
            // What leads to nothing is lost, as packets are.
            let _ = self.take(&packet, give);
        }
    }

    fn take(
        &mut self,
        packet: &RtpPacket<'_>,
        give: &mut impl FnMut(&[u8]),
    ) -> Result<(), TranscodeError> {
        let header = *packet.header();
        if self
            .from
            .events
            .is_some_and(|events| events.payload_type == header.payload_type)
        {
            return self.event(packet, give);
        }
        if header.payload_type != self.from.payload_type {
            return Err(TranscodeError::PayloadType(header.payload_type));
        }
        if header.marker {
            self.decoder.begin_spurt();
        }
        let lost = self.step(&header)?;
        if lost > 0 {
            self.make_up(lost, &header, packet.payload(), give);
        }
        let mut room = [0; ROOM];
        let samples = self.decoder.decode(packet.payload(), &mut room)?;
        if let Some(source) = &mut self.source {
            source.samples = samples.len();
        }
        let timestamp = self.timeline.at(header.timestamp);
        self.broken_off |= header.marker;
        self.encode(samples, timestamp, header.ssrc, give);
        Ok(())
    }

    /// Takes a packet whose payload is encoded as the other side has it already, and gives it with that side's payload type, numbers
    /// and timestamps: what both ends of a call share need not be decoded. Loss and disorder stay as they are.
    ///
    /// # Errors
    /// As [`Transcoder::push`].
    pub fn pass(
        &mut self,
        datagram: &[u8],
        mut give: impl FnMut(&[u8]),
    ) -> Result<(), TranscodeError> {
        let packet = RtpPacket::parse(datagram)?;
        let header = *packet.header();
        if header.payload_type != self.from.payload_type {
            return self.push(datagram, give);
        }
        self.let_go(&mut give);
        self.order = Order::default();
        let ahead = match &self.source {
            Some(source) if source.ssrc == header.ssrc => header.sequence.since(source.last),
            _ => 1,
        };
        let sequence = if (-MOST_BEHIND..=0).contains(&ahead) {
            // It comes late: its number was left free.
            self.next
                .unwrap_or(header.sequence)
                .plus((ahead - 1) as u16)
        } else {
            self.step(&header)?;
            let skipped = if (2..=MOST_BEHIND).contains(&ahead) {
                (ahead - 1).unsigned_abs()
            } else {
                0
            };
            let sequence = self.next.unwrap_or(header.sequence).plus(skipped);
            self.next = Some(sequence.plus(1));
            sequence
        };
        self.encoder.drop_rest();
        let timestamp = crate::rtp::Timestamp(self.timeline.at(header.timestamp));
        let out_header = RtpHeader {
            marker: std::mem::take(&mut self.broken_off) || header.marker,
            payload_type: self.to.payload_type,
            sequence,
            timestamp,
            ssrc: header.ssrc,
        };
        let mut out = [0; MAX_PACKET];
        if let Some(len) = out_header.write(packet.payload(), &mut out) {
            give(out.get(..len).unwrap_or_default());
        }
        Ok(())
    }

    /// Follows the packet's number. How many are lost before it; 0 also where too many are.
    fn step(&mut self, header: &RtpHeader) -> Result<i16, TranscodeError> {
        match &mut self.source {
            Some(source) if source.ssrc == header.ssrc => {
                let ahead = header.sequence.since(source.last);
                if (-1_000..=0).contains(&ahead) {
                    return Err(TranscodeError::Late(header.sequence));
                }
                source.last = header.sequence;
                Ok(if (2..=MOST_LOST + 1).contains(&ahead) {
                    ahead - 1
                } else {
                    // A gap that cannot be told from silence: the receiver hears it as one.
                    if ahead != 1 {
                        self.decoder.begin_spurt();
                        self.encoder.drop_rest();
                    }
                    0
                })
            }
            _ => {
                self.source = Some(Source {
                    ssrc: header.ssrc,
                    last: header.sequence,
                    samples: 0,
                });
                self.next.get_or_insert(header.sequence);
                self.timeline.restart(header.timestamp);
                self.decoder.begin_spurt();
                self.encoder.drop_rest();
                self.broken_off = true;
                Ok(0)
            }
        }
    }

    /// Fills in for `lost` packets before the present one, which may carry the last of them again: for those that follow on what was
    /// heard, and for the one that leads to the present one. Those between them stay lost.
    fn make_up(
        &mut self,
        lost: i16,
        header: &RtpHeader,
        present: &[u8],
        give: &mut impl FnMut(&[u8]),
    ) {
        let samples = self.source.map_or(0, |source| source.samples);
        let ticks = samples as u32 * (self.from.encoding.clock() / 1_000) / (self.rate / 1_000);
        if samples == 0 || samples > ROOM {
            return;
        }
        for behind in (1..=lost).rev() {
            let mut room = [0; ROOM];
            let Some(room) = room.get_mut(..samples) else {
                return;
            };
            let leads = behind == 1;
            let known = leads || lost - behind < MOST_MADE_UP;
            if known && self.decoder.make_up(leads.then_some(present), room) {
                let timestamp = header
                    .timestamp
                    .minus(ticks * u32::from(behind.unsigned_abs()));
                let timestamp = self.timeline.at(timestamp);
                self.encode(room, timestamp, header.ssrc, give);
            } else {
                // What is not decoded is still counted: the receiver sees that something is missing.
                self.encoder.drop_rest();
                self.next = self.next.map(|next| next.plus(1));
            }
        }
    }

    fn encode(&mut self, samples: &[i16], timestamp: u32, ssrc: u32, give: &mut impl FnMut(&[u8])) {
        let (payload_type, next) = (self.to.payload_type, &mut self.next);
        let marker = &mut self.broken_off;
        self.encoder
            .push(samples, timestamp, &mut |payload, timestamp| {
                let sequence = next.unwrap_or_default();
                let header = RtpHeader {
                    marker: std::mem::take(marker),
                    payload_type,
                    sequence,
                    timestamp: crate::rtp::Timestamp(timestamp),
                    ssrc,
                };
                let mut out = [0; MAX_PACKET];
                if let Some(len) = header.write(payload, &mut out) {
                    *next = Some(sequence.plus(1));
                    give(out.get(..len).unwrap_or_default());
                }
            });
    }

    /// A telephone event keeps its place in the stream; its duration counts in the other side's clock.
    fn event(
        &mut self,
        packet: &RtpPacket<'_>,
        give: &mut impl FnMut(&[u8]),
    ) -> Result<(), TranscodeError> {
        let header = packet.header();
        let (Some(from), Some(to)) = (self.from.events, self.to.events) else {
            return Err(TranscodeError::PayloadType(header.payload_type));
        };
        let lost = self.step(header)?;
        let skipped = u16::try_from(lost).unwrap_or(0);
        self.decoder.begin_spurt();
        self.encoder.drop_rest();
        self.broken_off = true;
        let mut payload = [0; 64];
        let len = packet.payload().len();
        let room = payload
            .get_mut(..len)
            .ok_or(TranscodeError::Payload("telephone-event"))?;
        room.copy_from_slice(packet.payload());
        for report in room.chunks_exact_mut(4) {
            if let [_, _, high, low] = report {
                let duration = u64::from(u16::from_be_bytes([*high, *low]));
                let scaled = duration * u64::from(to.clock) / u64::from(from.clock.max(1));
                // 16 bits hold 8 s of an 8 kHz clock but 1.4 s of a 48 kHz one: longer ones stay at the end.
                [*high, *low] = u16::try_from(scaled).unwrap_or(u16::MAX).to_be_bytes();
            }
        }
        let sequence = self.next.unwrap_or(header.sequence).plus(skipped);
        let out_header = RtpHeader {
            marker: header.marker,
            payload_type: to.payload_type,
            sequence,
            timestamp: crate::rtp::Timestamp(self.timeline.at(header.timestamp)),
            ssrc: header.ssrc,
        };
        let mut out = [0; HEADER_LEN + 64];
        if let Some(len) = out_header.write(room, &mut out) {
            self.next = Some(sequence.plus(1));
            give(out.get(..len).unwrap_or_default());
        }
        Ok(())
    }

    /// Rewrites a compound RTCP packet that goes the same way: the sender's timestamp, and the jitter of its report blocks,
    /// count in the other side's clock (RFC 3550 §6.4.1). What cannot be read stays as it is.
    pub fn rewrite_rtcp(&self, datagram: &mut [u8]) {
        let mut rest = datagram;
        while rest.len() >= 8 {
            let len = 4 * (usize::from(u16::from_be_bytes([rest[2], rest[3]])) + 1);
            let (count, kind) = (usize::from(rest[0] & 0x1f), rest[1]);
            let Some((packet, behind)) = rest.split_at_mut_checked(len) else {
                return;
            };
            let first = match kind {
                200 => {
                    if let Some(word) = packet.get_mut(16..20) {
                        scale_word(word, |timestamp| self.timeline.of(timestamp));
                    }
                    28
                }
                201 => 8,
                _ => usize::MAX,
            };
            for block in 0..count {
                let at = first.saturating_add(24 * block + 12);
                let Some(word) = packet.get_mut(at..at.saturating_add(4)) else {
                    break;
                };
                scale_word(word, |jitter| self.timeline.length(jitter));
            }
            rest = behind;
        }
    }
}

fn scale_word(word: &mut [u8], scale: impl FnOnce(u32) -> u32) {
    if let Ok(bytes) = <[u8; 4]>::try_from(&*word) {
        word.copy_from_slice(&scale(u32::from_be_bytes(bytes)).to_be_bytes());
    }
}
