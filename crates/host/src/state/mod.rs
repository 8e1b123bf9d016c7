//! What outlasts an instance: the interface `skillcall:host/state`.
//!
//! [`State`] is the trait that the host calls; [`DurableState`] keeps entries in a file, [`MemoryState`]
//! forgets them with the process. Both share one [table](table), so they differ in nothing else.

mod clock;
mod durable;
mod entry;
mod memory;
mod table;

pub use clock::{Clock, ManualClock, SystemClock};
pub use durable::{DurableState, OpenError, SYNC};
pub use entry::{Key, MAX_KEY, MAX_VALUE, Value};
pub use memory::MemoryState;
pub use table::Bounds;

use std::pin::Pin;
use std::time::Duration;

/// Why the store did not do what was asked (`skillcall:host/state.error`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The store cannot be reached, or is full; the text is for the log.
    #[error("the state store is unavailable: {0}")]
    Unavailable(String),
    /// The key is empty, longer than [`MAX_KEY`] bytes, or not printable ASCII.
    #[error("a state key has 1 to {MAX_KEY} bytes of printable ASCII")]
    BadKey,
    /// The value is longer than [`MAX_VALUE`] bytes.
    #[error("a state value has at most {MAX_VALUE} bytes")]
    TooLarge,
}

/// An answer of the store that is still to come.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, StateError>> + Send + 'a>>;

/// A key-value store whose entries expire.
pub trait State: Send + Sync + 'static {
    /// The value at `key`; none when it was never set, was deleted, or has expired.
    ///
    /// # Errors
    /// [`StateError::Unavailable`].
    fn get<'a>(&'a self, key: &'a Key) -> Pending<'a, Option<Value>>;

    /// Sets `key` to `value`, whatever it was. Without `ttl` the entry stays.
    ///
    /// # Errors
    /// [`StateError::Unavailable`], also when the store is full.
    fn set(&self, key: Key, value: Value, ttl: Option<Duration>) -> Pending<'_, ()>;

    /// Removes `key`; no error when it is not there.
    ///
    /// # Errors
    /// [`StateError::Unavailable`].
    fn delete(&self, key: Key) -> Pending<'_, ()>;

    /// Sets `key` to `value` for `ttl` and answers true, if `key` is absent or expired; else changes
    /// nothing and answers false. Of several claims at one instant exactly one is answered true.
    ///
    /// # Errors
    /// [`StateError::Unavailable`], also when the store is full; nothing is claimed then.
    fn claim(&self, key: Key, value: Value, ttl: Duration) -> Pending<'_, bool>;
}
