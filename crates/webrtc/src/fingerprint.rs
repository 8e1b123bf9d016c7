//! Fingerprints of certificates (RFC 8122 §5): what ties a DTLS handshake to the descriptions.

use std::fmt;

use ring::digest::{self, Algorithm, SHA256, SHA384, SHA512};
use subtle::ConstantTimeEq;

/// The hash of a certificate, as a description has it.
#[derive(Clone, PartialEq, Eq)]
pub struct Fingerprint {
    hash: Hash,
    bytes: Vec<u8>,
}

/// The hash functions that are believed. SHA-1 is not: certificates can be made to share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    fn algorithm(self) -> &'static Algorithm {
        match self {
            Self::Sha256 => &SHA256,
            Self::Sha384 => &SHA384,
            Self::Sha512 => &SHA512,
        }
    }
}

impl Fingerprint {
    /// The SHA-256 fingerprint of a certificate in DER.
    pub fn of(certificate: &[u8]) -> Self {
        Self::with(Hash::Sha256, certificate)
    }

    fn with(hash: Hash, certificate: &[u8]) -> Self {
        Self {
            hash,
            bytes: digest::digest(hash.algorithm(), certificate)
                .as_ref()
                .to_vec(),
        }
    }

    /// Reads the value of `a=fingerprint`, in either case; `None` when its hash function is unknown or its length wrong.
    pub fn parse(value: &str) -> Option<Self> {
        let (name, hex) = value.trim().split_once(' ')?;
        let hash = Hash::ALL
            .into_iter()
            .find(|hash| hash.name().eq_ignore_ascii_case(name))?;
        let bytes = hex
            .trim()
            .split(':')
            .map(|pair| match pair.as_bytes() {
                [_, _] => u8::from_str_radix(pair, 16).ok(),
                _ => None,
            })
            .collect::<Option<Vec<_>>>()?;
        (bytes.len() == hash.algorithm().output_len()).then_some(Self { hash, bytes })
    }

    /// Whether it is that of this certificate in DER.
    pub fn matches(&self, certificate: &[u8]) -> bool {
        Self::with(self.hash, certificate)
            .bytes
            .ct_eq(&self.bytes)
            .into()
    }
}

impl fmt::Display for Fingerprint {
    /// As the value of `a=fingerprint`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hash.name())?;
        for (at, byte) in self.bytes.iter().enumerate() {
            write!(f, "{}{byte:02X}", if at == 0 { ' ' } else { ':' })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_read_and_compared() {
        let print = Fingerprint::of(b"a certificate");
        let text = print.to_string();
        assert!(text.starts_with("sha-256 "));
        assert_eq!(text.len(), 8 + 32 * 3 - 1);
        assert_eq!(Fingerprint::parse(&text), Some(print.clone()));
        assert_eq!(
            Fingerprint::parse(&text.to_ascii_lowercase().replace("sha", "SHA")),
            Some(print.clone())
        );
        assert!(print.matches(b"a certificate"));
        assert!(!print.matches(b"another certificate"));
    }

    #[test]
    fn weak_short_and_broken_ones_are_not_read() {
        let text = Fingerprint::of(b"x").to_string();
        for wrong in [
            "sha-1 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33",
            "sha-256",
            "sha-256 00:11",
            &text.replace("sha-256", "sha-512"),
            &text.replace(':', ""),
            &text.replacen(':', ":+", 1),
        ] {
            assert_eq!(Fingerprint::parse(wrong), None, "{wrong}");
        }
    }
}
