//! The order of packets, where a network changes it.
//!
//! A decoder takes packets in order only. As long as they come so, none waits. One that comes behind later ones shows how long the
//! next missing one is worth waiting for: so many packets, not so much time, as nobody here has a clock. When nothing has come late
//! for some seconds, nothing waits again, and what is lost delays nothing.

use std::collections::VecDeque;

use crate::rtp::Sequence;

/// The most packets that wait for a missing one: 200 ms of the usual ones, which is what receivers put up with.
const MOST_WAITED: i16 = 10;
/// Packets after which the wait is as long as the latest of them needed: 10 s of the usual ones.
const OBSERVED: u32 = 500;
/// A number so far off is of another stream.
const JUMP: i16 = 1_000;

/// When a packet's turn is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Now.
    Now,
    /// Now, after all that wait: another stream begins.
    Anew,
    /// When those before it have come, or are given up.
    Later,
    /// Never: its place is filled, or it is there already.
    Over,
}

/// Packets that wait for those before them.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// The last one whose turn it was, and its source.
    last: Option<(u32, Sequence)>,
    /// By their numbers.
    waiting: VecDeque<(Sequence, Vec<u8>)>,
    /// Packets that a missing one is waited for.
    patience: i16,
    /// Places by which the latest one of those observed came late.
    needed: i16,
    observed: u32,
}

impl Order {
    /// When the turn of a packet is.
    pub(super) fn turn(&mut self, source: u32, sequence: Sequence) -> Turn {
        let Some((_, last)) = self.last.filter(|(of, _)| *of == source) else {
            return self.begin(source, sequence);
        };
        let ahead = sequence.since(last);
        if ahead.checked_abs().is_none_or(|places| places > JUMP) {
            return self.begin(source, sequence);
        }
        let newest = self.waiting.back().map_or(last, |(newest, _)| *newest);
        self.observe(newest.since(sequence));
        if ahead <= 0 || self.waiting.iter().any(|(waits, _)| *waits == sequence) {
            Turn::Over
        } else if ahead == 1 || (self.waiting.is_empty() && self.patience == 0) {
            self.last = Some((source, sequence));
            Turn::Now
        } else {
            Turn::Later
        }
    }

    fn begin(&mut self, source: u32, sequence: Sequence) -> Turn {
        self.last = Some((source, sequence));
        Turn::Anew
    }

    fn observe(&mut self, late: i16) {
        self.observed += 1;
        if late > 0 {
            self.needed = self.needed.max(late);
            self.patience = self.patience.max(late).min(MOST_WAITED);
        }
        if self.observed >= OBSERVED {
            self.patience = self.needed.min(MOST_WAITED);
            (self.needed, self.observed) = (0, 0);
        }
    }

    /// Keeps a packet whose turn is later.
    pub(super) fn keep(&mut self, sequence: Sequence, datagram: &[u8]) {
        let behind = self
            .waiting
            .iter()
            .position(|(waits, _)| waits.since(sequence) > 0);
        let at = behind.unwrap_or(self.waiting.len());
        self.waiting.insert(at, (sequence, datagram.to_vec()));
    }

    /// One that waits and whose turn it is.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        let (source, last) = self.last?;
        let (first, newest) = (self.waiting.front()?.0, self.waiting.back()?.0);
        // The missing one just before it is the one that may still come when those before that are given up.
        if first.since(last) > 1 && newest.since(first) < self.patience {
            return None;
        }
        self.last = Some((source, first));
        self.waiting.pop_front().map(|(_, datagram)| datagram)
    }

    /// One that waits, whatever is missing before it.
    pub(super) fn rest(&mut self) -> Option<Vec<u8>> {
        self.waiting.pop_front().map(|(_, datagram)| datagram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In which order packets go that come in this one.
    fn run(order: &mut Order, numbers: &[u16]) -> Vec<u16> {
        let mut went = Vec::new();
        for number in numbers {
            let datagram = number.to_be_bytes();
            match order.turn(7, Sequence(*number)) {
                Turn::Anew => {
                    went.extend(std::iter::from_fn(|| order.rest()).map(number_of));
                    went.push(*number);
                }
                Turn::Now => went.push(*number),
                Turn::Later => order.keep(Sequence(*number), &datagram),
                Turn::Over => {}
            }
            went.extend(std::iter::from_fn(|| order.next()).map(number_of));
        }
        went
    }

    fn number_of(datagram: Vec<u8>) -> u16 {
        u16::from_be_bytes([datagram[0], datagram[1]])
    }

    #[test]
    fn nothing_waits_while_nothing_comes_late() {
        let mut order = Order::default();
        assert_eq!(
            run(&mut order, &[65_534, 65_535, 0, 3]),
            [65_534, 65_535, 0, 3]
        );
        assert!(order.waiting.is_empty());
    }

    #[test]
    fn what_came_late_once_is_waited_for() {
        let mut order = Order::default();
        // Two places late: it is over, but the next one is not.
        assert_eq!(run(&mut order, &[1, 3, 4, 2]), [1, 3, 4]);
        assert_eq!(run(&mut order, &[6, 7, 5, 8]), [5, 6, 7, 8]);
        // Not for longer than that.
        assert_eq!(run(&mut order, &[10, 11, 12, 9, 13]), [10, 11, 12, 13]);
        // Three places by now; repetitions go nowhere.
        assert_eq!(run(&mut order, &[15, 16, 15, 17, 14, 14]), [14, 15, 16, 17]);
    }

    #[test]
    fn what_may_still_come_is_not_given_up_with_what_is_lost() {
        let mut order = Order::default();
        run(&mut order, &[1, 3, 4, 2]);
        // 5 and 6 are lost, 7 is late by as much as it may be.
        assert_eq!(run(&mut order, &[8, 9, 7, 10]), [7, 8, 9, 10]);
    }

    #[test]
    fn when_nothing_comes_late_any_more_nothing_waits() {
        let mut order = Order::default();
        run(&mut order, &[1, 3, 2]);
        let steady: Vec<u16> = (4..1_200).collect();
        assert_eq!(run(&mut order, &steady), steady);
        assert_eq!(run(&mut order, &[1_202, 1_203]), [1_202, 1_203]);
    }

    #[test]
    fn another_stream_waits_for_nothing_of_the_old_one() {
        let mut order = Order::default();
        run(&mut order, &[1, 4, 2, 3, 7]);
        assert_eq!(run(&mut order, &[20_000]), [7, 20_000]);
        assert_eq!(order.turn(8, Sequence(1)), Turn::Anew);
    }
}
