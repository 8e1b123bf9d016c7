//! Keys and values within the limits of `skillcall:host/state`.

use super::StateError;
use bytes::Bytes;
use std::borrow::Borrow;
use std::fmt;

/// The longest key, in bytes.
pub const MAX_KEY: usize = 256;
/// The longest value, in bytes.
pub const MAX_VALUE: usize = 64 * 1024;

/// A key: 1 to [`MAX_KEY`] bytes of printable ASCII (0x20 to 0x7E).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(std::sync::Arc<str>);

impl Key {
    /// Checks and takes `text`.
    ///
    /// # Errors
    /// [`StateError::BadKey`].
    pub fn new(text: &str) -> Result<Self, StateError> {
        let printable = text.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
        if text.is_empty() || text.len() > MAX_KEY || !printable {
            return Err(StateError::BadKey);
        }
        Ok(Self(text.into()))
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A value: at most [`MAX_VALUE`] bytes. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Value(Bytes);

impl Value {
    /// Checks and takes `bytes`.
    ///
    /// # Errors
    /// [`StateError::TooLarge`].
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, StateError> {
        let bytes = bytes.into();
        if bytes.len() > MAX_VALUE {
            return Err(StateError::TooLarge);
        }
        Ok(Self(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

// Values hold sessions and stored answers, which have no place in a log.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_printable_ascii_of_bounded_length() {
        for good in ["a", " ", "~", "nonce/12:34 x", &"k".repeat(MAX_KEY)] {
            assert_eq!(Key::new(good).expect(good).as_str(), good);
        }
        for bad in ["", "ä", "a\n", "\u{7f}", "a\0", &"k".repeat(MAX_KEY + 1)] {
            assert_eq!(Key::new(bad), Err(StateError::BadKey), "{bad:?}");
        }
    }

    #[test]
    fn a_value_has_at_most_64_kib() {
        assert!(Value::new(vec![0; MAX_VALUE]).is_ok());
        assert_eq!(
            Value::new(vec![0; MAX_VALUE + 1]),
            Err(StateError::TooLarge)
        );
    }

    #[test]
    fn a_value_does_not_show_itself() {
        let value = Value::new(&b"secret"[..]).expect("short");
        assert_eq!(format!("{value:?}"), "Value(6 bytes)");
    }
}
