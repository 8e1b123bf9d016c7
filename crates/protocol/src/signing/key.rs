//! Shared keys, and several of them at once so that they can be changed without downtime.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};

/// A shared key with its id. Its bytes are never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    id: Box<str>,
    bytes: Box<[u8]>,
}

/// Why a text is no key, or no list of keys. The key's bytes are never part of the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No key at all.
    #[error("there is no key; expected `ID:BASE64`, several parted by commas")]
    Empty,
    /// The entry has no colon.
    #[error("key {0} of the list has no colon; expected `ID:BASE64`")]
    Form(usize),
    /// The id is malformed.
    #[error("the id of key {0} of the list is not 1 to 32 of A-Z a-z 0-9 . _ -")]
    Id(usize),
    /// The bytes are not base64.
    #[error("key {0:?} is not base64 (standard alphabet)")]
    Base64(String),
    /// Too few bytes.
    #[error("key {id:?} has {found} bytes; at least 32 are needed (openssl rand -base64 32)")]
    Short {
        /// The key's id.
        id: String,
        /// Its length.
        found: usize,
    },
    /// Two keys of one id.
    #[error("two keys have the id {0:?}")]
    Twice(String),
}

impl Key {
    /// A key of at least 32 bytes.
    ///
    /// # Errors
    /// When the id is malformed or the key is too short.
    pub fn new(id: &str, bytes: &[u8]) -> Result<Self, KeyError> {
        Self::at(0, id, bytes)
    }

    fn at(index: usize, id: &str, bytes: &[u8]) -> Result<Self, KeyError> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if id.is_empty() || id.len() > 32 || !id.bytes().all(fits) {
            return Err(KeyError::Id(index + 1));
        }
        if bytes.len() < 32 {
            return Err(KeyError::Short {
                id: id.to_owned(),
                found: bytes.len(),
            });
        }
        Ok(Self {
            id: id.into(),
            bytes: bytes.into(),
        })
    }

    /// The key's id, which is no secret.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// HMAC-SHA256 of `content` (RFC 2104).
    #[must_use]
    pub fn mac(&self, content: &[u8]) -> [u8; 32] {
        match Hmac::<sha2::Sha256>::new_from_slice(&self.bytes) {
            Ok(mac) => mac.chain_update(content).finalize().into_bytes().into(),
            // HMAC takes keys of every length, so this is never reached; no signature fits it.
            Err(_) => [0; 32],
        }
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({}, hidden)", self.id)
    }
}

/// One key or several: the first signs, each verifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRing {
    first: Key,
    others: Vec<Key>,
}

impl KeyRing {
    /// Reads the setting `sidecar_keys`: `ID:BASE64`, several parted by commas.
    ///
    /// # Errors
    /// Names the entry that is wrong, never its bytes.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut keys = Vec::new();
        let entries = text
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty());
        for (index, entry) in entries.enumerate() {
            let (id, encoded) = entry.split_once(':').ok_or(KeyError::Form(index + 1))?;
            let bytes = STANDARD
                .decode(encoded.trim())
                .map_err(|_| KeyError::Base64(id.to_owned()))?;
            let key = Key::at(index, id, &bytes)?;
            if keys.iter().any(|other: &Key| other.id == key.id) {
                return Err(KeyError::Twice(id.to_owned()));
            }
            keys.push(key);
        }
        let mut keys = keys.into_iter();
        let first = keys.next().ok_or(KeyError::Empty)?;
        Ok(Self {
            first,
            others: keys.collect(),
        })
    }

    /// The key that signs.
    #[must_use]
    pub fn signing(&self) -> &Key {
        &self.first
    }

    /// The key of an id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Key> {
        std::iter::once(&self.first)
            .chain(&self.others)
            .find(|key| &*key.id == id)
    }
}

impl From<Key> for KeyRing {
    fn from(first: Key) -> Self {
        Self {
            first,
            others: Vec::new(),
        }
    }
}
