//! How the numbers of whoever sends become ours.

use std::time::{Duration, Instant};

use super::CLOCK;
use crate::{
    rtp::{PayloadType, RtpHeader, Sequence, Timestamp},
    session::Random,
};

/// A jump of the source's numbers beyond this begins anew instead of leaving a hole.
const MAX_GAP: i16 = 3_000;
/// How long the quickest packet is looked for that the clock of reports goes by: within it clocks of two machines do not part.
const WINDOW: Duration = Duration::from_secs(5);

/// One source as we pass it on.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    source: u32,
    sequence_offset: u16,
    timestamp_offset: u32,
    /// The source's number that it began with: older ones would take numbers that were sent already.
    first: Sequence,
    highest: Sequence,
}

/// Which timestamp is when: by the packet that came quickest.
#[derive(Clone, Copy, Debug)]
struct Pace {
    timestamp: Timestamp,
    at: Instant,
}

impl Pace {
    fn timestamp(self, now: Instant) -> Timestamp {
        self.timestamp
            .plus(ticks(now.saturating_duration_since(self.at)))
    }

    /// By how much a packet came later than this says, in ticks; negative: it came earlier.
    fn lateness(self, now: Instant, timestamp: Timestamp) -> i32 {
        self.timestamp(now).since(timestamp)
    }
}

/// Our numbers.
#[derive(Clone, Debug)]
pub(super) struct Numbers {
    ssrc: u32,
    anchor: Option<Anchor>,
    /// The number of a packet that begins anew.
    next: Sequence,
    latest: Pace,
    paces: Option<(Pace, Pace, Instant)>,
    paused: bool,
}

impl Numbers {
    pub(super) fn new(ssrc: u32, random: &mut Random, now: Instant) -> Self {
        Self {
            ssrc,
            anchor: None,
            // The upper half could wrap before the peer has heard of us, which confuses SRTP's roll-over counter.
            next: Sequence(random.next() as u16 & 0x7fff),
            latest: Pace {
                timestamp: Timestamp(random.next() as u32),
                at: now,
            },
            paces: None,
            paused: false,
        }
    }

    pub(super) const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    pub(super) const fn pause(&mut self) {
        self.paused = true;
    }

    /// The header of a packet in our numbers, and whether a source begins with it; none: it is older than that.
    pub(super) fn next(&mut self, now: Instant, header: &RtpHeader) -> Option<(RtpHeader, bool)> {
        let known = self.anchor.filter(|anchor| {
            let gap = header.sequence.since(anchor.highest);
            !self.paused && anchor.source == header.ssrc && gap.unsigned_abs() <= MAX_GAP as u16
        });
        let mut anchor = known.unwrap_or_else(|| {
            let begin = match self.anchor {
                // One tick more at least: two pictures are never of one time.
                Some(_) => self.latest.timestamp(now).plus(1),
                None => self.latest.timestamp,
            };
            Anchor {
                source: header.ssrc,
                sequence_offset: self.next.0.wrapping_sub(header.sequence.0),
                timestamp_offset: begin.0.wrapping_sub(header.timestamp.0),
                first: header.sequence,
                highest: header.sequence,
            }
        });
        let begins = known.is_none();
        self.paused = false;
        if begins {
            self.paces = None;
        }
        if header.sequence.since(anchor.first) < 0 {
            return None;
        }
        let sequence = header.sequence.plus(anchor.sequence_offset);
        let timestamp = header.timestamp.plus(anchor.timestamp_offset);
        if begins || header.sequence.since(anchor.highest) > 0 {
            anchor.highest = header.sequence;
            self.next = sequence.plus(1);
            // The first number that is remembered moves along, or it would be "later" after half a round.
            if header.sequence.since(anchor.first) > MAX_GAP {
                anchor.first = header.sequence.plus((MAX_GAP as u16).wrapping_neg());
            }
            self.note(now, timestamp);
        }
        self.anchor = Some(anchor);
        let ours = RtpHeader {
            marker: header.marker,
            payload_type: PayloadType::PCMU,
            sequence,
            timestamp,
            ssrc: self.ssrc,
        };
        Some((ours, begins))
    }

    fn note(&mut self, now: Instant, timestamp: Timestamp) {
        let this = Pace { timestamp, at: now };
        self.latest = this;
        let (best, candidate, since) = self.paces.get_or_insert((this, this, now));
        if best.lateness(now, timestamp) < 0 {
            *best = this;
        }
        if candidate.lateness(now, timestamp) < 0 {
            *candidate = this;
        }
        if now.saturating_duration_since(*since) >= WINDOW {
            *best = *candidate;
            *candidate = this;
            *since = now;
        }
    }

    /// The timestamp of something that would be seen now; none: nothing was sent yet.
    pub(super) fn timestamp(&self, now: Instant) -> Option<Timestamp> {
        self.paces.map(|(best, ..)| best.timestamp(now))
    }
}

fn ticks(duration: Duration) -> u32 {
    (duration.as_micros() * u128::from(CLOCK) / 1_000_000) as u32
}
