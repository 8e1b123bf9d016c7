//! Against the crate `rsa`: arbitrary and extreme moduli and signatures, and signatures that were made with a key.

use proptest::prelude::*;
use rsa::hazmat::rsa_encrypt;
use rsa::traits::{PublicKeyParts, SignatureScheme};
use rsa::{BoxedUint, Pkcs1v15Sign, RsaPrivateKey, RsaPublicKey};
use sha2::{Digest, Sha256};
use skillcall_rsa2048::{Arithmetic, InvalidKey, Key};

type Bytes = [u8; 256];

/// Random bytes with runs of ones and zeros: where carries go far.
fn number() -> impl Strategy<Value = Bytes> {
    let run = (0usize..256, 0usize..256, prop_oneof![Just(0u8), Just(0xff)]);
    let runs = prop::collection::vec(run, 0..4);
    (prop::array::uniform32(any::<[u8; 8]>()), runs).prop_map(|(random, runs)| {
        let mut bytes = [0; 256];
        for (to, from) in bytes.iter_mut().zip(random.iter().flatten()) {
            *to = *from;
        }
        for (from, length, value) in runs {
            let end = (from + length).min(256);
            bytes[from..end].fill(value);
        }
        bytes
    })
}

fn modulus() -> impl Strategy<Value = Bytes> {
    number().prop_map(|mut bytes| {
        bytes[0] |= 0x80;
        bytes[255] |= 1;
        bytes
    })
}

/// What both make of it.
fn compared(modulus: &Bytes, signature: &Bytes) -> Option<Bytes> {
    let ours = Key::new(modulus).expect("odd, 2048 bits");
    assert_eq!(Key::from_bytes(&ours.to_bytes()).as_ref(), Ok(&ours));
    let recovered = ours.recover(signature);
    assert_eq!(recovered.is_some(), signature < modulus);
    for arithmetic in [Arithmetic::Portable, Arithmetic::Fused] {
        assert_eq!(ours.recover_by(arithmetic, signature), recovered);
    }
    let n = BoxedUint::from_be_slice(modulus, 2048).expect("256 bytes");
    let key = RsaPublicKey::new(n, BoxedUint::from(65537u64)).expect("odd, 2048 bits");
    if let Some(recovered) = recovered {
        let message = BoxedUint::from_be_slice(signature, 2048).expect("256 bytes");
        let expected = rsa_encrypt(&key, &message).expect("below the modulus");
        assert_eq!(recovered[..], expected.to_be_bytes()[..]);
    }
    recovered
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn powers_are_the_crates(modulus in modulus(), signature in number()) {
        compared(&modulus, &signature);
    }

    #[test]
    fn numbers_around_the_modulus_are_told_apart(modulus in modulus(), less in 0u8..4) {
        let mut signature = modulus;
        signature[255] = modulus[255].saturating_sub(less);
        prop_assert_eq!(compared(&modulus, &signature).is_some(), signature < modulus);
    }
}

#[test]
fn extremes_are_the_crates() {
    let mut smallest = [0; 256];
    (smallest[0], smallest[255]) = (0x80, 1);
    for modulus in [[0xff; 256], smallest] {
        for last in 0..=3 {
            let mut low = [0; 256];
            low[255] = last;
            compared(&modulus, &low);
            let mut high = modulus;
            high[255] = modulus[255].wrapping_sub(last);
            compared(&modulus, &high);
        }
    }
}

#[test]
fn signatures_of_a_key_verify_and_nothing_else_does() {
    let mut random = rand::rng();
    let private = RsaPrivateKey::new(&mut random, 2048).expect("a key");
    let key = Key::new(&private.n().to_be_bytes()).expect("2048 bits");
    let hash: [u8; 32] = Sha256::digest(b"a body").into();
    let sign = |scheme: Pkcs1v15Sign| scheme.sign(Some(&mut rand::rng()), &private, &hash);
    let signature = sign(Pkcs1v15Sign::new::<Sha256>()).expect("signed");
    assert!(key.verifies(&hash, &signature));
    for place in (0..256).step_by(5) {
        let mut altered = signature.clone();
        altered[place] ^= 1 << (place % 8);
        assert!(!key.verifies(&hash, &altered), "byte {place}");
    }
    assert!(!key.verifies(&Sha256::digest(b"another").into(), &signature));
    // Without the DigestInfo it is no encoding of PKCS #1 v1.5 with a named hash.
    let unprefixed = sign(Pkcs1v15Sign::new_unprefixed()).expect("signed");
    assert!(!key.verifies(&hash, &unprefixed));
    for length in [0, 1, 255] {
        assert!(!key.verifies(&hash, &signature[..length]));
    }
    let longer = [&[0], &signature[..]].concat();
    assert!(!key.verifies(&hash, &longer), "257 bytes");
    // s + n is the same power, and must be refused (RFC 8017 §5.2.2 step 1) where it fits into 256 bytes.
    let (mut sum, mut carry) = (signature.clone(), 0);
    for (sum, n) in sum.iter_mut().zip(&*private.n().to_be_bytes()).rev() {
        let value = u16::from(*sum) + u16::from(*n) + carry;
        (*sum, carry) = (value as u8, value >> 8);
    }
    assert!(carry == 1 || !key.verifies(&hash, &sum));
}

#[test]
fn other_keys_are_not_taken() {
    let mut good = [0xff; 256];
    assert!(Key::new(&good).is_ok());
    assert!(
        Key::new(&[&[0, 0][..], &good].concat()).is_ok(),
        "leading zeros"
    );
    assert_eq!(Key::new(&good[1..]), Err(InvalidKey));
    assert_eq!(Key::new(&[&good[..], &[1]].concat()), Err(InvalidKey));
    good[255] = 0xfe;
    assert_eq!(Key::new(&good), Err(InvalidKey), "even");
    good[0] = 0x7f;
    assert_eq!(Key::new(&good), Err(InvalidKey), "2047 bits");
    assert_eq!(
        Key::from_bytes(&[0xff; 512]),
        Err(InvalidKey),
        "R² not below n"
    );
    assert_eq!(Key::from_bytes(&[0xff; 511]), Err(InvalidKey));
}
