//! The component's state in a test, which a test can look at.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use skillcall_host::state::{Bounds, Key, MemoryState, Pending, State, Value};

/// A state in memory that shows what was set and not deleted, whether it has expired or not.
#[derive(Default)]
pub struct WatchedState {
    inner: MemoryState,
    entries: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl WatchedState {
    /// An empty one with the host's usual bounds.
    #[must_use]
    pub fn new() -> Self {
        Self {
            inner: MemoryState::new(Bounds::default()),
            entries: Mutex::default(),
        }
    }

    /// The entries whose keys begin so.
    #[must_use]
    pub fn entries(&self, prefix: &str) -> BTreeMap<String, Vec<u8>> {
        self.lock()
            .iter()
            .filter(|(key, _)| key.starts_with(prefix))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State for WatchedState {
    fn get<'a>(&'a self, key: &'a Key) -> Pending<'a, Option<Value>> {
        self.inner.get(key)
    }

    fn set(&self, key: Key, value: Value, ttl: Option<Duration>) -> Pending<'_, ()> {
        self.lock()
            .insert(key.as_str().to_owned(), value.as_slice().to_vec());
        self.inner.set(key, value, ttl)
    }

    fn delete(&self, key: Key) -> Pending<'_, ()> {
        self.lock().remove(key.as_str());
        self.inner.delete(key)
    }

    fn claim(&self, key: Key, value: Value, ttl: Duration) -> Pending<'_, bool> {
        Box::pin(async move {
            let (name, bytes) = (key.as_str().to_owned(), value.as_slice().to_vec());
            let is_mine = self.inner.claim(key, value, ttl).await?;
            if is_mine {
                self.lock().insert(name, bytes);
            }
            Ok(is_mine)
        })
    }
}
