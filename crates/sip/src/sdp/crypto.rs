//! Keys for SRTP in session descriptions (SDES, RFC 4568): `a=crypto`, and what is offered and taken.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

/// The most `a=crypto` lines of one media line that are looked at.
const MAX_LINES: usize = 16;

/// A crypto suite (RFC 4568 §6.2, RFC 6188 §4, RFC 7714 §14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CryptoSuite {
    /// `AES_CM_128_HMAC_SHA1_80`, which every peer has.
    AesCm128Sha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`.
    AesCm128Sha1_32,
    /// `AES_256_CM_HMAC_SHA1_80`.
    AesCm256Sha1_80,
    /// `AEAD_AES_128_GCM`.
    AeadAes128Gcm,
    /// `AEAD_AES_256_GCM`.
    AeadAes256Gcm,
}

impl CryptoSuite {
    const ALL: [(&'static str, Self, usize, usize); 5] = [
        ("AES_CM_128_HMAC_SHA1_80", Self::AesCm128Sha1_80, 16, 14),
        ("AES_CM_128_HMAC_SHA1_32", Self::AesCm128Sha1_32, 16, 14),
        ("AES_256_CM_HMAC_SHA1_80", Self::AesCm256Sha1_80, 32, 14),
        ("AEAD_AES_128_GCM", Self::AeadAes128Gcm, 16, 12),
        ("AEAD_AES_256_GCM", Self::AeadAes256Gcm, 32, 12),
    ];

    fn entry(self) -> (&'static str, usize, usize) {
        let found = Self::ALL.iter().find(|(_, suite, ..)| *suite == self);
        found.map_or(("", 0, 0), |(name, _, key, salt)| (name, *key, *salt))
    }

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        self.entry().0
    }

    /// Bytes of the master key.
    pub fn key_length(self) -> usize {
        self.entry().1
    }

    /// Bytes of the master salt.
    pub fn salt_length(self) -> usize {
        self.entry().2
    }

    fn from_name(name: &str) -> Option<Self> {
        let found = Self::ALL
            .iter()
            .find(|(known, ..)| known.eq_ignore_ascii_case(name));
        found.map(|(_, suite, ..)| *suite)
    }
}

/// A master key and salt for one direction. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SrtpKey {
    suite: CryptoSuite,
    bytes: Vec<u8>,
}

impl fmt::Debug for SrtpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SrtpKey({}, hidden)", self.suite.name())
    }
}

impl SrtpKey {
    /// A key of `suite`: the master key and behind it the salt; `None` if there are not exactly as many bytes as that.
    pub fn new(suite: CryptoSuite, key_and_salt: &[u8]) -> Option<Self> {
        (key_and_salt.len() == suite.key_length() + suite.salt_length()).then(|| Self {
            suite,
            bytes: key_and_salt.to_vec(),
        })
    }

    /// A new key; `fill` fills bytes with random ones from the operating system.
    pub fn random(suite: CryptoSuite, fill: impl FnOnce(&mut [u8])) -> Self {
        let mut bytes = vec![0; suite.key_length() + suite.salt_length()];
        fill(&mut bytes);
        Self { suite, bytes }
    }

    /// The suite.
    pub const fn suite(&self) -> CryptoSuite {
        self.suite
    }

    /// The master key.
    pub fn key(&self) -> &[u8] {
        self.bytes
            .get(..self.suite.key_length())
            .unwrap_or_default()
    }

    /// The master salt.
    pub fn salt(&self) -> &[u8] {
        self.bytes
            .get(self.suite.key_length()..)
            .unwrap_or_default()
    }
}

/// Whether media are to be encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SrtpPolicy {
    /// Never: `RTP/SAVP` is refused, keys are not looked at.
    #[default]
    Off,
    /// Where the peer can: offered are keys on an `RTP/AVP` line, which peers without SRTP pass over and others take.
    Preferred,
    /// Always: offered is `RTP/SAVP`, and what has no usable key is refused.
    Required,
}

/// Our wish and our keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Srtp {
    /// The wish.
    pub policy: SrtpPolicy,
    /// One key for each suite that we have, best first. They stay for the whole session, so that re-offers do not break
    /// the encryption of what is on its way.
    pub keys: Vec<SrtpKey>,
}

impl Srtp {
    /// Keys for these suites, best first.
    pub fn new(
        policy: SrtpPolicy,
        suites: impl IntoIterator<Item = CryptoSuite>,
        mut fill: impl FnMut(&mut [u8]),
    ) -> Self {
        let keys = suites
            .into_iter()
            .map(|suite| SrtpKey::random(suite, &mut fill))
            .collect();
        Self { policy, keys }
    }

    pub(super) fn is_on(&self) -> bool {
        self.policy != SrtpPolicy::Off && !self.keys.is_empty()
    }

    /// The first line of the peer's that we can take, and our key for it (RFC 4568 §5.1.2: the offerer's order counts).
    pub(super) fn choose<'a>(
        &'a self,
        lines: &'a [CryptoLine],
    ) -> Option<(&'a CryptoLine, &'a SrtpKey)> {
        if !self.is_on() {
            return None;
        }
        lines.iter().find_map(|line| {
            let own = self.keys.iter().find(|own| own.suite == line.key.suite)?;
            Some((line, own))
        })
    }

    /// The lines of an offer: each of our keys under a tag from 1 on.
    pub(super) fn offered(&self) -> impl Iterator<Item = CryptoLine> + '_ {
        (1..).zip(&self.keys).map(|(tag, key)| CryptoLine {
            tag,
            key: key.clone(),
        })
    }
}

/// The keys that were agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NegotiatedSrtp {
    /// The key that we encrypt with.
    pub send: SrtpKey,
    /// The key that the peer encrypts with.
    pub receive: SrtpKey,
    /// The tag of the line that was chosen.
    pub tag: u32,
}

/// An `a=crypto` line that we can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CryptoLine {
    pub(super) tag: u32,
    pub(super) key: SrtpKey,
}

/// The lines of a media line that we can use.
pub(super) fn crypto_of(media: &sdp_types::Media) -> Vec<CryptoLine> {
    let values = media
        .attributes
        .iter()
        .filter(|attribute| attribute.attribute.eq_ignore_ascii_case("crypto"))
        .filter_map(|attribute| attribute.value.as_deref());
    CryptoLine::list(values)
}

impl CryptoLine {
    /// Ours of what was agreed on.
    pub(super) fn of(agreed: &NegotiatedSrtp) -> Self {
        Self {
            tag: agreed.tag,
            key: agreed.send.clone(),
        }
    }

    /// Reads a value; `None` for one that cannot be used: an unknown suite, several keys or a key index (MKI), a key of
    /// the wrong length, or a session parameter that changes what is encrypted (RFC 4568 §6.3).
    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let tag = words.next()?;
        let tag = Some(tag)
            .filter(|tag| (1..=9).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_digit()))?
            .parse()
            .ok()?;
        let suite = CryptoSuite::from_name(words.next()?)?;
        let mut parts = strip(words.next()?, "inline:")?.split('|');
        let written = parts.next()?;
        let key = STANDARD
            .decode(written)
            .or_else(|_| STANDARD_NO_PAD.decode(written.trim_end_matches('=')))
            .ok()?;
        // A lifetime may follow; a key index holds a colon.
        let lifetime = parts.next();
        if lifetime.is_some_and(|part| part.contains([':', ';'])) || parts.next().is_some() {
            return None;
        }
        let harmless = words.all(|param| {
            param.starts_with('-')
                || strip(param, "WSH=").is_some()
                || strip(param, "FEC_ORDER=").is_some()
                || param.eq_ignore_ascii_case("KDR=0")
        });
        harmless.then_some(())?;
        Some(Self {
            tag,
            key: SrtpKey::new(suite, &key)?,
        })
    }

    /// All usable lines among these values; of one tag the first.
    pub(super) fn list<'a>(values: impl Iterator<Item = &'a str>) -> Vec<Self> {
        let mut lines: Vec<Self> = Vec::new();
        for line in values.take(MAX_LINES).filter_map(Self::parse) {
            if !lines.iter().any(|known| known.tag == line.tag) {
                lines.push(line);
            }
        }
        lines
    }
}

fn strip<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let start = text.get(..prefix.len())?;
    start
        .eq_ignore_ascii_case(prefix)
        .then(|| text.get(prefix.len()..))?
}

impl fmt::Display for CryptoLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = STANDARD.encode(&self.key.bytes);
        write!(f, "{} {} inline:{key}", self.tag, self.key.suite.name())
    }
}
