//! How component, sidecar and handlers know each other: HMAC-SHA256 over what is sent.
//!
//! A request carries `Skillcall-Key-Id`, `Skillcall-Timestamp` (Unix seconds), `Skillcall-Nonce` (16 to 64 of
//! `A-Z a-z 0-9 _ -`) and `Skillcall-Signature`: `v1=` and the hexadecimal HMAC of
//!
//! ```text
//! skillcall-v1
//! METHOD
//! path-with-query
//! timestamp
//! nonce
//! hex(sha256(body))
//! ```
//!
//! (lines parted by LF, none at the end). A reply carries the same headers but the nonce, over `skillcall-v1-reply`, the
//! status, the request's nonce, the time stamp and the body's hash. Time stamps are taken within ±60 s; a nonce is taken
//! once. `docs/signing.md` says the same to authors of handlers, with code in Node and Python.

mod key;
mod nonce;
mod reply;
mod request;

pub use key::{Key, KeyError, KeyRing};
pub use nonce::NonceWindow;
pub use reply::{SignedReply, sign_reply, verify_reply};
pub use request::{RequestParts, SignedRequest, sign_request, verify_request};

/// Header with the key's id.
pub const KEY_ID: &str = "Skillcall-Key-Id";
/// Header with the time stamp: Unix seconds, decimal.
pub const TIMESTAMP: &str = "Skillcall-Timestamp";
/// Header with the nonce; on requests only.
pub const NONCE: &str = "Skillcall-Nonce";
/// Header with the signature.
pub const SIGNATURE: &str = "Skillcall-Signature";

/// Seconds that a time stamp may lie off, both ways.
pub const WINDOW_SECONDS: u64 = 60;
/// Seconds for which a nonce is remembered: twice the window, so that no time stamp outlives it.
pub const NONCE_SECONDS: u64 = 2 * WINDOW_SECONDS;

/// Why a signature is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// A header is missing, or stands there twice.
    #[error(
        "the header {0} is missing: requests and replies between component, sidecar and handlers are signed"
    )]
    Missing(&'static str),
    /// A header is not of its form.
    #[error("the header {header} is malformed; expected {expected}")]
    Malformed {
        /// The header.
        header: &'static str,
        /// What would be right.
        expected: &'static str,
    },
    /// The key is not one of ours.
    #[error("the key {0:?} is unknown here: both sides need a key of the same id")]
    UnknownKey(String),
    /// The clocks are apart, or the message is old.
    #[error("the time stamp is {0} s off; at most 60 s are taken (are both clocks right?)")]
    Time(i64),
    /// The signature is of another content, or made with another key of the same id.
    #[error(
        "the signature does not fit: the content was changed on the way, or the key {0:?} differs on the two sides"
    )]
    Signature(String),
}

/// Looks a header up by its name, in any case.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<&'a str>;

fn header<'a>(lookup: Lookup<'a>, name: &'static str) -> Result<&'a str, SigningError> {
    lookup(name).ok_or(SigningError::Missing(name))
}

/// Reads the time stamp and checks that it is within the window.
fn timestamp(lookup: Lookup<'_>, now: i64) -> Result<i64, SigningError> {
    let text = header(lookup, TIMESTAMP)?;
    let stamp: i64 = text.parse().map_err(|_| SigningError::Malformed {
        header: TIMESTAMP,
        expected: "Unix seconds in decimal digits",
    })?;
    let off = now.saturating_sub(stamp);
    if off.unsigned_abs() > WINDOW_SECONDS {
        return Err(SigningError::Time(off));
    }
    Ok(stamp)
}

/// Compares the signature header with what `content` must have, in constant time.
fn compare(lookup: Lookup<'_>, keys: &KeyRing, content: &[u8]) -> Result<(), SigningError> {
    let id = header(lookup, KEY_ID)?;
    let key = keys
        .find(id)
        .ok_or_else(|| SigningError::UnknownKey(id.chars().take(64).collect()))?;
    let malformed = SigningError::Malformed {
        header: SIGNATURE,
        expected: "`v1=` and 64 hexadecimal digits",
    };
    let text = header(lookup, SIGNATURE)?;
    let digits = text.strip_prefix("v1=").ok_or(malformed.clone())?;
    let mut given = [0; 32];
    hex::decode_to_slice(digits, &mut given).map_err(|_| malformed)?;
    if bool::from(subtle::ConstantTimeEq::ct_eq(
        &given[..],
        &key.mac(content)[..],
    )) {
        Ok(())
    } else {
        Err(SigningError::Signature(id.to_owned()))
    }
}

/// Hexadecimal SHA-256 of a body.
fn body_hash(body: &[u8]) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(body))
}

#[cfg(test)]
mod tests;
