//! Which worker a message belongs to.
//!
//! Workers begin their branches and Call-IDs with their own number, so responses and requests
//! within outgoing calls lead back. Every other call belongs to the worker that its Call-ID's
//! hash names, from the first INVITE to the last ACK.

use std::hash::{BuildHasher, Hasher};

use skillcall_sip::message::{Request, Response};

/// Length of [`worker_prefix`].
const WORKER_PREFIX_LEN: usize = 4;
/// What a branch of RFC 3261 begins with (§8.1.1.7).
const COOKIE: &[u8] = b"z9hG4bK";

/// What a worker's branches (behind the cookie), tags and Call-IDs begin with: `w`, its number in hex, `-`.
pub(crate) fn worker_prefix(worker: usize) -> String {
    format!("w{worker:02x}-")
}

fn named_worker(id: &[u8], workers: usize) -> Option<usize> {
    let prefix = id.get(..WORKER_PREFIX_LEN)?;
    let [b'w', high, low, b'-'] = prefix else {
        return None;
    };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let worker = usize::try_from(digit(*high)? * 16 + digit(*low)?).ok()?;
    (worker < workers).then_some(worker)
}

/// The worker whose request this response answers.
pub(crate) fn of_response(response: &Response, workers: usize) -> Option<usize> {
    let via = response.headers().via().ok()?;
    named_worker(via.branch()?.strip_prefix(COOKIE)?, workers)
}

/// The worker that owns, or will own, the request's call.
pub(crate) fn of_request(request: &Request, workers: usize) -> usize {
    let call_id = request.headers().call_id();
    named_worker(call_id, workers).unwrap_or_else(|| {
        let hash = fingerprint(call_id);
        usize::try_from(hash % (workers.max(1) as u64)).unwrap_or(0)
    })
}

/// A hash that strangers cannot aim at, the same for the whole life of the process.
pub(crate) fn fingerprint(bytes: &[u8]) -> u64 {
    static STATE: std::sync::OnceLock<std::collections::hash_map::RandomState> =
        std::sync::OnceLock::new();
    let mut hasher = STATE.get_or_init(Default::default).build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_lead_back() {
        for worker in [0, 1, 9, 15, 16, 249] {
            let prefix = worker_prefix(worker);
            assert_eq!(prefix.len(), WORKER_PREFIX_LEN);
            assert_eq!(
                named_worker(format!("{prefix}abc").as_bytes(), 250),
                Some(worker)
            );
        }
        for foreign in ["", "w0", "w05-x", "wzz-x", "x00-x", "w00x"] {
            assert_eq!(named_worker(foreign.as_bytes(), 5), None, "{foreign}");
        }
        assert_eq!(fingerprint(b"a"), fingerprint(b"a"));
        assert_ne!(fingerprint(b"a"), fingerprint(b"b"));
    }
}
