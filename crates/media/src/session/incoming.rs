//! The receiving half: sources, payload types, counters, digits, and the jitter buffer while somebody listens.

use std::time::{Duration, Instant};

use super::{AudioSession, Heard, Media, Received, Rejected};
use crate::{
    Frame, SAMPLES_PER_MS,
    codec::Codec,
    jitter::{JitterBuffer, JitterConfig, Played},
    plc::Concealment,
    quality::Figures,
    reception::{Arrival, Reception},
    rtp::{PayloadType, RtpPacket, Sequence},
};

/// When the current source has been silent for so long, another one is followed at once.
const SOURCE_SILENT: Duration = Duration::from_millis(200);

#[derive(Clone, Debug)]
pub(super) struct Incoming {
    reception: Option<Reception>,
    /// Counters of the sources before the current one.
    before: Figures,
    other_source: Option<(u32, Sequence)>,
    last_received: Option<Instant>,
    rejected: u64,
    source_changes: u64,
    jitter: JitterConfig,
    listener: Option<Box<Listener>>,
    late_before: u64,
    concealed: u64,
    played: u64,
}

/// What is only needed while somebody listens; a relayed leg does without.
#[derive(Clone, Debug)]
struct Listener {
    buffer: JitterBuffer,
    concealment: Concealment,
}

impl Incoming {
    pub(super) fn new(jitter: JitterConfig) -> Self {
        Self {
            reception: None,
            before: Figures::default(),
            other_source: None,
            last_received: None,
            rejected: 0,
            source_changes: 0,
            jitter,
            listener: None,
            late_before: 0,
            concealed: 0,
            played: 0,
        }
    }

    pub(super) fn ssrc(&self) -> Option<u32> {
        self.reception.as_ref().map(Reception::ssrc)
    }

    pub(super) fn last_received(&self) -> Option<Instant> {
        self.last_received
    }

    pub(super) fn reception_mut(&mut self) -> Option<&mut Reception> {
        self.reception.as_mut()
    }

    pub(super) fn figures(&self) -> Figures {
        let mut figures = self.before;
        if let Some(reception) = &self.reception {
            add_reception(&mut figures, reception);
            figures.jitter_ms = reception.jitter() / f64::from(SAMPLES_PER_MS);
        }
        figures.packets_rejected = self.rejected;
        figures.source_changes = self.source_changes;
        figures.frames_concealed = self.concealed;
        figures.frames_played = self.played;
        figures.packets_late = self.late_before;
        if let Some(listener) = &self.listener {
            figures.packets_late += listener.buffer.counters().late;
            figures.buffer_ms = listener.buffer.delay_ms();
        }
        figures
    }

    /// Counts a packet, and finds out whether its source is followed. True: the source is a new one.
    fn arrive(
        &mut self,
        now: Instant,
        packet: &RtpPacket<'_>,
        audio: bool,
    ) -> Result<bool, Rejected> {
        let header = packet.header();
        let mut new_source = false;
        match &self.reception {
            Some(reception) if reception.ssrc() == header.ssrc => {}
            Some(reception) => {
                let silent = self
                    .last_received
                    .is_none_or(|last| now.saturating_duration_since(last) > SOURCE_SILENT);
                let goes_on = self.other_source == Some((header.ssrc, header.sequence));
                if !header.marker && !silent && !goes_on {
                    self.other_source = Some((header.ssrc, header.sequence.plus(1)));
                    return Err(Rejected::OtherSource { ssrc: header.ssrc });
                }
                add_reception(&mut self.before, reception);
                self.reception = None;
                self.source_changes += 1;
                new_source = true;
            }
            None => new_source = true,
        }
        let reception = self
            .reception
            .get_or_insert_with(|| Reception::new(now, header.ssrc, header.sequence));
        match reception.arrive(now, header.sequence, header.timestamp, audio) {
            Arrival::InOrder | Arrival::Reordered => {}
            Arrival::Duplicate => return Err(Rejected::Duplicate(header.sequence)),
            Arrival::Jump => return Err(Rejected::Jump(header.sequence)),
        }
        self.other_source = None;
        self.last_received = Some(now);
        Ok(new_source)
    }
}

fn add_reception(figures: &mut Figures, reception: &Reception) {
    figures.packets_received += reception.received();
    figures.packets_expected += reception.expected();
    figures.packets_lost += reception.lost();
    figures.packets_duplicated += reception.duplicates();
    figures.packets_reordered += reception.reordered();
    figures.jitter_max_ms = figures
        .jitter_max_ms
        .max(reception.jitter_max() / f64::from(SAMPLES_PER_MS));
}

impl AudioSession {
    /// Takes a datagram of the peer: counts it, reads its digits, and keeps its audio while somebody listens.
    ///
    /// A packet with our own synchronisation source is taken like any other: peers that echo what they hear send it,
    /// and in a session of two over a checked address it does no harm (RFC 3550 §8.2 speaks of groups).
    ///
    /// # Errors
    /// [`Rejected`] says why a datagram is not taken; there is nothing to do about it.
    pub fn receive_rtp<'p>(
        &mut self,
        now: Instant,
        datagram: &'p [u8],
    ) -> Result<Received<'p>, Rejected> {
        self.take_rtp(now, datagram)
            .inspect_err(|_| self.incoming.rejected += 1)
    }

    fn take_rtp<'p>(&mut self, now: Instant, datagram: &'p [u8]) -> Result<Received<'p>, Rejected> {
        let packet = RtpPacket::parse(datagram)?;
        let header = *packet.header();
        let media = self
            .media_of(header.payload_type)
            .ok_or(Rejected::PayloadType(header.payload_type))?;
        if self
            .incoming
            .arrive(now, &packet, matches!(media, Media::Audio(_)))?
        {
            self.receiver.change_source();
            self.control.change_source();
            if let Some(listener) = &mut self.incoming.listener {
                listener.buffer.restart();
            }
        }
        match media {
            Media::Audio(codec) => {
                self.receiver.other_media(header.timestamp);
                if let Some(listener) = &mut self.incoming.listener {
                    listener.buffer.insert(
                        header.sequence,
                        header.timestamp,
                        header.marker,
                        codec,
                        packet.payload(),
                    );
                }
            }
            Media::Event => {
                self.receiver
                    .receive(now, header.timestamp, header.marker, packet.payload())
            }
            Media::ComfortNoise => {}
        }
        Ok(Received { packet, media })
    }

    fn media_of(&self, payload_type: PayloadType) -> Option<Media> {
        let format = &self.format;
        if format.receive_events == Some(payload_type) {
            Some(Media::Event)
        } else if payload_type == format.receive_payload_type {
            Some(Media::Audio(format.codec))
        } else if payload_type == PayloadType::COMFORT_NOISE {
            Some(Media::ComfortNoise)
        } else if let Some(codec) = Codec::from_static(payload_type) {
            // A peer may switch to any codec that both named; G.711's static numbers are unmistakable.
            Some(Media::Audio(codec))
        } else if format.events == Some(payload_type) && format.receive_events.is_some() {
            // Some peers send under the number under which they receive.
            Some(Media::Event)
        } else {
            (payload_type == format.payload_type).then_some(Media::Audio(format.codec))
        }
    }

    /// Begins or ends listening: while it is off, incoming audio is neither kept nor decoded.
    pub fn listen(&mut self, on: bool) {
        let incoming = &mut self.incoming;
        if on && incoming.listener.is_none() {
            let buffer = JitterBuffer::new(incoming.jitter);
            incoming.listener = Some(Box::new(Listener {
                buffer,
                concealment: Concealment::default(),
            }));
        } else if !on && let Some(listener) = incoming.listener.take() {
            incoming.late_before += listener.buffer.counters().late;
        }
    }

    /// Whether [`AudioSession::hear`] gives anything.
    pub fn is_listening(&self) -> bool {
        self.incoming.listener.is_some()
    }

    /// What the peer said in this tick's 20 ms; call it once a tick while listening. Zeros while not listening.
    pub fn hear(&mut self, frame: &mut Frame) -> Heard {
        let incoming = &mut self.incoming;
        let Some(listener) = &mut incoming.listener else {
            *frame = crate::SILENT_FRAME;
            return Heard::Silence;
        };
        incoming.played += 1;
        match listener.buffer.play(frame) {
            Played::Audio => {
                listener.concealment.good(frame);
                Heard::Audio
            }
            Played::Missing if !self.receiver.is_sounding() => {
                incoming.concealed += 1;
                let mut next = crate::SILENT_FRAME;
                let is_there = listener.buffer.peek(&mut next);
                let next = if is_there { &next[..] } else { &[] };
                listener.concealment.lost(frame, next);
                Heard::Concealed
            }
            Played::Missing | Played::Silence => {
                listener.concealment.silent();
                *frame = crate::SILENT_FRAME;
                Heard::Silence
            }
        }
    }
}
