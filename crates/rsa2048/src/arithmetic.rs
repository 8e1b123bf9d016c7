//! The ways to compute a power.

#[cfg(any(feature = "relaxed-simd", not(target_arch = "wasm32")))]
use crate::fused;
use crate::montgomery::{Modulus, Number};

/// A way to compute signature^65537 mod n.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// Integers of 28 bits: anywhere.
    Portable,
    /// Doubles, with a multiply-add that rounds once: in WebAssembly with the feature `relaxed-simd`, if the engine's does.
    /// Elsewhere for comparison: it may be very slow.
    #[cfg(any(feature = "relaxed-simd", not(target_arch = "wasm32")))]
    Fused,
}

impl Arithmetic {
    /// The fastest that gives right results here.
    #[must_use]
    pub fn fastest() -> Self {
        #[cfg(all(feature = "relaxed-simd", target_arch = "wasm32"))]
        if fused::is_fused() {
            return Self::Fused;
        }
        Self::Portable
    }

    /// signature^65537 mod n, below 2n. `r_squared` is R² mod n, R = 2^2128.
    pub(crate) fn power(self, n: &Modulus, r_squared: &Number, signature: &Number) -> Number {
        match self {
            Self::Portable => {
                let mut power = n.multiply(signature, r_squared);
                for _ in 0..16 {
                    power = n.square(&power);
                }
                // By the plain number: that takes R away again.
                n.multiply(&power, signature)
            }
            #[cfg(any(feature = "relaxed-simd", not(target_arch = "wasm32")))]
            Self::Fused => fused::power(n, r_squared, signature),
        }
    }
}
