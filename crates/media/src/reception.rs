//! What arrives from one source: loss, duplicates, order and jitter (RFC 3550 §6.4.1, §A.1, §A.3, §A.8).

use std::time::Instant;

use crate::{
    SAMPLE_RATE,
    rtp::{Sequence, Timestamp},
    samples_in,
};

/// A forward jump larger than this is a restart of the source (RFC 3550 §A.1).
const MAX_DROPOUT: i16 = 3_000;
/// A packet this far behind is a restart too, not a late one (RFC 3550 §A.1).
const MAX_MISORDER: i16 = -100;

/// Where a packet stands among those received before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The next one, or a later one after a loss.
    InOrder,
    /// Behind a later one.
    Reordered,
    /// Received before.
    Duplicate,
    /// Its number has jumped: either a stray packet, or the first of a restarted source. It is not counted.
    Jump,
}

/// The counters of one source.
#[derive(Clone, Debug)]
pub struct Reception {
    ssrc: u32,
    first: u32,
    highest: u32,
    /// Which of the 64 numbers up to the highest have been received: bit 0 is the highest.
    window: u64,
    received: u64,
    duplicates: u64,
    reordered: u64,
    jump: Option<Sequence>,
    /// Packets expected before the source restarted its numbers.
    expected_before: u64,
    base: Instant,
    transit: Option<i64>,
    jitter: f64,
    jitter_max: f64,
    prior_expected: u64,
    prior_received: u64,
}

impl Reception {
    /// Starts counting with the first packet of a source.
    pub fn new(now: Instant, ssrc: u32, first: Sequence) -> Self {
        // One cycle up, so that a packet from before the first one has a number too.
        let number = 0x1_0000 | u32::from(first.0);
        Self {
            ssrc,
            first: number,
            highest: number.wrapping_sub(1),
            window: 0,
            received: 0,
            duplicates: 0,
            reordered: 0,
            jump: None,
            expected_before: 0,
            base: now,
            transit: None,
            jitter: 0.0,
            jitter_max: 0.0,
            prior_expected: 0,
            prior_received: 0,
        }
    }

    /// Counts a packet. `audio` says that its timestamp tells when it was sent, which those of events do not.
    pub fn arrive(
        &mut self,
        now: Instant,
        sequence: Sequence,
        timestamp: Timestamp,
        audio: bool,
    ) -> Arrival {
        let ahead = sequence.since(Sequence(self.highest as u16));
        let arrival = match ahead {
            1..=MAX_DROPOUT => {
                self.highest = self.highest.wrapping_add(ahead.unsigned_abs().into());
                self.window = self
                    .window
                    .checked_shl(ahead.unsigned_abs().into())
                    .unwrap_or(0)
                    | 1;
                Arrival::InOrder
            }
            MAX_MISORDER..=0 => {
                let behind = u32::from(ahead.unsigned_abs());
                let number = self.highest.wrapping_sub(behind);
                let bit = 1u64.checked_shl(behind).unwrap_or(0);
                if self.window & bit != 0 {
                    self.duplicates += 1;
                    return Arrival::Duplicate;
                }
                self.window |= bit;
                self.first = self.first.min(number);
                self.reordered += 1;
                Arrival::Reordered
            }
            _ if self.jump == Some(sequence) => {
                // Two in a row at the new place: the source has restarted. What was counted stays counted.
                self.expected_before = self.expected();
                let number = 0x1_0000 | u32::from(sequence.0);
                self.first = number;
                self.highest = number;
                self.window = 1;
                self.jump = None;
                self.transit = None;
                Arrival::InOrder
            }
            _ => {
                self.jump = Some(sequence.plus(1));
                return Arrival::Jump;
            }
        };
        self.received += 1;
        if audio {
            self.note_transit(now, timestamp);
        }
        arrival
    }

    fn note_transit(&mut self, now: Instant, timestamp: Timestamp) {
        let arrival = samples_in(now.saturating_duration_since(self.base));
        let transit = i64::from(Timestamp(arrival).since(timestamp));
        if let Some(before) = self.transit.replace(transit) {
            let difference = (transit - before).unsigned_abs() as f64;
            // A silence that the sender leaves out of its timestamps, or a new start of them, is no jitter.
            if difference < f64::from(SAMPLE_RATE) {
                self.jitter += (difference - self.jitter) / 16.0;
                self.jitter_max = self.jitter_max.max(self.jitter);
            }
        }
    }

    /// The source.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Packets received, without duplicates.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Packets between the first and the highest number, over all restarts.
    pub fn expected(&self) -> u64 {
        self.expected_before + u64::from(self.highest.wrapping_sub(self.first)) + 1
    }

    /// Packets that have not come.
    pub fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received)
    }

    /// Packets received more than once.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Packets received behind a later one.
    pub fn reordered(&self) -> u64 {
        self.reordered
    }

    /// Interarrival jitter in samples (RFC 3550 §6.4.1).
    pub fn jitter(&self) -> f64 {
        self.jitter
    }

    /// The highest value that [`Reception::jitter`] has had.
    pub fn jitter_max(&self) -> f64 {
        self.jitter_max
    }

    /// The highest sequence number with its count of cycles, as reports carry it.
    pub fn extended_highest(&self) -> u32 {
        self.highest.wrapping_sub(0x1_0000)
    }

    /// The fraction lost since the last call, in 1/256 (RFC 3550 §A.3).
    pub fn fraction_lost(&mut self) -> u8 {
        let expected = self.expected() - self.prior_expected.min(self.expected());
        let received = self.received - self.prior_received.min(self.received);
        self.prior_expected = self.expected();
        self.prior_received = self.received;
        let lost = expected.saturating_sub(received);
        (lost << 8)
            .checked_div(expected)
            .map_or(0, |fraction| u8::try_from(fraction).unwrap_or(u8::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn loss_duplicates_and_order_are_told_apart() {
        let now = Instant::now();
        let mut reception = Reception::new(now, 7, Sequence(65_534));
        let arrivals: Vec<Arrival> = [65_534u16, 65_535, 1, 0, 0, 4, 4, 3]
            .into_iter()
            .map(|number| reception.arrive(now, Sequence(number), Timestamp(0), false))
            .collect();
        use Arrival::{Duplicate, InOrder, Reordered};
        assert_eq!(
            arrivals,
            [
                InOrder, InOrder, InOrder, Reordered, Duplicate, InOrder, Duplicate, Reordered
            ]
        );
        assert_eq!(
            (reception.expected(), reception.received(), reception.lost()),
            (7, 6, 1)
        );
        assert_eq!((reception.duplicates(), reception.reordered()), (2, 2));
        assert_eq!(reception.extended_highest(), 0x1_0004);
        assert_eq!(reception.fraction_lost(), (256 / 7) as u8);
        assert_eq!(reception.fraction_lost(), 0);
    }

    #[test]
    fn a_stray_packet_is_not_a_restart_but_two_are() {
        let now = Instant::now();
        let mut reception = Reception::new(now, 7, Sequence(10));
        let mut take = |number| reception.arrive(now, Sequence(number), Timestamp(0), false);
        assert_eq!(take(10), Arrival::InOrder);
        assert_eq!(take(30_000), Arrival::Jump);
        assert_eq!(take(12), Arrival::InOrder);
        assert_eq!(take(20_000), Arrival::Jump);
        assert_eq!(take(20_001), Arrival::InOrder);
        assert_eq!(take(20_002), Arrival::InOrder);
        // 11 was lost before the restart, and 20000 told of it.
        assert_eq!(
            (reception.expected(), reception.received(), reception.lost()),
            (5, 4, 1)
        );
    }

    #[test]
    fn jitter_follows_the_rfc() {
        let epoch = Instant::now();
        let mut reception = Reception::new(epoch, 7, Sequence(0));
        for packet in 0..2_000u16 {
            // Every second packet is 5 ms late: |D| is 40 samples each time, and so J nears 40.
            let late = if packet % 2 == 0 { 0 } else { 5 };
            let now = epoch + Duration::from_millis(20 * u64::from(packet) + late);
            reception.arrive(
                now,
                Sequence(packet),
                Timestamp(u32::from(packet) * 160),
                true,
            );
        }
        assert!(
            (reception.jitter() - 40.0).abs() < 0.01,
            "{}",
            reception.jitter()
        );
    }
}
