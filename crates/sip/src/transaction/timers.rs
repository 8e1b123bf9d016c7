//! A timer queue with constant cost.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

/// More different durations than this go to the heap.
const LANES: usize = 32;

/// Timers that are added with a duration and come out at their time.
///
/// SIP uses few different durations (T1 doubled up to 64·T1, T2, T4), and timers of one duration expire in the order in
/// which they were added. So there is one queue a duration: adding and taking cost the same however many there are. A
/// clock that steps back, or a rare duration, falls through to a heap.
#[derive(Debug)]
pub struct TimerLanes<T> {
    lanes: Vec<(Duration, VecDeque<(Instant, T)>)>,
    heap: BinaryHeap<Reverse<Entry<T>>>,
    length: usize,
    serial: u64,
}

#[derive(Debug)]
struct Entry<T> {
    at: Instant,
    serial: u64,
    what: T,
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.serial) == (other.at, other.serial)
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.serial).cmp(&(other.at, other.serial))
    }
}

impl<T> Default for TimerLanes<T> {
    fn default() -> Self {
        Self {
            lanes: Vec::new(),
            heap: BinaryHeap::new(),
            length: 0,
            serial: 0,
        }
    }
}

impl<T> TimerLanes<T> {
    /// Adds a timer that comes out `after` past `now`.
    pub fn add(&mut self, now: Instant, after: Duration, what: T) {
        // A time beyond what the clock can name never comes.
        let Some(at) = now.checked_add(after) else {
            return;
        };
        self.length += 1;
        let lane = match self
            .lanes
            .iter()
            .position(|(duration, _)| *duration == after)
        {
            Some(found) => self.lanes.get_mut(found),
            None if self.lanes.len() < LANES => {
                self.lanes.push((after, VecDeque::new()));
                self.lanes.last_mut()
            }
            None => None,
        };
        if let Some((_, queue)) = lane
            && queue.back().is_none_or(|(last, _)| *last <= at)
        {
            queue.push_back((at, what));
            return;
        }
        self.push(at, what);
    }

    /// As [`TimerLanes::add`], for durations that hardly come twice: they would take lanes from those that do.
    pub fn add_rare(&mut self, now: Instant, after: Duration, what: T) {
        let Some(at) = now.checked_add(after) else {
            return;
        };
        self.length += 1;
        self.push(at, what);
    }

    fn push(&mut self, at: Instant, what: T) {
        self.serial += 1;
        self.heap.push(Reverse(Entry {
            at,
            serial: self.serial,
            what,
        }));
    }

    /// When the next timer is due. Of timers that nobody waits for any more, too: they come out and do nothing.
    pub fn next(&self) -> Option<Instant> {
        let lanes = self
            .lanes
            .iter()
            .filter_map(|(_, queue)| queue.front().map(|(at, _)| *at));
        lanes
            .chain(self.heap.peek().map(|Reverse(entry)| entry.at))
            .min()
    }

    /// Takes the earliest timer that is due at `now`.
    pub fn take(&mut self, now: Instant) -> Option<T> {
        let due = self.next().filter(|at| *at <= now)?;
        self.length = self.length.saturating_sub(1);
        if self
            .heap
            .peek()
            .is_some_and(|Reverse(entry)| entry.at == due)
        {
            return self.heap.pop().map(|Reverse(entry)| entry.what);
        }
        let lane = self
            .lanes
            .iter_mut()
            .find(|(_, queue)| queue.front().is_some_and(|(at, _)| *at == due));
        lane.and_then(|(_, queue)| queue.pop_front())
            .map(|(_, what)| what)
    }

    /// How many timers wait.
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether none waits.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_come_out_in_order_whatever_their_durations() {
        let start = Instant::now();
        let mut timers = TimerLanes::default();
        let mut expected = Vec::new();
        for i in 0..500u64 {
            let after = Duration::from_millis((i * 37) % 100);
            // Every tenth is added with a clock that went back.
            let now = start + Duration::from_millis(if i % 10 == 0 { i / 2 } else { i });
            if i % 7 == 0 {
                timers.add_rare(now, after, i);
            } else {
                timers.add(now, after, i);
            }
            expected.push((now + after, i));
        }
        assert_eq!(timers.len(), 500);
        expected.sort();
        let mut last = start;
        let mut count = 0;
        while let Some(at) = timers.next() {
            assert!(timers.take(at - Duration::from_nanos(1)).is_none());
            let what = timers.take(at).unwrap();
            assert!(expected.contains(&(at, what)));
            assert!(at >= last);
            last = at;
            count += 1;
        }
        assert_eq!(count, 500);
        assert!(timers.is_empty());
    }
}
