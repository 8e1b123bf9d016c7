//! Keys and values as they lie in Spin's store.

use sha2::{Digest, Sha256};

/// The longest key of `skillcall:host/state`, in bytes.
pub const MAX_KEY: usize = 256;
/// The longest value of `skillcall:host/state`, in bytes.
pub const MAX_VALUE: usize = 64 * 1024;
/// The longest key that every store of Spin takes, in bytes.
const MAX_STORED_KEY: usize = 255;

const PREFIX: &str = "skillcall/";
/// Differs from [`PREFIX`], so that no short key can be taken for the hash of a long one.
const LONG_PREFIX: &str = "skillcall-long/";

/// The key under which `key` is stored; none when `key` is empty, too long, or not printable ASCII.
/// Keys that would become too long with their prefix are stored by their hash.
#[must_use]
pub fn stored_key(key: &str) -> Option<String> {
    let printable = key.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
    if key.is_empty() || key.len() > MAX_KEY || !printable {
        return None;
    }
    if PREFIX.len() + key.len() <= MAX_STORED_KEY {
        return Some(format!("{PREFIX}{key}"));
    }
    Some(format!("{LONG_PREFIX}{}", hex::encode(Sha256::digest(key))))
}

/// Who wrote an entry: random, so that a writer knows its own when it reads it back.
pub type Owner = [u8; 16];

/// An entry: its value, when it ends, and who wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Milliseconds since 1970-01-01T00:00:00Z; none: it stays.
    pub expires_ms: Option<u64>,
    /// Who wrote it.
    pub owner: Owner,
    /// The value.
    pub value: Vec<u8>,
}

const VERSION: u8 = 1;
const HEAD: usize = 1 + 8 + 16;
/// What stands in place of the expiry of an entry that stays.
const NEVER: u64 = u64::MAX;

impl Entry {
    /// Version (1 byte), expiry (8 bytes, big-endian), owner (16 bytes), value.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + self.value.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.expires_ms.unwrap_or(NEVER).to_be_bytes());
        bytes.extend_from_slice(&self.owner);
        bytes.extend_from_slice(&self.value);
        bytes
    }

    /// The entry in `bytes`; none when this version did not write them.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let (expiry, rest) = rest.split_first_chunk::<8>()?;
        let (owner, value) = rest.split_first_chunk::<16>()?;
        if *version != VERSION {
            return None;
        }
        let expiry = u64::from_be_bytes(*expiry);
        Some(Self {
            expires_ms: (expiry != NEVER).then_some(expiry),
            owner: *owner,
            value: value.to_vec(),
        })
    }

    /// Whether the entry has ended at `now_ms`.
    #[must_use]
    pub fn is_over(&self, now_ms: u64) -> bool {
        self.expires_ms.is_some_and(|at| at <= now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_fits_and_none_meets_another() {
        assert_eq!(stored_key("a").as_deref(), Some("skillcall/a"));
        let (last, first_long) = ("k".repeat(245), "k".repeat(246));
        assert_eq!(stored_key(&last), Some(format!("skillcall/{last}")));
        let long = stored_key(&first_long).expect("a good key");
        assert!(long.starts_with("skillcall-long/") && long.len() <= MAX_STORED_KEY);
        assert_ne!(stored_key(&"k".repeat(247)), Some(long));
        for bad in ["", "ä", "a\n", &"k".repeat(257)] {
            assert_eq!(stored_key(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn an_entry_comes_back_as_it_was() {
        for expires_ms in [None, Some(0), Some(1_700_000_000_000)] {
            let entry = Entry {
                expires_ms,
                owner: [7; 16],
                value: b"value".to_vec(),
            };
            assert_eq!(Entry::decode(&entry.encode()), Some(entry));
        }
    }

    #[test]
    fn foreign_bytes_are_no_entry() {
        for bytes in [&b""[..], b"\x01", &[1; HEAD - 1], &[2; 40]] {
            assert_eq!(Entry::decode(bytes), None, "{bytes:?}");
        }
    }
}
