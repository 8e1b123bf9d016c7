//! Stores of the harness: in memory, with the strictest limits that a Spin host enforces.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The longest key, in bytes.
pub const MAX_STORED_KEY: usize = 255;
/// The longest value, in bytes.
pub const MAX_STORED_VALUE: usize = 1_000_000;

/// A key-value store that all requests of a harness share; clones are the same store.
#[derive(Debug, Clone, Default)]
pub struct KeyValueStore(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl KeyValueStore {
    /// The value at `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.entries().get(key).cloned()
    }

    /// Sets `key` to `value`.
    ///
    /// # Errors
    /// Key or value is longer than [`MAX_STORED_KEY`] or [`MAX_STORED_VALUE`].
    pub fn set(&self, key: &str, value: &[u8]) -> Result<(), String> {
        if key.is_empty() || key.len() > MAX_STORED_KEY {
            return Err(format!(
                "a key has 1 to {MAX_STORED_KEY} bytes, not {}",
                key.len()
            ));
        }
        if value.len() > MAX_STORED_VALUE {
            return Err(format!(
                "a value has at most {MAX_STORED_VALUE} bytes, not {}",
                value.len()
            ));
        }
        self.entries().insert(key.to_owned(), value.to_vec());
        Ok(())
    }

    /// Removes `key`.
    pub fn delete(&self, key: &str) {
        self.entries().remove(key);
    }

    /// Every key.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.entries().keys().cloned().collect()
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
