//! The same multiplication in floating point: 42 limbs of 51 bits, R = 2^2142, and a multiply-add that rounds once.
//!
//! A double's 53 bits hold no product of two limbs, but with one rounding two of them do: x·y + 1.5·2^103 is rounded to a
//! multiple of 2^51, so that the lowest bits of its representation are h, the product's upper half; and
//! x·y − h·2^51 + 1.5·2^52 is exact, with the lower half in its lowest bits. Both are added up as integers. Columns begin
//! with what the two constants' bits will come to, below nothing, so that what is left at the end is the products' sum.
//! (Gueron and Krasnov's and Emmart's method, here with rounding to the nearest, which makes lower halves signed.)
//!
//! WebAssembly has such a multiply-add in its relaxed vectors only, and there an engine may round twice instead:
//! [`is_fused`] tells.

use crate::montgomery::{self, Modulus};
use pair::Pair;

/// Bits of a limb.
const BITS: u32 = 51;
const MASK: u64 = (1 << BITS) - 1;
/// Limbs of a number: an even number, for the vectors.
const LIMBS: usize = 42;
/// Limbs in one turn of a loop, a divisor of [`LIMBS`]: as in the portable arithmetic.
const STRIDE: usize = 14;
/// 1.5·2^103: what is added to it is rounded to a multiple of 2^51.
const HIGH: f64 = (3u128 << 102) as f64;
/// 1.5·2^52: what is added to it is rounded to an integer.
const LOW: f64 = (3u64 << 51) as f64;
/// Exact: 3·2^51·(2^51 + 1).
const BOTH: f64 = ((3u128 << 102) + (3u128 << 51)) as f64;

/// A number below 2^2142, the lowest limb first; each limb is below 2^51.
type Number = [u64; LIMBS];
/// Its limbs as doubles, exactly.
type Doubles = [f64; LIMBS];
/// Sums of products, by column.
type Columns = [i64; 2 * LIMBS];

/// Whether a multiply-add rounds once here.
#[cfg(any(test, target_arch = "wasm32"))]
pub(crate) fn is_fused() -> bool {
    // (1 + 2^-30)² − (1 + 2^-29) is 2^-60; a product that is rounded by itself has lost that.
    let x = 1.0 + 2f64.powi(-30);
    let sum = std::hint::black_box(-(1.0 + 2f64.powi(-29)));
    let x = std::hint::black_box(x);
    let result = Pair::of([x, -x]).multiply_add(Pair::of([x, x]), Pair::of([sum, -sum]));
    result.doubles() == [2f64.powi(-60), -(2f64.powi(-60))]
}

/// signature^65537 mod n, below 2n. `r_squared` is the portable arithmetic's, R = 2^2128.
pub(crate) fn power(
    modulus: &Modulus,
    r_squared: &montgomery::Number,
    signature: &montgomery::Number,
) -> montgomery::Number {
    let n = Fused::new(modulus);
    let signature = widened(signature, 0);
    // 2^4256 mod n, 28 places up, is 2^4284 = R² here: not reduced, but below 2^2076, so that the product is below 2n.
    let mut power = n.multiply(&signature, &widened(r_squared, 28));
    for _ in 0..16 {
        power = n.multiply(&power, &power);
    }
    narrowed(&n.multiply(&power, &signature))
}

struct Fused {
    n: Doubles,
    /// −1/n mod 2^51.
    inverse: u64,
}

impl Fused {
    fn new(modulus: &Modulus) -> Self {
        let n = widened(modulus.number(), 0);
        // Newton's iteration: each round doubles the bits that are right, from the 3 that n is of itself.
        let mut inverse = n[0];
        for _ in 0..5 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(n[0].wrapping_mul(inverse)));
        }
        Self {
            n: doubles(&n),
            inverse: inverse.wrapping_neg() & MASK,
        }
    }

    /// a·b/R mod n, below 2n, for a·b below n·R/2.
    fn multiply(&self, a: &Number, b: &Number) -> Number {
        let (mut low, mut high) = (LOW_BEGINS, HIGH_BEGINS);
        let b_doubles = doubles(b);
        let mut carry = 0i64;
        // Sums of this column but for the row's own products.
        let mut column = 0i64;
        for (row, limb) in a.iter().enumerate() {
            let known = column.wrapping_add(carry) as u64;
            // The constants' bits are multiples of 2^51: they do not count here.
            let lowest = known.wrapping_add(limb.wrapping_mul(b[0]));
            let q = lowest.wrapping_mul(self.inverse) & MASK;
            add_products(
                &mut low[row..row + LIMBS],
                &mut high[row..row + LIMBS],
                (*limb as f64, &b_doubles),
                (q as f64, &self.n),
            );
            let above = if row == 0 { 0 } else { high[row - 1] };
            // A multiple of 2^51 now; what is above goes on.
            carry = low[row].wrapping_add(above).wrapping_add(carry) >> BITS;
            column = low[row + 1].wrapping_add(high[row]);
        }
        let mut product = [0; LIMBS];
        for (place, limb) in product.iter_mut().enumerate() {
            let place = LIMBS + place;
            let sum = low[place].wrapping_add(high[place - 1]).wrapping_add(carry);
            *limb = sum as u64 & MASK;
            carry = sum >> BITS;
        }
        product
    }
}

/// How columns begin: the bits of `constant` will be added for each product of the column.
const fn begins(constant: f64) -> Columns {
    let mut columns = [0; 2 * LIMBS];
    let mut place = 0;
    while place < 2 * LIMBS - 1 {
        let rows = if place < LIMBS {
            place + 1
        } else {
            2 * LIMBS - 1 - place
        };
        // Two products a row: x·b and q·n.
        let bits = constant.to_bits().wrapping_mul(2 * rows as u64);
        columns[place] = bits.wrapping_neg() as i64;
        place += 1;
    }
    columns
}

const LOW_BEGINS: Columns = begins(LOW);
const HIGH_BEGINS: Columns = begins(HIGH);

/// Adds the halves of x·b + q·n, limb by limb. In all, a column gets 2·42 halves of less than 2^52 each way.
#[cfg_attr(
    target_arch = "wasm32",
    target_feature(enable = "simd128,relaxed-simd")
)]
fn add_products(low: &mut [i64], high: &mut [i64], xb: (f64, &Doubles), qn: (f64, &Doubles)) {
    let (x, q) = (Pair::both(xb.0), Pair::both(qn.0));
    let (round, exact) = (Pair::both(HIGH), Pair::both(BOTH));
    let (low, high) = (
        low.as_chunks_mut::<STRIDE>().0,
        high.as_chunks_mut::<STRIDE>().0,
    );
    let (b, n) = (xb.1.as_chunks::<STRIDE>().0, qn.1.as_chunks::<STRIDE>().0);
    for (((low, high), b), n) in low.iter_mut().zip(high).zip(b).zip(n) {
        let sums = low
            .as_chunks_mut::<2>()
            .0
            .iter_mut()
            .zip(high.as_chunks_mut::<2>().0);
        let limbs = b.as_chunks::<2>().0.iter().zip(n.as_chunks::<2>().0);
        for ((low, high), (b, n)) in sums.zip(limbs) {
            let (b, n) = (Pair::of(*b), Pair::of(*n));
            let upper_b = x.multiply_add(b, round);
            let upper_n = q.multiply_add(n, round);
            let lower_b = x.multiply_add(b, exact.less(upper_b));
            let lower_n = q.multiply_add(n, exact.less(upper_n));
            *high = pair::sum(*high, upper_b, upper_n);
            *low = pair::sum(*low, lower_b, lower_n);
        }
    }
}

fn doubles(number: &Number) -> Doubles {
    number.map(|limb| limb as i64 as f64)
}

/// The number times 2^`shift`.
fn widened(number: &montgomery::Number, shift: u32) -> Number {
    let mut wide = [0; LIMBS];
    let (mut rest, mut bits, mut place) = (0u128, shift, 0);
    for limb in number {
        rest |= u128::from(*limb) << bits;
        bits += montgomery::BITS;
        if bits >= BITS {
            // What is above 2^2142 is nothing: the numbers are below 2^2049, or 2^2076 with their shift.
            if let Some(wide) = wide.get_mut(place) {
                *wide = rest as u64 & MASK;
            }
            (rest, bits, place) = (rest >> BITS, bits - BITS, place + 1);
        }
    }
    if let Some(wide) = wide.get_mut(place) {
        *wide = rest as u64 & MASK;
    }
    wide
}

/// The number in the portable arithmetic's limbs; of numbers below 2^2128.
fn narrowed(number: &Number) -> montgomery::Number {
    let mut limbs = number.iter();
    let (mut rest, mut bits) = (0u128, 0);
    std::array::from_fn(|_| {
        if bits < montgomery::BITS {
            rest |= u128::from(limbs.next().copied().unwrap_or_default()) << bits;
            bits += BITS;
        }
        let limb = rest as u32 & montgomery::MASK;
        rest >>= montgomery::BITS;
        bits -= montgomery::BITS;
        limb
    })
}

/// Two doubles in WebAssembly's vectors.
#[cfg(target_arch = "wasm32")]
mod pair {
    use core::arch::wasm32::{
        f64x2, f64x2_extract_lane, f64x2_relaxed_madd, f64x2_splat, f64x2_sub, i64x2, i64x2_add,
        i64x2_extract_lane, v128,
    };

    #[derive(Clone, Copy)]
    pub(super) struct Pair(v128);

    impl Pair {
        #[inline]
        #[target_feature(enable = "simd128,relaxed-simd")]
        pub(super) fn of(doubles: [f64; 2]) -> Self {
            Self(f64x2(doubles[0], doubles[1]))
        }

        #[inline]
        #[target_feature(enable = "simd128,relaxed-simd")]
        pub(super) fn both(double: f64) -> Self {
            Self(f64x2_splat(double))
        }

        #[inline]
        #[target_feature(enable = "simd128,relaxed-simd")]
        pub(super) fn multiply_add(self, factor: Self, sum: Self) -> Self {
            Self(f64x2_relaxed_madd(self.0, factor.0, sum.0))
        }

        #[inline]
        #[target_feature(enable = "simd128,relaxed-simd")]
        pub(super) fn less(self, other: Self) -> Self {
            Self(f64x2_sub(self.0, other.0))
        }

        #[inline]
        #[target_feature(enable = "simd128,relaxed-simd")]
        pub(super) fn doubles(self) -> [f64; 2] {
            [
                f64x2_extract_lane::<0>(self.0),
                f64x2_extract_lane::<1>(self.0),
            ]
        }
    }

    /// The sum and the bits of two pairs.
    #[inline]
    #[target_feature(enable = "simd128,relaxed-simd")]
    pub(super) fn sum(sum: [i64; 2], a: Pair, b: Pair) -> [i64; 2] {
        let sum = i64x2_add(i64x2(sum[0], sum[1]), i64x2_add(a.0, b.0));
        [i64x2_extract_lane::<0>(sum), i64x2_extract_lane::<1>(sum)]
    }
}

/// Two doubles anywhere else.
#[cfg(not(target_arch = "wasm32"))]
mod pair {
    #[derive(Clone, Copy)]
    pub(super) struct Pair([f64; 2]);

    impl Pair {
        pub(super) fn of(doubles: [f64; 2]) -> Self {
            Self(doubles)
        }

        pub(super) fn both(double: f64) -> Self {
            Self([double; 2])
        }

        pub(super) fn multiply_add(self, factor: Self, sum: Self) -> Self {
            Self(std::array::from_fn(|lane| {
                self.0[lane].mul_add(factor.0[lane], sum.0[lane])
            }))
        }

        pub(super) fn less(self, other: Self) -> Self {
            Self(std::array::from_fn(|lane| self.0[lane] - other.0[lane]))
        }

        #[cfg(test)]
        pub(super) fn doubles(self) -> [f64; 2] {
            self.0
        }
    }

    /// The sum and the bits of two pairs.
    pub(super) fn sum(sum: [i64; 2], a: Pair, b: Pair) -> [i64; 2] {
        std::array::from_fn(|lane| {
            sum[lane]
                .wrapping_add(a.0[lane].to_bits() as i64)
                .wrapping_add(b.0[lane].to_bits() as i64)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::montgomery::{BYTES, from_bytes, to_bytes};

    #[test]
    fn limbs_come_back() {
        let mut bytes = [0; BYTES];
        for (place, byte) in bytes.iter_mut().enumerate() {
            *byte = (place * 11 + 5) as u8;
        }
        for bytes in [bytes, [0xff; BYTES]] {
            let number = from_bytes(&bytes);
            let wide = widened(&number, 0);
            assert!(wide.iter().all(|limb| *limb <= MASK));
            assert_eq!(to_bytes(&narrowed(&wide)), bytes);
        }
    }

    #[test]
    fn a_shift_is_a_factor() {
        let mut bytes = [0; BYTES];
        bytes[BYTES - 1] = 1;
        let wide = widened(&from_bytes(&bytes), 28);
        assert_eq!((wide[0], wide[1]), (1 << 28, 0));
        bytes.fill(0);
        bytes[0] = 0x80;
        let wide = widened(&from_bytes(&bytes), 28);
        // 2047 + 28 = 40 · 51 + 35
        assert_eq!((wide[39], wide[40], wide[41]), (0, 1 << 35, 0));
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let modulus = Modulus::new(&[0xff; BYTES]).expect("odd, 2048 bits");
        let n = Fused::new(&modulus);
        // 2n − 1 has the largest limbs there are; −1 · −1 = 1, over R; times R² over R it is 1.
        let mut largest = widened(modulus.number(), 1);
        largest[0] -= 1;
        let over_r = n.multiply(&largest, &largest);
        let plain = n.multiply(&over_r, &widened(&modulus.r_squared(), 28));
        let mut one = [0; BYTES];
        one[BYTES - 1] = 1;
        assert_eq!(to_bytes(&modulus.reduced(narrowed(&plain))), one);
    }

    #[test]
    fn here_a_multiply_add_rounds_once() {
        assert!(is_fused());
    }
}
