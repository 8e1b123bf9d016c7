//! Encryption of what is kept: XChaCha20-Poly1305 with a random nonce, bound to the place that it lies at.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use skillcall_protocol::signing::{Key, KeyRing};

/// Bytes of a nonce: so many that random ones never meet.
pub(super) const NONCE: usize = 24;
/// The form of the bytes: this number, the key id's length, the key id, the nonce, the ciphertext.
const FORM: u8 = 1;
/// Parts this use of a key from every other.
const PURPOSE: &[u8] = b"skillcall-token-seal-1";

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&key.mac(PURPOSE).into())
}

/// Encrypts with the first key. None only when the cipher refuses, which it does for no length that occurs.
pub(super) fn seal(
    keys: &KeyRing,
    place: &str,
    plain: &[u8],
    nonce: [u8; NONCE],
) -> Option<Vec<u8>> {
    let key = keys.signing();
    let payload = Payload {
        msg: plain,
        aad: place.as_bytes(),
    };
    let ciphertext = cipher(key).encrypt(&XNonce::from(nonce), payload).ok()?;
    let id = key.id().as_bytes();
    let mut bytes = vec![FORM, u8::try_from(id.len()).ok()?];
    bytes.extend_from_slice(id);
    bytes.extend_from_slice(&nonce);
    bytes.extend_from_slice(&ciphertext);
    Some(bytes)
}

/// Decrypts with the key that the bytes name; none when it is not there, or the bytes are not what was sealed at this place.
pub(super) fn open(keys: &KeyRing, place: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    let (&[FORM, length], rest) = bytes.split_first_chunk::<2>()? else {
        return None;
    };
    let (id, rest) = rest.split_at_checked(usize::from(length))?;
    let (nonce, ciphertext) = rest.split_first_chunk::<NONCE>()?;
    let key = keys.find(std::str::from_utf8(id).ok()?)?;
    let payload = Payload {
        msg: ciphertext,
        aad: place.as_bytes(),
    };
    cipher(key).decrypt(&XNonce::from(*nonce), payload).ok()
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn ring(keys: &[(&str, u8)]) -> KeyRing {
        let text: Vec<String> = keys
            .iter()
            .map(|(id, byte)| format!("{id}:{}", STANDARD.encode([*byte; 32])))
            .collect();
        KeyRing::parse(&text.join(",")).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_at_its_place_with_its_key_alone() {
        let old = ring(&[("a", 1)]);
        let sealed = seal(&old, "here", b"secret", [9; NONCE]).unwrap();
        assert!(!sealed.windows(6).any(|bytes| bytes == b"secret"));
        assert_eq!(open(&old, "here", &sealed).unwrap(), b"secret");
        assert_eq!(open(&old, "there", &sealed), None);
        assert_eq!(open(&ring(&[("a", 2)]), "here", &sealed), None);
        assert_eq!(open(&ring(&[("b", 1)]), "here", &sealed), None);
        let both = ring(&[("b", 2), ("a", 1)]);
        assert_eq!(
            open(&both, "here", &sealed).unwrap(),
            b"secret",
            "while keys are being changed"
        );
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert_eq!(open(&old, "here", &altered), None, "byte {at}");
            assert_eq!(open(&old, "here", &sealed[..at]), None, "cut at {at}");
        }
    }
}
