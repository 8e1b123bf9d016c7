//! Whether media are encrypted.

use serde::{Deserialize, Serialize};
use skillcall_sip::sdp::{CryptoSuite, Srtp, SrtpPolicy};

/// Whether media are encrypted, by keys in the session descriptions (RFC 4568).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SrtpMode {
    /// Never; who insists on it is refused with 488.
    #[default]
    Off,
    /// Where the peer can.
    Preferred,
    /// Always; who cannot is refused with 488.
    Required,
}

/// Our suites, best first. The short tags come last: a forged packet passes them once in 2^32.
const SUITES: [CryptoSuite; 5] = [
    CryptoSuite::AeadAes128Gcm,
    CryptoSuite::AeadAes256Gcm,
    CryptoSuite::AesCm256Sha1_80,
    CryptoSuite::AesCm128Sha1_80,
    CryptoSuite::AesCm128Sha1_32,
];

impl SrtpMode {
    /// Fresh keys for one session.
    pub(crate) fn keys(self) -> Srtp {
        use rand::Rng;
        let policy = match self {
            Self::Off => return Srtp::default(),
            Self::Preferred => SrtpPolicy::Preferred,
            Self::Required => SrtpPolicy::Required,
        };
        Srtp::new(policy, SUITES, |bytes| rand::rng().fill_bytes(bytes))
    }
}
