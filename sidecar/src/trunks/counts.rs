//! A trunk's calls, counted: which way they went, and what became of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Which way a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It came from the trunk.
    In,
    /// We placed it.
    Out,
}

/// What an INVITE has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// 2xx.
    Answered,
    /// 3xx.
    Redirected,
    /// 4xx.
    Refused,
    /// 5xx.
    Failed,
    /// 6xx.
    Declined,
    /// Nobody answered it.
    NoAnswer,
    /// It could not be sent.
    Unreachable,
    /// Its caller gave up.
    Cancelled,
}

const WAYS: [(Way, &str); 2] = [(Way::In, "in"), (Way::Out, "out")];
const FATES: [(Fate, &str); 8] = [
    (Fate::Answered, "2xx"),
    (Fate::Redirected, "3xx"),
    (Fate::Refused, "4xx"),
    (Fate::Failed, "5xx"),
    (Fate::Declined, "6xx"),
    (Fate::NoAnswer, "no-answer"),
    (Fate::Unreachable, "unreachable"),
    (Fate::Cancelled, "cancelled"),
];

impl Fate {
    /// That of a final status.
    pub(crate) const fn of(status: u16) -> Self {
        match status {
            ..300 => Self::Answered,
            300..400 => Self::Redirected,
            400..500 => Self::Refused,
            500..600 => Self::Failed,
            600.. => Self::Declined,
        }
    }
}

/// One trunk's.
#[derive(Debug, Default)]
pub(crate) struct TrunkCounts {
    placed: AtomicUsize,
    fates: [[AtomicU64; FATES.len()]; WAYS.len()],
}

impl TrunkCounts {
    /// Counts what has become of an INVITE.
    pub(crate) fn count(&self, way: Way, fate: Fate) {
        let way = usize::from(way == Way::Out);
        let place = FATES.iter().position(|(known, _)| *known == fate);
        let counter = place.and_then(|place| self.fates.get(way)?.get(place));
        if let Some(counter) = counter {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Calls now that we have placed.
    pub(crate) fn placed(&self) -> usize {
        self.placed.load(Ordering::Relaxed)
    }

    /// How often each thing has happened that has.
    pub(crate) fn fates(&self) -> Vec<(&'static str, &'static str, u64)> {
        let ways = WAYS.iter().zip(&self.fates);
        let all = ways.flat_map(|((_, way), counters)| {
            let counters = FATES.iter().zip(counters);
            counters.map(|((_, fate), counter)| (*way, *fate, counter.load(Ordering::Relaxed)))
        });
        all.filter(|(_, _, count)| *count > 0).collect()
    }
}

/// A call that we have placed, for as long as it is there.
#[derive(Debug)]
pub(crate) struct Placed(Arc<TrunkCounts>);

impl Placed {
    /// One more.
    pub(crate) fn new(counts: Arc<TrunkCounts>) -> Self {
        counts.placed.fetch_add(1, Ordering::Relaxed);
        Self(counts)
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        self.0.placed.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All trunks', by their names: they outlive a reload.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts(Arc<RwLock<HashMap<String, Arc<TrunkCounts>>>>);

impl Counts {
    /// A trunk's.
    pub(crate) fn of(&self, trunk: &str) -> Arc<TrunkCounts> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(counts) = known.get(trunk) {
            return Arc::clone(counts);
        }
        drop(known);
        // Trunks stand in a file: there are not many.
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(trunk.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_way_and_fate() {
        let counts = Counts::default();
        let pbx = counts.of("pbx");
        for status in [200, 302, 404, 486, 503, 603] {
            pbx.count(Way::Out, Fate::of(status));
        }
        counts.of("pbx").count(Way::In, Fate::Cancelled);
        let placed = [(); 2].map(|()| Placed::new(counts.of("pbx")));
        assert_eq!(pbx.placed(), 2);
        drop(placed);
        assert_eq!(pbx.placed(), 0);
        let expected = [
            ("in", "cancelled", 1),
            ("out", "2xx", 1),
            ("out", "3xx", 1),
            ("out", "4xx", 2),
            ("out", "5xx", 1),
            ("out", "6xx", 1),
        ];
        assert_eq!(pbx.fates(), expected);
        assert_eq!(counts.of("other").fates(), []);
    }
}
