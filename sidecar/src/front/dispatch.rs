//! Which worker a message belongs to.
//!
//! Workers begin their branches, tags and Call-IDs with a number of their own, so responses, requests within dialogs and
//! requests within outgoing calls lead back. Every other call belongs to the worker that its Call-ID's hash names, from
//! the first INVITE to the last ACK.

use std::hash::{DefaultHasher, Hasher};

use skillcall_sip::peek::Peek;

/// Length of [`Naming::prefix`].
const PREFIX_LEN: usize = 4;
/// What a branch of RFC 3261 begins with (§8.1.1.7).
const COOKIE: &[u8] = b"z9hG4bK";
/// Two hexadecimal digits.
const NUMBERS: usize = 256;

/// The numbers of the workers, and the key of its hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Naming {
    count: usize,
    key: [u8; 16],
}

/// Whose name an id begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    /// A worker of this process.
    Own(usize),
    /// A worker that this process has not: of an earlier process, or made up.
    Other,
    /// Nobody's: a peer made the id.
    Nobody,
}

impl Naming {
    /// The names of so many workers, and a key of its own.
    pub(crate) fn new(workers: usize) -> Self {
        Self::of(workers, rand::random())
    }

    fn of(workers: usize, key: [u8; 16]) -> Self {
        Self {
            count: workers.clamp(1, NUMBERS),
            key,
        }
    }

    /// What a worker's branches (behind the cookie), tags and Call-IDs begin with: `w`, its number in hex, `-`.
    pub(crate) fn prefix(&self, worker: usize) -> String {
        format!("w{:02x}-", worker % NUMBERS)
    }

    /// Whose name an id begins with.
    pub(super) fn named(&self, id: &[u8]) -> Named {
        let Some([b'w', high, low, b'-']) = id.get(..PREFIX_LEN) else {
            return Named::Nobody;
        };
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let (Some(high), Some(low)) = (digit(*high), digit(*low)) else {
            return Named::Nobody;
        };
        let worker = usize::try_from(high * 16 + low).unwrap_or(NUMBERS);
        if worker < self.count {
            Named::Own(worker)
        } else {
            Named::Other
        }
    }

    /// The worker that the responses to a branch are handed to. What an earlier process with more workers has left is
    /// the first one's.
    pub(crate) fn of_branch(&self, branch: &[u8]) -> Option<usize> {
        match self.named(branch.strip_prefix(COOKIE)?) {
            Named::Own(worker) => Some(worker),
            Named::Other => Some(0),
            Named::Nobody => None,
        }
    }

    /// Whose a message is, as far as its ids tell: a response by its branch, a request by To tag and Call-ID. An INVITE
    /// that is to take the place of a call (RFC 3891) is that call's worker's.
    pub(super) fn owner(&self, seen: &Peek<'_>) -> Named {
        if !seen.is_request {
            let branch = seen.branch.and_then(|branch| branch.strip_prefix(COOKIE));
            return branch.map_or(Named::Nobody, |branch| self.named(branch));
        }
        let ours = seen.to_tag.or(seen.replaces_tag);
        match ours.map_or(Named::Nobody, |tag| self.named(tag)) {
            Named::Nobody => self.named(seen.call_id),
            named => named,
        }
    }

    /// The worker of a call that a peer began.
    pub(super) fn by_call_id(&self, call_id: &[u8]) -> usize {
        let hash = self.fingerprint(call_id);
        usize::try_from(hash % self.count as u64).unwrap_or(0)
    }

    /// A hash that strangers cannot aim at.
    pub(super) fn fingerprint(&self, bytes: &[u8]) -> u64 {
        let mut hasher = DefaultHasher::new();
        hasher.write(&self.key);
        hasher.write(bytes);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_lead_back() {
        let naming = Naming::of(250, [7; 16]);
        for worker in [0, 1, 9, 15, 16, 249] {
            let prefix = naming.prefix(worker);
            assert_eq!(prefix.len(), PREFIX_LEN);
            assert_eq!(
                naming.named(format!("{prefix}abc").as_bytes()),
                Named::Own(worker)
            );
        }
        assert_eq!(naming.named(b"wff-x"), Named::Other);
        assert_eq!(naming.of_branch(b"z9hG4bKw10-x"), Some(16));
        assert_eq!(naming.of_branch(b"z9hG4bKwff-x"), Some(0));
        assert_eq!(naming.of_branch(b"z9hG4bKx"), None);
        for foreign in ["", "w0", "wzz-x", "x00-x", "w00x"] {
            assert_eq!(naming.named(foreign.as_bytes()), Named::Nobody, "{foreign}");
        }
        assert_eq!(naming.fingerprint(b"a"), naming.fingerprint(b"a"));
        assert_ne!(naming.fingerprint(b"a"), naming.fingerprint(b"b"));
        let other = Naming::of(250, [8; 16]);
        assert_ne!(naming.fingerprint(b"a"), other.fingerprint(b"a"));
    }
}
