//! Keys, and what is signed with them.

use crate::arithmetic::Arithmetic;
use crate::montgomery::{BYTES, Modulus, Number, from_bytes, to_bytes};

/// `DigestInfo` of SHA-256 up to the hash (RFC 8017 §9.2, note 1).
const DIGEST_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];

/// The modulus is not what this crate verifies with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidKey;

impl std::fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the modulus is even or has not 2048 bits")
    }
}

impl std::error::Error for InvalidKey {}

/// An RSA-2048 key with the exponent 65537, with what its verifications need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    modulus: Modulus,
    r_squared: Number,
}

impl Key {
    /// The length of [`Self::to_bytes`].
    pub const BYTES: usize = 2 * BYTES;

    /// The key of this modulus, big-endian; leading zeros do not matter. Prepares it: a tenth of a verification's work
    /// again and again, so that a key that is used twice is better kept by [`Self::to_bytes`].
    ///
    /// # Errors
    /// When the modulus is even or has not exactly 2048 bits.
    pub fn new(modulus: &[u8]) -> Result<Self, InvalidKey> {
        let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
        let bytes: &[u8; BYTES] = modulus[zeros..].try_into().map_err(|_| InvalidKey)?;
        let modulus = Modulus::new(bytes).ok_or(InvalidKey)?;
        let r_squared = modulus.reduced(modulus.r_squared());
        Ok(Self { modulus, r_squared })
    }

    /// The key as it was prepared. `bytes` must come from [`Self::to_bytes`]: with others nothing verifies, or what should
    /// not, as with any wrong key.
    ///
    /// # Errors
    /// When the bytes are not of that form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidKey> {
        let bytes: &[u8; Self::BYTES] = bytes.try_into().map_err(|_| InvalidKey)?;
        let (modulus, rest) = bytes.split_first_chunk().ok_or(InvalidKey)?;
        let modulus = Modulus::new(modulus).ok_or(InvalidKey)?;
        let r_squared = from_bytes(rest.try_into().map_err(|_| InvalidKey)?);
        if !modulus.exceeds(&r_squared) {
            return Err(InvalidKey);
        }
        Ok(Self { modulus, r_squared })
    }

    /// Modulus and R² mod n, 256 bytes each.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let (modulus, r_squared) = bytes.split_at_mut(BYTES);
        modulus.copy_from_slice(&to_bytes(self.modulus.number()));
        r_squared.copy_from_slice(&to_bytes(&self.r_squared));
        bytes
    }

    /// Whether `signature` was made with this key for a message of this SHA-256.
    ///
    /// It must have exactly 256 bytes and be below the modulus (RFC 8017 §8.2.2 step 1, §5.2.2 step 1), and
    /// what comes out must be the whole encoding (§9.2): nothing in it is searched for or skipped.
    #[must_use]
    pub fn verifies(&self, hash: &[u8; 32], signature: &[u8]) -> bool {
        let recovered = signature.try_into().ok().and_then(|s| self.recover(s));
        recovered == Some(encoding(hash))
    }

    /// The encoded message that a signature holds (RSAVP1, RFC 8017 §5.2.2), big-endian; none when the signature is not
    /// below the modulus.
    #[must_use]
    pub fn recover(&self, signature: &[u8; BYTES]) -> Option<[u8; BYTES]> {
        self.recover_by(Arithmetic::fastest(), signature)
    }

    /// [`Self::recover`] by this arithmetic; the result is the same by each.
    #[must_use]
    pub fn recover_by(
        &self,
        arithmetic: Arithmetic,
        signature: &[u8; BYTES],
    ) -> Option<[u8; BYTES]> {
        let signature = from_bytes(signature);
        self.modulus.exceeds(&signature).then(|| {
            let power = arithmetic.power(&self.modulus, &self.r_squared, &signature);
            to_bytes(&self.modulus.reduced(power))
        })
    }
}

/// EMSA-PKCS1-v1_5 (RFC 8017 §9.2).
fn encoding(hash: &[u8; 32]) -> [u8; BYTES] {
    let mut encoded = [0xff; BYTES];
    encoded[0] = 0;
    encoded[1] = 1;
    let tail = DIGEST_INFO.len() + hash.len();
    encoded[BYTES - tail - 1] = 0;
    encoded[BYTES - tail..BYTES - hash.len()].copy_from_slice(&DIGEST_INFO);
    encoded[BYTES - hash.len()..].copy_from_slice(hash);
    encoded
}
