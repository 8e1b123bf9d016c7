//! Who may disturb the sidecar, and how much: nobody whom it does not know, and of those whom it knows nobody the others.
//!
//! ```text
//!             known (a network of [sip] sources, a trunk, a registered phone)      a stranger
//! openings    a share of the calls, and of those a second; beyond it 503           one answer, or silence; a mark
//! the rest    always passes                                                        what belongs to a dialog, slowly
//! marks       none: who forges a known address must not have it banned             enough of them are a ban
//! ```
//!
//! All of it is decided without I/O: addresses and times come in, judgements go out. Every table that a stranger can
//! fill has a bound.

mod bans;
mod known;
mod offence;
mod rate;
mod share;
mod strangers;
mod toll;

pub(crate) use bans::{BanView, Bans};
pub(crate) use known::{Known, Standing};
pub(crate) use offence::Offence;
use rate::Bucket;
pub(crate) use share::{Source, SourceHeld};
pub(crate) use strangers::{Judgement, Sighting, Strangers};
pub(crate) use toll::{RouteBounds, RouteHeld, Toll};

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The table of bans, which the front fills and the control API shows and empties.
pub(crate) type SharedBans = Arc<Mutex<Bans>>;

/// The table behind its lock; a thread that panicked with it has left it whole.
pub(crate) fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
