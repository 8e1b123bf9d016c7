//! RSA signatures (PKCS #1 v1.5, RFC 8017 §8.2): those of requests by [`skillcall_rsa2048`] where the key allows it, all
//! others, and a chain's own, by the crate `rsa`.

use rsa::pkcs1::DecodeRsaPublicKey;
use rsa::traits::PublicKeyParts;
use rsa::{Pkcs1v15Sign, RsaPublicKey};
use rustls_pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::chain::SigningKey;
use crate::http::Body;

/// Which hash goes with RSA.
#[derive(Debug, Clone, Copy)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// RSA PKCS #1 v1.5 with one of the hashes.
#[derive(Debug)]
struct Rsa(Hash);

impl SignatureVerificationAlgorithm for Rsa {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let key = RsaPublicKey::from_pkcs1_der(public_key).map_err(|_| InvalidSignature)?;
        match self.0 {
            Hash::Sha256 => key.verify(
                Pkcs1v15Sign::new::<Sha256>(),
                &Sha256::digest(message),
                signature,
            ),
            Hash::Sha384 => key.verify(
                Pkcs1v15Sign::new::<Sha384>(),
                &Sha384::digest(message),
                signature,
            ),
            Hash::Sha512 => key.verify(
                Pkcs1v15Sign::new::<Sha512>(),
                &Sha512::digest(message),
                signature,
            ),
        }
        .map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_ENCRYPTION
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        match self.0 {
            Hash::Sha256 => alg_id::RSA_PKCS1_SHA256,
            Hash::Sha384 => alg_id::RSA_PKCS1_SHA384,
            Hash::Sha512 => alg_id::RSA_PKCS1_SHA512,
        }
    }
}

/// What the signatures in a chain may be made with. Amazon's chains are RSA with SHA-256 throughout.
pub(super) const IN_CHAINS: &[&dyn SignatureVerificationAlgorithm] =
    &[&Rsa(Hash::Sha256), &Rsa(Hash::Sha384), &Rsa(Hash::Sha512)];

/// The exponent of all keys that are in use.
const F4: u32 = 65537;

/// The key (PKCS #1 DER) prepared for the quick arithmetic; none when it is not for this key.
pub(super) fn prepared(pkcs1: &[u8]) -> Option<Vec<u8>> {
    let key = RsaPublicKey::from_pkcs1_der(pkcs1).ok()?;
    let exponent = key.e().to_be_bytes_trimmed_vartime();
    if exponent[..] != F4.to_be_bytes()[1..] {
        return None;
    }
    let modulus = key.n().to_be_bytes();
    let key = skillcall_rsa2048::Key::new(&modulus).ok()?;
    Some(key.to_bytes().to_vec())
}

/// Whether `signature` over `message` was made with the key, with SHA-256 (facts B: `Signature-256`).
pub(super) fn is_signed(key: &SigningKey, message: &Body<'_>, signature: &[u8]) -> bool {
    let prepared = key.prepared.as_deref();
    match prepared.map(skillcall_rsa2048::Key::from_bytes) {
        Some(Ok(key)) => key.verifies(&message.sha256, signature),
        Some(Err(_)) | None => by_the_crate(&key.pkcs1, message.bytes, signature),
    }
}

/// The same by the crate `rsa`, with any key (PKCS #1 DER).
pub(super) fn by_the_crate(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    Rsa(Hash::Sha256)
        .verify_signature(key, message, signature)
        .is_ok()
}
