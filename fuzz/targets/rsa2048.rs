//! Our RSA arithmetic against the crate `rsa`: any modulus, any signature (RFC 8017 §5.2.2).
#![no_main]

use rsa::{BoxedUint, RsaPublicKey, hazmat::rsa_encrypt};
use skillcall_rsa2048::{Arithmetic, Key};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((modulus, rest)) = data.split_first_chunk::<256>() else {
        return;
    };
    let Some(signature) = rest.first_chunk::<256>() else {
        return;
    };
    let ours = Key::new(modulus);
    assert_eq!(ours.is_ok(), modulus[0] >= 0x80 && modulus[255] % 2 == 1);
    let Ok(ours) = ours else { return };
    assert_eq!(Key::from_bytes(&ours.to_bytes()).as_ref(), Ok(&ours));
    let n = BoxedUint::from_be_slice(modulus, 2048).expect("256 bytes");
    let key = RsaPublicKey::new(n, BoxedUint::from(65537u64)).expect("odd, 2048 bits");
    let recovered = ours.recover(signature);
    assert_eq!(recovered.is_some(), signature < modulus);
    assert_eq!(ours.recover_by(Arithmetic::Fused, signature), recovered);
    if let Some(recovered) = recovered {
        let message = BoxedUint::from_be_slice(signature, 2048).expect("256 bytes");
        let expected = rsa_encrypt(&key, &message).expect("below the modulus");
        assert_eq!(recovered[..], expected.to_be_bytes()[..]);
    }
});
