//! The table of entries in memory: expiry, bounds, and the one rule of who wins a claim.

use super::clock::millis;
use super::{Key, StateError, Value};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// How much the store may hold. What would go beyond is refused with
/// [`StateError::Unavailable`]: to drop an entry that has not expired could repeat a side effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The most entries.
    pub entries: usize,
    /// The most bytes of keys and values together.
    pub bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            entries: 100_000,
            bytes: 64 * 1024 * 1024,
        }
    }
}

/// An entry with its end, in milliseconds since 1970; none: it stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) value: Value,
    pub(super) expires_ms: Option<u64>,
    /// Distinguishes this entry from an equal one that was written before or after it.
    pub(super) version: u64,
}

/// What an operation changed: the keys that must be written, or removed, wherever the table is kept.
pub(super) type Changes = Vec<Key>;

#[derive(Debug)]
pub(super) struct Table {
    entries: HashMap<Key, Entry>,
    by_expiry: BTreeSet<(u64, Key)>,
    bytes: usize,
    bounds: Bounds,
    next_version: u64,
}

/// The most expired entries that one operation clears away, so that none takes long.
const SWEEP: usize = 64;

impl Table {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            entries: HashMap::new(),
            by_expiry: BTreeSet::new(),
            bytes: 0,
            bounds,
            next_version: 0,
        }
    }

    pub(super) fn get(&self, key: &str, now_ms: u64) -> Option<&Entry> {
        self.entries
            .get(key)
            .filter(|entry| !expired(entry, now_ms))
    }

    /// The entry as it is kept, expired or not.
    pub(super) fn kept(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn set(
        &mut self,
        key: Key,
        value: Value,
        ttl: Option<Duration>,
        now_ms: u64,
        changes: &mut Changes,
    ) -> Result<u64, StateError> {
        let expires_ms = ttl.map(|ttl| now_ms.saturating_add(millis(ttl)));
        self.sweep(now_ms, SWEEP, changes);
        if !self.fits(&key, &value) {
            self.sweep(now_ms, usize::MAX, changes);
            if !self.fits(&key, &value) {
                return Err(StateError::Unavailable(format!(
                    "the store is full: {} of {} entries, {} of {} bytes; raise max_entries or max_mib, or delete its file",
                    self.entries.len(),
                    self.bounds.entries,
                    self.bytes,
                    self.bounds.bytes
                )));
            }
        }
        changes.push(key.clone());
        Ok(self.put(key, value, expires_ms))
    }

    /// The version of the claim that won, or none when somebody else holds the key.
    pub(super) fn claim(
        &mut self,
        key: Key,
        value: Value,
        ttl: Duration,
        now_ms: u64,
        changes: &mut Changes,
    ) -> Result<Option<u64>, StateError> {
        if self.get(key.as_str(), now_ms).is_some() {
            return Ok(None);
        }
        self.set(key, value, Some(ttl), now_ms, changes).map(Some)
    }

    pub(super) fn delete(&mut self, key: &Key, changes: &mut Changes) {
        if self.take(key).is_some() {
            changes.push(key.clone());
        }
    }

    /// Deletes `key` if it still holds the entry of that version.
    pub(super) fn delete_version(&mut self, key: &Key, version: u64, changes: &mut Changes) {
        if self
            .kept(key.as_str())
            .is_some_and(|e| e.version == version)
        {
            self.delete(key, changes);
        }
    }

    /// Takes in an entry that was kept elsewhere.
    pub(super) fn load(&mut self, key: Key, value: Value, expires_ms: Option<u64>) {
        self.put(key, value, expires_ms);
    }

    fn put(&mut self, key: Key, value: Value, expires_ms: Option<u64>) -> u64 {
        self.take(&key);
        self.bytes += cost(&key, &value);
        if let Some(at) = expires_ms {
            self.by_expiry.insert((at, key.clone()));
        }
        self.next_version += 1;
        let version = self.next_version;
        let entry = Entry {
            value,
            expires_ms,
            version,
        };
        self.entries.insert(key, entry);
        version
    }

    fn take(&mut self, key: &Key) -> Option<Entry> {
        let entry = self.entries.remove(key)?;
        self.bytes -= cost(key, &entry.value);
        if let Some(at) = entry.expires_ms {
            self.by_expiry.remove(&(at, key.clone()));
        }
        Some(entry)
    }

    fn fits(&self, key: &Key, value: &Value) -> bool {
        let old = self.entries.get(key).map(|entry| cost(key, &entry.value));
        let entries = self.entries.len() + usize::from(old.is_none());
        let bytes = self.bytes - old.unwrap_or(0) + cost(key, value);
        entries <= self.bounds.entries && bytes <= self.bounds.bytes
    }

    pub(super) fn sweep(&mut self, now_ms: u64, at_most: usize, changes: &mut Changes) {
        for _ in 0..at_most {
            match self.by_expiry.first() {
                Some((at, key)) if *at <= now_ms => {
                    let key = key.clone();
                    self.delete(&key, changes);
                }
                _ => return,
            }
        }
    }
}

fn expired(entry: &Entry, now_ms: u64) -> bool {
    entry.expires_ms.is_some_and(|at| at <= now_ms)
}

fn cost(key: &Key, value: &Value) -> usize {
    key.as_str().len() + value.as_slice().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        Key::new(text).expect("a good key")
    }

    fn value(len: usize) -> Value {
        Value::new(vec![b'v'; len]).expect("a short value")
    }

    #[test]
    fn a_full_table_makes_room_by_expired_entries_only() {
        let mut table = Table::new(Bounds {
            entries: 2,
            bytes: 1000,
        });
        let mut changes = Changes::new();
        let second = Some(Duration::from_secs(1));
        table
            .set(key("a"), value(1), second, 0, &mut changes)
            .expect("room");
        table
            .set(key("b"), value(1), None, 0, &mut changes)
            .expect("room");
        let full = table.set(key("c"), value(1), None, 999, &mut changes);
        assert!(matches!(full, Err(StateError::Unavailable(_))), "{full:?}");
        changes.clear();
        table
            .set(key("c"), value(1), None, 1000, &mut changes)
            .expect("a has expired");
        assert_eq!(changes, [key("a"), key("c")]);
    }

    #[test]
    fn bytes_are_bounded_and_counted_back() {
        let mut table = Table::new(Bounds {
            entries: 100,
            bytes: 100,
        });
        let mut changes = Changes::new();
        table
            .set(key("a"), value(90), None, 0, &mut changes)
            .expect("room");
        assert!(
            table
                .set(key("b"), value(10), None, 0, &mut changes)
                .is_err()
        );
        table
            .set(key("a"), value(50), None, 0, &mut changes)
            .expect("replaces");
        table
            .set(key("b"), value(10), None, 0, &mut changes)
            .expect("room now");
        table.delete(&key("a"), &mut changes);
        table.delete(&key("b"), &mut changes);
        assert_eq!((table.bytes, table.len(), table.by_expiry.len()), (0, 0, 0));
    }

    #[test]
    fn a_version_guards_its_own_entry_only() {
        let mut table = Table::new(Bounds::default());
        let mut changes = Changes::new();
        let first = table
            .set(key("a"), value(1), None, 0, &mut changes)
            .expect("room");
        table
            .set(key("a"), value(1), None, 0, &mut changes)
            .expect("room");
        table.delete_version(&key("a"), first, &mut changes);
        assert!(table.kept("a").is_some());
    }
}
