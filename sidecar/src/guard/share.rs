//! What a known source may take: its calls at once, and its new calls a second.
//!
//! Datagrams with a trunk's address can be forged. Whoever does so takes what that trunk may take, and nothing of the
//! others'.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::{Bucket, locked};

/// What one source may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SourceLimits {
    /// Calls at once that came from it.
    pub(crate) calls: u32,
    /// Calls of it that begin in a second.
    pub(crate) per_second: u32,
}

/// A source, shared by all who count for it.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: String,
    limits: SourceLimits,
    calls: AtomicUsize,
    refused: AtomicU64,
    rate: Mutex<Bucket>,
}

impl Source {
    /// A source without calls.
    pub(super) fn new(name: String, limits: SourceLimits, now: Instant) -> Self {
        Self {
            inner: Arc::new(Inner {
                name,
                limits,
                calls: AtomicUsize::new(0),
                refused: AtomicU64::new(0),
                rate: Mutex::new(Bucket::new(limits.per_second, now)),
            }),
        }
    }

    /// Its name: a network, a trunk's name, or a registered address.
    pub(crate) fn name(&self) -> &str {
        &self.inner.name
    }

    pub(super) fn limits(&self) -> SourceLimits {
        self.inner.limits
    }

    /// Calls at once that came from it.
    pub(crate) fn calls(&self) -> usize {
        self.inner.calls.load(Ordering::Relaxed)
    }

    /// Whether one more call of it may begin now; it is counted for the second.
    pub(crate) fn admits(&self, now: Instant) -> bool {
        let admits =
            self.calls() < self.inner.limits.calls as usize && locked(&self.inner.rate).take(now);
        if !admits {
            self.inner.refused.fetch_add(1, Ordering::Relaxed);
        }
        admits
    }

    /// Calls of it that its share did not admit.
    pub(crate) fn refused(&self) -> u64 {
        self.inner.refused.load(Ordering::Relaxed)
    }

    /// Counts a call until the result is dropped, unless there are as many as there may be: what [`Self::admits`] said is
    /// a moment old, and calls that come at the same moment all pass it.
    pub(crate) fn hold(&self) -> Option<SourceHeld> {
        let most = self.inner.limits.calls as usize;
        let one_more = |calls| (calls < most).then_some(calls + 1);
        let counted = self
            .inner
            .calls
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        if counted.is_err() {
            self.inner.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(SourceHeld(Arc::clone(&self.inner)))
    }
}

/// A call of a source, for as long as it lives.
#[derive(Debug)]
pub(crate) struct SourceHeld(Arc<Inner>);

impl SourceHeld {
    /// The source's name.
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }
}

impl Drop for SourceHeld {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_takes_its_own_share_only() {
        let now = Instant::now();
        let limits = SourceLimits {
            calls: 3,
            per_second: 100,
        };
        let (a, b) = (
            Source::new("a".into(), limits, now),
            Source::new("b".into(), limits, now),
        );
        let held: Vec<SourceHeld> = (0..3).filter_map(|_| a.hold()).collect();
        assert_eq!(held.len(), 3);
        assert!(!a.admits(now));
        assert!(
            a.hold().is_none(),
            "a call that was admitted before the third began"
        );
        assert_eq!(a.calls(), 3);
        assert!(b.admits(now));
        assert_eq!((a.refused(), b.refused()), (2, 0));
        drop(held);
        assert_eq!((0..500).filter(|_| a.admits(now)).count(), 100);
        assert!(b.admits(now));
    }
}
