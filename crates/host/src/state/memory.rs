//! Entries that end with the process.

use super::table::{Bounds, Changes, Table};
use super::{Clock, Key, Pending, State, SystemClock, Value};
use std::future::ready;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A store in memory: for tests, and for hosts that may forget.
pub struct MemoryState {
    table: Mutex<Table>,
    clock: Box<dyn Clock>,
}

impl MemoryState {
    /// An empty store with the machine's clock.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self::with_clock(bounds, SystemClock)
    }

    /// An empty store whose entries expire by `clock`.
    pub fn with_clock(bounds: Bounds, clock: impl Clock) -> Self {
        Self {
            table: Mutex::new(Table::new(bounds)),
            clock: Box::new(clock),
        }
    }

    /// How many entries are held, expired ones that were not yet swept included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table().len()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // No operation leaves the table half changed.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryState {
    fn default() -> Self {
        Self::new(Bounds::default())
    }
}

impl State for MemoryState {
    fn get<'a>(&'a self, key: &'a Key) -> Pending<'a, Option<Value>> {
        let now = self.clock.now_ms();
        let value = self.table().get(key.as_str(), now).map(|e| e.value.clone());
        Box::pin(ready(Ok(value)))
    }

    fn set(&self, key: Key, value: Value, ttl: Option<Duration>) -> Pending<'_, ()> {
        let now = self.clock.now_ms();
        let done = self.table().set(key, value, ttl, now, &mut Changes::new());
        Box::pin(ready(done.map(|_| ())))
    }

    fn delete(&self, key: Key) -> Pending<'_, ()> {
        self.table().delete(&key, &mut Changes::new());
        Box::pin(ready(Ok(())))
    }

    fn claim(&self, key: Key, value: Value, ttl: Duration) -> Pending<'_, bool> {
        let now = self.clock.now_ms();
        let won = self
            .table()
            .claim(key, value, ttl, now, &mut Changes::new());
        Box::pin(ready(won.map(|version| version.is_some())))
    }
}
