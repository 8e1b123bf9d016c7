//! Signing and verifying replies.

use super::{
    KEY_ID, KeyRing, Lookup, SIGNATURE, SigningError, TIMESTAMP, body_hash, compare, timestamp,
};

/// What a reply's signature covers.
#[derive(Debug, Clone, Copy)]
pub struct SignedReply<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The nonce of the request that it answers.
    pub nonce: &'a str,
    /// The body's bytes.
    pub body: &'a [u8],
}

fn content(reply: SignedReply<'_>, timestamp: i64) -> Vec<u8> {
    let SignedReply {
        status,
        nonce,
        body,
    } = reply;
    let hash = body_hash(body);
    format!("skillcall-v1-reply\n{status}\n{nonce}\n{timestamp}\n{hash}").into_bytes()
}

/// The three headers of a signed reply. `now` is in Unix seconds.
#[must_use]
pub fn sign_reply(keys: &KeyRing, reply: SignedReply<'_>, now: i64) -> [(&'static str, String); 3] {
    let key = keys.signing();
    let mac = key.mac(&content(reply, now));
    [
        (KEY_ID, key.id().to_owned()),
        (TIMESTAMP, now.to_string()),
        (SIGNATURE, format!("v1={}", hex::encode(mac))),
    ]
}

/// Verifies a reply's signature. `now` is in Unix seconds.
///
/// # Errors
/// Names the header that is wrong.
pub fn verify_reply<'a>(
    keys: &KeyRing,
    reply: SignedReply<'_>,
    lookup: Lookup<'a>,
    now: i64,
) -> Result<(), SigningError> {
    let stamp = timestamp(lookup, now)?;
    compare(lookup, keys, &content(reply, stamp))
}
