//! Which worker a message belongs to.
//!
//! Workers begin their branches, tags and Call-IDs with a number of their own, so responses, requests within dialogs and
//! requests within outgoing calls lead back. Every other call belongs to the worker that its Call-ID's hash names, from
//! the first INVITE to the last ACK.
//!
//! A process that has taken over from one that still has calls marks its ids with another generation, so that ids tell
//! which of both made them.

use std::hash::{DefaultHasher, Hasher};

use skillcall_sip::peek::Peek;

/// What a branch of RFC 3261 begins with (§8.1.1.7).
const COOKIE: &[u8] = b"z9hG4bK";
/// Two hexadecimal digits.
const NUMBERS: usize = 256;

/// Generations that ids can tell apart: none marked, and 26 letters.
const GENERATIONS: u8 = 27;

/// The numbers of the workers, and the key of its hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Naming {
    count: usize,
    generation: u8,
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
    /// The names of so many workers of a generation, and a key of its own.
    pub(crate) fn new(workers: usize, generation: u8) -> Self {
        Self::of(workers, generation, rand::random())
    }

    pub(super) fn of(workers: usize, generation: u8, key: [u8; 16]) -> Self {
        Self {
            count: workers.clamp(1, NUMBERS),
            generation: generation % GENERATIONS,
            key,
        }
    }

    /// The generation of these names: 0 where no process was taken over from.
    pub(crate) const fn generation(&self) -> u8 {
        self.generation
    }

    /// The generation that follows one; after the last one comes the first one again.
    pub(crate) const fn generation_after(generation: u8) -> u8 {
        (generation + 1) % GENERATIONS
    }

    /// What a worker's branches (behind the cookie), tags and Call-IDs begin with: `w`, its number in hex, the generation's
    /// letter unless it is 0, `-`.
    pub(crate) fn prefix(&self, worker: usize) -> String {
        let worker = worker % NUMBERS;
        match self.generation.checked_sub(1) {
            None => format!("w{worker:02x}-"),
            Some(letter) => format!("w{worker:02x}{}-", char::from(b'a' + letter)),
        }
    }

    /// Whose name an id begins with.
    pub(super) fn named(&self, id: &[u8]) -> Named {
        match parts(id) {
            None => Named::Nobody,
            Some((worker, generation)) if generation == self.generation && worker < self.count => {
                Named::Own(worker)
            }
            Some(_) => Named::Other,
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

/// The worker's number and the generation that an id begins with; none: no worker made it.
fn parts(id: &[u8]) -> Option<(usize, u8)> {
    let [b'w', high, low, rest @ ..] = id else {
        return None;
    };
    let generation = match rest {
        [b'-', ..] => 0,
        [letter @ b'a'..=b'z', b'-', ..] => letter - b'a' + 1,
        _ => return None,
    };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let worker = digit(*high)? * 16 + digit(*low)?;
    Some((usize::try_from(worker).ok()?, generation))
}

/// The generation of a tag or Call-ID that a worker made, of whichever process.
pub(super) fn generation_of(id: &[u8]) -> Option<u8> {
    parts(id).map(|(_, generation)| generation)
}

/// The same of a branch.
pub(super) fn generation_of_branch(branch: &[u8]) -> Option<u8> {
    generation_of(branch.strip_prefix(COOKIE)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_lead_back() {
        let naming = Naming::of(250, 0, [7; 16]);
        for worker in [0, 1, 9, 15, 16, 249] {
            let prefix = naming.prefix(worker);
            assert_eq!(prefix.len(), 4);
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
        let other = Naming::of(250, 0, [8; 16]);
        assert_ne!(naming.fingerprint(b"a"), other.fingerprint(b"a"));
    }

    #[test]
    fn each_generation_knows_its_own() {
        let mut generation = 0;
        let all: Vec<Naming> = (0..GENERATIONS)
            .map(|_| {
                let naming = Naming::of(4, generation, [7; 16]);
                generation = Naming::generation_after(generation);
                naming
            })
            .collect();
        assert_eq!(generation, 0, "the first one again");
        for (place, naming) in all.iter().enumerate() {
            let id = format!("{}1.2.3", naming.prefix(3));
            assert_eq!(generation_of(id.as_bytes()), u8::try_from(place).ok());
            let branch = format!("z9hG4bK{id}");
            assert_eq!(
                generation_of_branch(branch.as_bytes()),
                Some(naming.generation())
            );
            for (other_place, other) in all.iter().enumerate() {
                let expected = if place == other_place {
                    Named::Own(3)
                } else {
                    Named::Other
                };
                assert_eq!(
                    other.named(id.as_bytes()),
                    expected,
                    "{place} {other_place}"
                );
            }
        }
        for foreign in ["w00", "w00a", "w00A-x", "w00ab-x", "wa-", "z9hG4bKw00-1"] {
            assert_eq!(generation_of(foreign.as_bytes()), None, "{foreign}");
        }
    }
}
