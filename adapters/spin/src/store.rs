//! The operations of `skillcall:host/state` on a store that can only get, set and delete.

use crate::entry::{Entry, MAX_VALUE, Owner, stored_key};
use std::time::Duration;

/// Why the store did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The store cannot be reached or refuses access.
    Unavailable(String),
    /// The key is empty, too long, or not printable ASCII.
    BadKey,
    /// The value is too long.
    TooLarge,
}

/// What the adapter needs of its host.
pub trait Platform {
    /// The bytes at a key.
    ///
    /// # Errors
    /// The text for the log.
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, String>;
    /// Sets a key.
    ///
    /// # Errors
    /// The text for the log.
    fn set(&self, key: &str, value: &[u8]) -> Result<(), String>;
    /// Removes a key.
    ///
    /// # Errors
    /// The text for the log.
    fn delete(&self, key: &str) -> Result<(), String>;
    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn now_ms(&self) -> u64;
    /// Waits.
    fn wait(&self, time: Duration);
    /// A fresh random owner.
    ///
    /// # Errors
    /// The text for the log.
    fn owner(&self) -> Result<Owner, String>;
}

/// How long a claim waits before it reads back what it wrote.
///
/// **The window.** Two claims are both answered true only if one of them needs longer than this
/// between its read of the absent key and the moment from which its write is seen by the other's read.
/// Spin's local store does both in well under a millisecond, Redis or Valkey in a few. Stores
/// that are replicated over regions give no such bound: two requests with one id that reach two regions at
/// one instant can both win there. What follows is kept harmless by derived ids: both
/// would start the same call under the same clientSessionId, and the sidecar takes one.
pub const CLAIM_WAIT: Duration = Duration::from_millis(25);

/// The value at `key`.
///
/// # Errors
/// See [`Fault`].
pub fn get(platform: &impl Platform, key: &str) -> Result<Option<Vec<u8>>, Fault> {
    let key = stored_key(key).ok_or(Fault::BadKey)?;
    Ok(live(platform, &key)?.map(|entry| entry.value))
}

/// Sets `key` to `value`, for `ttl` seconds if given.
///
/// # Errors
/// See [`Fault`].
pub fn set(
    platform: &impl Platform,
    key: &str,
    value: Vec<u8>,
    ttl: Option<u32>,
) -> Result<(), Fault> {
    let key = stored_key(key).ok_or(Fault::BadKey)?;
    write(platform, &key, value, ttl).map(|_| ())
}

/// Removes `key`.
///
/// # Errors
/// See [`Fault`].
pub fn delete(platform: &impl Platform, key: &str) -> Result<(), Fault> {
    let key = stored_key(key).ok_or(Fault::BadKey)?;
    platform.delete(&key).map_err(Fault::Unavailable)
}

/// Sets `key` to `value` for `ttl` seconds and answers true, if `key` is absent or expired: writes, waits
/// for [`CLAIM_WAIT`], and reads back; the last writer within the window wins.
///
/// # Errors
/// See [`Fault`].
pub fn claim(platform: &impl Platform, key: &str, value: Vec<u8>, ttl: u32) -> Result<bool, Fault> {
    let key = stored_key(key).ok_or(Fault::BadKey)?;
    if value.len() > MAX_VALUE {
        return Err(Fault::TooLarge);
    }
    if live(platform, &key)?.is_some() {
        return Ok(false);
    }
    let ours = write(platform, &key, value, Some(ttl))?;
    platform.wait(CLAIM_WAIT);
    let stored = platform.get(&key).map_err(Fault::Unavailable)?;
    let owner = stored
        .and_then(|bytes| Entry::decode(&bytes))
        .map(|entry| entry.owner);
    Ok(owner == Some(ours))
}

fn live(platform: &impl Platform, stored_key: &str) -> Result<Option<Entry>, Fault> {
    let bytes = platform.get(stored_key).map_err(Fault::Unavailable)?;
    let entry = bytes.and_then(|bytes| Entry::decode(&bytes));
    Ok(entry.filter(|entry| !entry.is_over(platform.now_ms())))
}

fn write(
    platform: &impl Platform,
    stored_key: &str,
    value: Vec<u8>,
    ttl: Option<u32>,
) -> Result<Owner, Fault> {
    if value.len() > MAX_VALUE {
        return Err(Fault::TooLarge);
    }
    let owner = platform.owner().map_err(Fault::Unavailable)?;
    let expires = |ttl: u32| platform.now_ms().saturating_add(u64::from(ttl) * 1000);
    let entry = Entry {
        expires_ms: ttl.map(expires),
        owner,
        value,
    };
    platform
        .set(stored_key, &entry.encode())
        .map_err(Fault::Unavailable)?;
    Ok(owner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::collections::HashMap;
    use std::sync::{Barrier, Mutex};

    #[derive(Default)]
    struct Store(Mutex<HashMap<String, Vec<u8>>>);

    /// One instance's view of a store that several share.
    struct Instance<'a> {
        store: &'a Store,
        now_ms: Cell<u64>,
        number: u8,
        /// Where it meets the others after its first read, and before it reads back.
        meet: Option<&'a Barrier>,
        reads: Cell<u32>,
    }

    impl<'a> Instance<'a> {
        fn new(store: &'a Store) -> Self {
            Self {
                store,
                now_ms: Cell::new(1_000),
                number: 0,
                meet: None,
                reads: Cell::new(0),
            }
        }
    }

    impl Platform for Instance<'_> {
        fn get(&self, key: &str) -> Result<Option<Vec<u8>>, String> {
            let value = self.store.0.lock().expect("no panic").get(key).cloned();
            self.reads.set(self.reads.get() + 1);
            if let (Some(meet), 1) = (self.meet, self.reads.get()) {
                meet.wait();
            }
            Ok(value)
        }

        fn set(&self, key: &str, value: &[u8]) -> Result<(), String> {
            let mut store = self.store.0.lock().expect("no panic");
            store.insert(key.to_owned(), value.to_vec());
            Ok(())
        }

        fn delete(&self, key: &str) -> Result<(), String> {
            self.store.0.lock().expect("no panic").remove(key);
            Ok(())
        }

        fn now_ms(&self) -> u64 {
            self.now_ms.get()
        }

        fn wait(&self, time: Duration) {
            assert_eq!(time, CLAIM_WAIT);
            if let Some(meet) = self.meet {
                meet.wait();
            }
        }

        fn owner(&self) -> Result<Owner, String> {
            Ok([self.number; 16])
        }
    }

    #[test]
    fn values_come_back_until_they_end() {
        let store = Store::default();
        let host = Instance::new(&store);
        set(&host, "a", b"1".to_vec(), Some(2)).expect("set");
        set(&host, "b", b"2".to_vec(), None).expect("set");
        assert_eq!(get(&host, "a"), Ok(Some(b"1".to_vec())));
        host.now_ms.set(3_000);
        assert_eq!(get(&host, "a"), Ok(None));
        assert_eq!(get(&host, "b"), Ok(Some(b"2".to_vec())));
        delete(&host, "b").expect("delete");
        delete(&host, "b").expect("delete again");
        assert_eq!(get(&host, "b"), Ok(None));
    }

    #[test]
    fn a_claim_holds_until_it_ends() {
        let store = Store::default();
        let host = Instance::new(&store);
        assert_eq!(claim(&host, "a", b"1".to_vec(), 10), Ok(true));
        assert_eq!(claim(&host, "a", b"2".to_vec(), 10), Ok(false));
        assert_eq!(get(&host, "a"), Ok(Some(b"1".to_vec())));
        host.now_ms.set(11_000);
        assert_eq!(claim(&host, "a", b"3".to_vec(), 10), Ok(true));
    }

    #[test]
    fn of_a_hundred_claims_that_all_saw_nothing_one_wins() {
        let store = Store::default();
        let meet = Barrier::new(100);
        let won = std::thread::scope(|scope| {
            let (store, meet) = (&store, &meet);
            let claims: Vec<_> = (0..100)
                .map(|number| {
                    scope.spawn(move || {
                        let mut host = Instance::new(store);
                        (host.number, host.meet) = (number, Some(meet));
                        claim(&host, "a", vec![number], 10).expect("the store works")
                    })
                })
                .collect();
            let won =
                |claim: std::thread::ScopedJoinHandle<'_, bool>| claim.join().expect("no panic");
            claims.into_iter().map(won).filter(|won| *won).count()
        });
        assert_eq!(won, 1);
    }

    #[test]
    fn limits_hold_before_the_store_is_touched() {
        let store = Store::default();
        let host = Instance::new(&store);
        let long = vec![0; MAX_VALUE + 1];
        assert_eq!(set(&host, "a", long.clone(), None), Err(Fault::TooLarge));
        assert_eq!(claim(&host, "a", long, 1), Err(Fault::TooLarge));
        assert_eq!(get(&host, ""), Err(Fault::BadKey));
        assert!(store.0.lock().expect("no panic").is_empty());
        assert_eq!(host.reads.get(), 0);
    }
}
