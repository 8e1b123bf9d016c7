//! Timestamps of one clock in another.

use crate::rtp::Timestamp;

/// Maps timestamps; it follows a stream, so that wrapping of one side is none of the other's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeline {
    from: u32,
    to: u32,
    /// A timestamp of the one side, and which of the other side it is.
    anchor: Option<(Timestamp, u32)>,
}

impl Timeline {
    pub(super) const fn new(from: u32, to: u32) -> Self {
        Self {
            from,
            to,
            anchor: None,
        }
    }

    /// Another source begins: its first timestamp follows on the last one.
    pub(super) fn restart(&mut self, timestamp: Timestamp) {
        let on = self.anchor.map_or(timestamp.0, |(_, on)| {
            // 20 ms later: nobody can know how much really.
            on.wrapping_add(self.to / 50)
        });
        self.anchor = Some((timestamp, on));
    }

    /// The other side's timestamp, and the place from which the next one is counted.
    pub(super) fn at(&mut self, timestamp: Timestamp) -> u32 {
        let on = self.of(timestamp.0);
        let (from, to) = (i64::from(self.from), i64::from(self.to));
        // Only where the clocks divide without a rest may the place move: else the rest would add up.
        let whole = self
            .anchor
            .is_none_or(|(anchor, _)| i64::from(timestamp.since(anchor)) * to % from == 0);
        if whole {
            self.anchor = Some((timestamp, on));
        }
        on
    }

    /// The other side's timestamp.
    pub(super) fn of(&self, timestamp: u32) -> u32 {
        let Some((anchor, on)) = self.anchor else {
            return timestamp;
        };
        let ahead = i64::from(Timestamp(timestamp).since(anchor));
        let scaled = ahead * i64::from(self.to) / i64::from(self.from);
        on.wrapping_add(scaled as u32)
    }

    /// A length of time in the other side's clock.
    pub(super) fn length(&self, ticks: u32) -> u32 {
        let scaled = u64::from(ticks) * u64::from(self.to) / u64::from(self.from);
        u32::try_from(scaled).unwrap_or(u32::MAX)
    }
}
