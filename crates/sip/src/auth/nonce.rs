//! The server's nonces: made without keeping anything, bound to a source, ageing, and each count good once.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::algorithm::hex;

/// How many counts below the highest seen are still told apart: a client may send requests at once, and UDP reorders.
const WINDOW: u32 = 64;

/// What a nonce is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NonceVerdict {
    /// Ours, for this source, young enough, and not used with this count before.
    Good,
    /// Ours, but too old, or no longer remembered: the client tries again with a new one.
    Stale,
    /// Ours, but this count was used: a replay, or a client that does not count.
    Replayed,
    /// Not ours, or made for another source.
    Foreign,
}

/// Makes and judges nonces.
///
/// A nonce is the time it was made at, 64 random bits, and an HMAC of both and of the source's address under a secret.
/// So a flood of requests without credentials fills nothing. What is kept are the counts of nonces that a right answer
/// came with, in a bounded table; when it is full the oldest nonces become stale.
#[derive(Debug)]
pub struct Nonces {
    key: [u8; 32],
    epoch: Instant,
    lifetime: Duration,
    capacity: usize,
    used: HashMap<(u64, u64), Used>,
    /// The same by age.
    ages: BTreeMap<(u64, u64), ()>,
    /// Nonces made before this were forgotten.
    floor: u64,
}

#[derive(Debug, Clone, Copy)]
struct Used {
    highest: u32,
    /// Bit n: the count `highest - n` was seen.
    seen: u64,
}

impl Nonces {
    /// Nonces under the secret `key` (random, from the operating system) that live for `lifetime`; `now` is where its
    /// clock begins. At most `capacity` nonces are remembered as used, at least one.
    pub fn new(key: [u8; 32], now: Instant, lifetime: Duration, capacity: usize) -> Self {
        Self {
            key,
            epoch: now,
            lifetime,
            capacity: capacity.max(1),
            used: HashMap::new(),
            ages: BTreeMap::new(),
            floor: 0,
        }
    }

    fn millis(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.epoch).as_millis();
        u64::try_from(since).unwrap_or(u64::MAX)
    }

    fn mac(&self, time: u64, random: u64, source: IpAddr) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else {
            // HMAC takes keys of any length.
            return String::new();
        };
        mac.update(&time.to_be_bytes());
        mac.update(&random.to_be_bytes());
        match source {
            IpAddr::V4(ip) => mac.update(&ip.octets()),
            IpAddr::V6(ip) => mac.update(&ip.octets()),
        }
        let whole = mac.finalize().into_bytes();
        hex(whole.get(..16).unwrap_or_default())
    }

    /// A nonce for `source`; `random` are 64 random bits.
    pub fn make(&self, now: Instant, source: IpAddr, random: u64) -> String {
        let time = self.millis(now);
        format!("{time:016x}{random:016x}{}", self.mac(time, random, source))
    }

    fn read(&self, nonce: &str, source: IpAddr) -> Option<(u64, u64)> {
        let part = |from: usize, to: usize| {
            let text = nonce.get(from..to)?;
            if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return None;
            }
            u64::from_str_radix(text, 16).ok()
        };
        let (time, random) = (part(0, 16)?, part(16, 32)?);
        let mac = self.mac(time, random, source);
        let same = nonce.get(32..)?.as_bytes().ct_eq(mac.as_bytes());
        bool::from(same).then_some((time, random))
    }

    /// Whether `nonce` may still be used by `source`, its count not looked at. For a look before the proof is checked.
    pub fn age(&self, now: Instant, source: IpAddr, nonce: &str) -> NonceVerdict {
        let Some((time, _)) = self.read(nonce, source) else {
            return NonceVerdict::Foreign;
        };
        let lifetime = u64::try_from(self.lifetime.as_millis()).unwrap_or(u64::MAX);
        if self.millis(now).saturating_sub(time) > lifetime || time < self.floor {
            return NonceVerdict::Stale;
        }
        NonceVerdict::Good
    }

    /// Takes note that `nonce` was used with `count` by one who proved to know the secret. A `count` of 0 stands for a
    /// client of RFC 2069, which does not count: its nonce is good once.
    pub fn spend(&mut self, now: Instant, source: IpAddr, nonce: &str, count: u32) -> NonceVerdict {
        let verdict = self.age(now, source, nonce);
        if verdict != NonceVerdict::Good {
            return verdict;
        }
        let Some(id) = self.read(nonce, source) else {
            return NonceVerdict::Foreign;
        };
        if let Some(used) = self.used.get_mut(&id) {
            if count > used.highest {
                let by = count - used.highest;
                used.seen = used.seen.checked_shl(by).unwrap_or(0) | 1;
                used.highest = count;
                return NonceVerdict::Good;
            }
            let behind = used.highest - count;
            if behind >= WINDOW || used.seen & (1 << behind) != 0 {
                return NonceVerdict::Replayed;
            }
            used.seen |= 1 << behind;
            return NonceVerdict::Good;
        }
        self.forget_old(now);
        if self.used.len() >= self.capacity
            && let Some((oldest, ())) = self.ages.pop_first()
        {
            self.used.remove(&oldest);
            self.floor = self.floor.max(oldest.0.saturating_add(1));
            if id.0 < self.floor {
                return NonceVerdict::Stale;
            }
        }
        self.ages.insert(id, ());
        self.used.insert(
            id,
            Used {
                highest: count,
                seen: 1,
            },
        );
        NonceVerdict::Good
    }

    /// How many nonces are remembered as used.
    pub fn remembered(&self) -> usize {
        self.used.len()
    }

    fn forget_old(&mut self, now: Instant) {
        let lifetime = u64::try_from(self.lifetime.as_millis()).unwrap_or(u64::MAX);
        let now = self.millis(now);
        while let Some(entry) = self.ages.first_entry() {
            let id = *entry.key();
            if now.saturating_sub(id.0) <= lifetime {
                break;
            }
            entry.remove();
            self.used.remove(&id);
        }
    }
}
