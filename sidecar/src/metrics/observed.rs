//! Values whose distribution tells more than their sum.

use super::Distribution;
use super::distribution::{CALL_SECONDS, HANDLER_SECONDS, JITTER_SECONDS};

/// Seconds each.
#[derive(Debug)]
pub(crate) struct Observed {
    /// What handlers took.
    pub(crate) handler: Distribution,
    /// The highest jitter of a leg.
    pub(crate) jitter: Distribution,
    /// How long calls lasted.
    pub(crate) call: Distribution,
}

impl Default for Observed {
    fn default() -> Self {
        Self {
            handler: Distribution::new(HANDLER_SECONDS),
            jitter: Distribution::new(JITTER_SECONDS),
            call: Distribution::new(CALL_SECONDS),
        }
    }
}
