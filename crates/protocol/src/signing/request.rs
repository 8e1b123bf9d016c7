//! Signing and verifying requests.

use super::{
    KEY_ID, KeyRing, Lookup, NONCE, SIGNATURE, SigningError, TIMESTAMP, body_hash, compare, header,
    timestamp,
};

/// What a request's signature covers.
#[derive(Debug, Clone, Copy)]
pub struct RequestParts<'a> {
    /// The method, in upper case.
    pub method: &'a str,
    /// The path with `?` and query, as it stands in the request line.
    pub path_and_query: &'a str,
    /// The body's bytes.
    pub body: &'a [u8],
}

/// A request whose signature fits. Its nonce must still be seen to be new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRequest {
    /// The key that signed.
    pub key_id: String,
    /// The nonce, which the reply's signature covers too.
    pub nonce: String,
}

fn content(parts: RequestParts<'_>, timestamp: i64, nonce: &str) -> Vec<u8> {
    let RequestParts {
        method,
        path_and_query,
        body,
    } = parts;
    let hash = body_hash(body);
    format!("skillcall-v1\n{method}\n{path_and_query}\n{timestamp}\n{nonce}\n{hash}").into_bytes()
}

fn nonce_fits(nonce: &str) -> bool {
    (16..=64).contains(&nonce.len())
        && nonce
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// The four headers of a signed request. `now` is in Unix seconds; `nonce` is 16 random bytes, which
/// become 32 hexadecimal digits.
#[must_use]
pub fn sign_request(
    keys: &KeyRing,
    parts: RequestParts<'_>,
    now: i64,
    nonce: [u8; 16],
) -> [(&'static str, String); 4] {
    let key = keys.signing();
    let nonce = hex::encode(nonce);
    let mac = key.mac(&content(parts, now, &nonce));
    [
        (KEY_ID, key.id().to_owned()),
        (TIMESTAMP, now.to_string()),
        (NONCE, nonce),
        (SIGNATURE, format!("v1={}", hex::encode(mac))),
    ]
}

/// Verifies a request's signature. `now` is in Unix seconds.
///
/// # Errors
/// Names the header that is wrong. Whether the nonce is new is the caller's to ask.
pub fn verify_request<'a>(
    keys: &KeyRing,
    parts: RequestParts<'_>,
    lookup: Lookup<'a>,
    now: i64,
) -> Result<SignedRequest, SigningError> {
    let nonce = header(lookup, NONCE)?;
    if !nonce_fits(nonce) {
        return Err(SigningError::Malformed {
            header: NONCE,
            expected: "16 to 64 of A-Z a-z 0-9 _ -",
        });
    }
    let stamp = timestamp(lookup, now)?;
    compare(lookup, keys, &content(parts, stamp, nonce))?;
    Ok(SignedRequest {
        key_id: header(lookup, KEY_ID)?.to_owned(),
        nonce: nonce.to_owned(),
    })
}
