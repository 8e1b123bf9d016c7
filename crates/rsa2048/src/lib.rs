//! Verifies RSA signatures (PKCS #1 v1.5 with SHA-256, RFC 8017 §8.2.2) of 2048-bit keys with the exponent 65537: what
//! Alexa signs with (facts B). Keys of another size or exponent are the crate `rsa`'s, which is also this crate's oracle.
//!
//! WebAssembly multiplies 64 by 64 bits into 64, not 128, so that arithmetic made for processors loses a factor of five
//! in it. Here a number is 76 limbs of 28 bits. A product of two limbs has 56 bits, and as many as a column has fit
//! into 64 bits without a carry, so that the inner loop is multiplications and additions alone, two to four at a time with
//! WebAssembly's fixed-width vectors.
//!
//! With the feature `relaxed-simd` a module uses WebAssembly's relaxed vectors as well, which not every engine takes: its
//! fused multiply-add is three times as fast ([`Arithmetic::Fused`]). Whether the engine fuses is tried at run time.
//!
//! Only public values are handled, so nothing here need take the same time for each of them.

mod arithmetic;
#[cfg(any(feature = "relaxed-simd", not(target_arch = "wasm32")))]
mod fused;
mod key;
mod montgomery;

pub use arithmetic::Arithmetic;
pub use key::{InvalidKey, Key};
