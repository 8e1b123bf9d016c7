//! Tables of a fixed number of slots in a store that never forgets by itself.
//!
//! No backend of Spin's key-value store expires entries, so what is short-lived lies in slots that are used over and
//! over: the store is bounded. An id has four candidate slots, taken from its SHA-256. All four are searched for the
//! id's own entry first; then the first free or expired one is claimed; if others hold all four, the one that ends
//! first is overwritten. With 16,384 slots and a few hundred live entries that practically never happens; if it does,
//! the overwritten request would be served again when it is repeated, with the same `clientSessionId`.

use sha2::{Digest, Sha256};

use crate::host::{Host, HostError};

const CANDIDATES: usize = 4;
/// Bytes before the value: id (32), end in Unix seconds (8), claim in Unix milliseconds (8), claimant (8).
const HEAD: usize = 56;

/// A table of slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// What its keys begin with.
    pub name: &'static str,
    /// How many slots there are, at most 65,536.
    pub slots: u32,
}

/// What lies in a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    slot: u32,
    id: [u8; 32],
    end_s: u64,
    claimant: [u8; 8],
    /// When it was claimed, in Unix milliseconds.
    pub claimed_ms: u64,
    /// The value.
    pub value: Vec<u8>,
}

/// Whose an id is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Nobody had it; now it is ours.
    Mine(Entry),
    /// Somebody has it.
    Taken(Entry),
}

impl Table {
    /// Claims `id` for `ttl` seconds, with a value.
    ///
    /// # Errors
    /// When the store cannot be reached.
    pub fn claim<H: Host>(
        &self,
        host: &H,
        id: &str,
        value: &[u8],
        ttl: u32,
    ) -> Result<Claim, HostError> {
        let now_ms = host.now_ms();
        let hash = digest(id);
        let slots = self.candidates(&hash);
        let mut found = Vec::with_capacity(CANDIDATES);
        for slot in slots {
            let entry = self
                .read(host, slot)?
                .filter(|entry| entry.end_s > now_ms / 1000);
            if let Some(entry) = entry.as_ref().filter(|entry| entry.id == hash) {
                return Ok(Claim::Taken(entry.clone()));
            }
            found.push((slot, entry));
        }
        let mut claimant = [0; 8];
        host.random(&mut claimant);
        let new = |slot| Entry {
            slot,
            id: hash,
            end_s: (now_ms / 1000).saturating_add(u64::from(ttl)),
            claimant,
            claimed_ms: now_ms,
            value: value.to_vec(),
        };
        for (slot, _) in found.iter().filter(|(_, entry)| entry.is_none()) {
            let entry = new(*slot);
            if host.state_claim(&self.key(*slot), &entry.bytes(), ttl)? {
                return self.settle(host, entry, &slots);
            }
            if let Some(taken) = self.read(host, *slot)?.filter(|entry| entry.id == hash) {
                return Ok(Claim::Taken(taken));
            }
        }
        let ends_first = found
            .iter()
            .min_by_key(|(_, entry)| entry.as_ref().map_or(0, |entry| entry.end_s));
        let entry = new(ends_first.map_or(0, |(slot, _)| *slot));
        host.state_set(&self.key(entry.slot), &entry.bytes(), ttl)?;
        match self.read(host, entry.slot)? {
            Some(other) if other.id == hash && other.claimant != claimant => {
                Ok(Claim::Taken(other))
            }
            _ => self.settle(host, entry, &slots),
        }
    }

    /// Two claims of one id may end in two slots, if a slot came free between their looks. The earlier one holds.
    fn settle<H: Host>(
        &self,
        host: &H,
        entry: Entry,
        slots: &[u32; CANDIDATES],
    ) -> Result<Claim, HostError> {
        let now_s = host.now_ms() / 1000;
        for slot in slots.iter().filter(|slot| **slot != entry.slot) {
            let Some(other) = self.read(host, *slot)? else {
                continue;
            };
            if other.id == entry.id
                && other.end_s > now_s
                && (other.claimed_ms, other.slot) < (entry.claimed_ms, entry.slot)
            {
                host.state_delete(&self.key(entry.slot))?;
                return Ok(Claim::Taken(other));
            }
        }
        Ok(Claim::Mine(entry))
    }

    /// The entry of `id`, unless there is none or it has ended.
    ///
    /// # Errors
    /// When the store cannot be reached.
    pub fn find<H: Host>(&self, host: &H, id: &str) -> Result<Option<Entry>, HostError> {
        let (hash, now_s) = (digest(id), host.now_ms() / 1000);
        for slot in self.candidates(&hash) {
            if let Some(entry) = self
                .read(host, slot)?
                .filter(|entry| entry.id == hash && entry.end_s > now_s)
            {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// Puts another value in the place of an entry's, for `ttl` seconds from now.
    ///
    /// # Errors
    /// When the store cannot be reached.
    pub fn replace<H: Host>(
        &self,
        host: &H,
        entry: &Entry,
        value: &[u8],
        ttl: u32,
    ) -> Result<Entry, HostError> {
        let now_ms = host.now_ms();
        let entry = Entry {
            value: value.to_vec(),
            claimed_ms: now_ms,
            end_s: (now_ms / 1000).saturating_add(u64::from(ttl)),
            ..entry.clone()
        };
        host.state_set(&self.key(entry.slot), &entry.bytes(), ttl)?;
        Ok(entry)
    }

    /// Sets the value of `id`, whether it has one or not.
    ///
    /// # Errors
    /// When the store cannot be reached.
    pub fn put<H: Host>(
        &self,
        host: &H,
        id: &str,
        value: &[u8],
        ttl: u32,
    ) -> Result<(), HostError> {
        match self.claim(host, id, value, ttl)? {
            Claim::Mine(_) => Ok(()),
            Claim::Taken(entry) => self.replace(host, &entry, value, ttl).map(|_| ()),
        }
    }

    /// Gives a claim back.
    ///
    /// # Errors
    /// When the store cannot be reached.
    pub fn release<H: Host>(&self, host: &H, entry: &Entry) -> Result<(), HostError> {
        host.state_delete(&self.key(entry.slot))
    }

    fn key(&self, slot: u32) -> String {
        format!("{}/{slot:04x}", self.name)
    }

    fn candidates(&self, hash: &[u8; 32]) -> [u32; CANDIDATES] {
        let mut slots = [0; CANDIDATES];
        for (slot, pair) in slots.iter_mut().zip(hash.chunks_exact(2)) {
            if let [a, b] = pair {
                *slot = u32::from(u16::from_be_bytes([*a, *b])) % self.slots.max(1);
            }
        }
        slots
    }

    fn read<H: Host>(&self, host: &H, slot: u32) -> Result<Option<Entry>, HostError> {
        Ok(host
            .state_get(&self.key(slot))?
            .and_then(|bytes| Entry::read(slot, &bytes)))
    }
}

impl Entry {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + self.value.len());
        bytes.extend_from_slice(&self.id);
        bytes.extend_from_slice(&self.end_s.to_be_bytes());
        bytes.extend_from_slice(&self.claimed_ms.to_be_bytes());
        bytes.extend_from_slice(&self.claimant);
        bytes.extend_from_slice(&self.value);
        bytes
    }

    fn read(slot: u32, bytes: &[u8]) -> Option<Self> {
        let (id, rest) = bytes.split_first_chunk::<32>()?;
        let (end_s, rest) = rest.split_first_chunk::<8>()?;
        let (claimed_ms, rest) = rest.split_first_chunk::<8>()?;
        let (claimant, value) = rest.split_first_chunk::<8>()?;
        Some(Self {
            slot,
            id: *id,
            end_s: u64::from_be_bytes(*end_s),
            claimed_ms: u64::from_be_bytes(*claimed_ms),
            claimant: *claimant,
            value: value.to_vec(),
        })
    }
}

fn digest(id: &str) -> [u8; 32] {
    Sha256::digest(id.as_bytes()).into()
}

#[cfg(test)]
mod tests;
