//! Tags, branches and Call-IDs that carry their own place in our tables.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A place in a table, its serial number, and 64 random bits that strangers cannot guess (RFC 3261 §19.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) index: u32,
    pub(super) serial: u32,
    pub(super) nonce: u64,
}

/// Makes and reads tokens: `<prefix><index>.<serial>.<nonce>` in hexadecimal. A message that carries one is found in
/// its table without a search, and checked against the whole of it.
#[derive(Debug)]
pub(super) struct Ids {
    random: StdRng,
    prefix: Box<str>,
}

impl Ids {
    pub(super) fn new(seed: [u8; 32], prefix: &str) -> Self {
        Self {
            random: StdRng::from_seed(seed),
            prefix: prefix.into(),
        }
    }

    pub(super) fn nonce(&mut self) -> u64 {
        self.random.next_u64()
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn write(&self, token: Token) -> String {
        let Token {
            index,
            serial,
            nonce,
        } = token;
        format!("{}{index:x}.{serial:x}.{nonce:016x}", self.prefix)
    }

    pub(super) fn read(&self, bytes: &[u8]) -> Option<Token> {
        let text = std::str::from_utf8(bytes)
            .ok()?
            .strip_prefix(&*self.prefix)?;
        let (index, rest) = text.split_once('.')?;
        let (serial, nonce) = rest.split_once('.')?;
        Some(Token {
            index: u32::from_str_radix(index, 16).ok()?,
            serial: u32::from_str_radix(serial, 16).ok()?,
            nonce: u64::from_str_radix(nonce, 16).ok()?,
        })
    }

    /// A client's nonce for digest authentication (RFC 7616 §3.4).
    pub(super) fn cnonce(&mut self) -> String {
        format!("{:016x}", self.random.next_u64())
    }

    /// Text nobody has used: for ACK branches, Call-IDs and the like.
    pub(super) fn unique(&mut self) -> String {
        format!(
            "{}{:016x}{:016x}",
            self.prefix,
            self.random.next_u64(),
            self.random.next_u64()
        )
    }
}
