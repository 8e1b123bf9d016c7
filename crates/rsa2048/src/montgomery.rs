//! Multiplication modulo n by Montgomery's method (Handbook of Applied Cryptography, algorithm 14.36), with R = 2^2128.
//!
//! R is so much larger than n that products are kept below 2n without any subtraction: of a, b < 2n comes
//! (a·b + q·n) / R < n · (4n/R + 1), and 4n/R < 2^-77.

/// Bits of a limb.
pub(crate) const BITS: u32 = 28;
pub(crate) const MASK: u32 = (1 << BITS) - 1;
/// Limbs of a number: a multiple of four, for the vectors.
pub(crate) const LIMBS: usize = 76;
/// Zeros behind a number, so that rows of all lengths are added four limbs at a time.
const PADDING: usize = 4;
/// Four limbs that many times in one turn of a loop: at the end of each turn, an engine that can be interrupted looks whether
/// it is, and saves its registers for that.
const STRIDE: usize = 6;
/// Bits of the modulus.
const MODULUS_BITS: u32 = 2048;
/// Bits of R.
const R_BITS: u32 = BITS * LIMBS as u32;
/// Bytes of the modulus.
pub(crate) const BYTES: usize = 256;

/// A number below 2^2128, the lowest limb first; each limb is below 2^28.
pub(crate) type Number = [u32; LIMBS];

/// From big-endian bytes.
pub(crate) fn from_bytes(bytes: &[u8; BYTES]) -> Number {
    let mut number = [0; LIMBS];
    let (mut limb, mut bits, mut place) = (0u64, 0, 0);
    for byte in bytes.iter().rev() {
        limb |= u64::from(*byte) << bits;
        bits += 8;
        if bits >= BITS {
            number[place] = limb as u32 & MASK;
            limb >>= BITS;
            bits -= BITS;
            place += 1;
        }
    }
    number[place] = limb as u32 & MASK;
    number
}

/// To big-endian bytes; of numbers below 2^2048.
pub(crate) fn to_bytes(number: &Number) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    let (mut rest, mut bits, mut limbs) = (0u64, 0, number.iter());
    for byte in bytes.iter_mut().rev() {
        if bits < 8 {
            rest |= u64::from(limbs.next().copied().unwrap_or_default()) << bits;
            bits += BITS;
        }
        *byte = rest as u8;
        rest >>= 8;
        bits -= 8;
    }
    bytes
}

/// A modulus: odd, and of 2048 bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Modulus {
    n: Number,
    /// −1/n mod 2^28.
    inverse: u32,
}

impl Modulus {
    /// The modulus, if it is odd and has 2048 bits.
    pub(crate) fn new(bytes: &[u8; BYTES]) -> Option<Self> {
        let n = from_bytes(bytes);
        if bytes[0] < 0x80 || n[0] & 1 == 0 {
            return None;
        }
        // Newton's iteration: each round doubles the bits that are right, from the 3 that n is of itself.
        let mut inverse = n[0];
        for _ in 0..4 {
            inverse = inverse.wrapping_mul(2u32.wrapping_sub(n[0].wrapping_mul(inverse)));
        }
        let inverse = inverse.wrapping_neg() & MASK;
        Some(Self { n, inverse })
    }

    /// a·b/R mod n, below 2n, for a and b below 2n.
    pub(crate) fn multiply(&self, a: &Number, b: &Number) -> Number {
        let mut sums = [0u64; 2 * LIMBS];
        for (place, limb) in a.iter().enumerate() {
            let lowest = sums[place].wrapping_add(u64::from(*limb) * u64::from(b[0]));
            let q = (lowest as u32).wrapping_mul(self.inverse) & MASK;
            add_products(&mut sums[place..], (*limb, b), (q, &self.n));
            // The lowest limb is a multiple of 2^28 now; what is above goes on.
            sums[place + 1] += sums[place] >> BITS;
        }
        carried(&sums[LIMBS..])
    }

    /// a²/R mod n, below 2n, for a below 2n. A quarter less work than [`Self::multiply`]: a product of two different limbs
    /// is computed once and counts twice. Two rows are added at a time.
    pub(crate) fn square(&self, a: &Number) -> Number {
        let mut sums = [0u64; 2 * LIMBS + PADDING];
        let (a, n) = (padded(a), padded(&self.n));
        for row in (0..LIMBS).step_by(2) {
            let (even, odd) = (a[row], a[row + 1]);
            sums[2 * row] += u64::from(even) * u64::from(even);
            sums[2 * row + 1] += 2 * u64::from(even) * u64::from(odd);
            // What is left of the two rows begins with the odd limb's square, which counts once and is added twice.
            let left = (LIMBS - 1 - row).next_multiple_of(4);
            add_products(
                &mut sums[2 * row + 2..],
                (2 * even, &a[row + 2..row + 2 + left]),
                (2 * odd, &a[row + 1..row + 1 + left]),
            );
            sums[2 * row + 2] -= u64::from(odd) * u64::from(odd);
        }
        for row in (0..LIMBS).step_by(2) {
            let even = (sums[row] as u32).wrapping_mul(self.inverse) & MASK;
            sums[row] += u64::from(even) * u64::from(n[0]);
            sums[row + 1] += u64::from(even) * u64::from(n[1]) + (sums[row] >> BITS);
            let odd = (sums[row + 1] as u32).wrapping_mul(self.inverse) & MASK;
            sums[row + 1] += u64::from(odd) * u64::from(n[0]);
            sums[row + 2] += sums[row + 1] >> BITS;
            add_products(
                &mut sums[row + 2..],
                (even, &n[2..2 + LIMBS]),
                (odd, &n[1..1 + LIMBS]),
            );
        }
        carried(&sums[LIMBS..])
    }

    /// R² mod n, below 2n.
    pub(crate) fn r_squared(&self) -> Number {
        // 2^2048 − n is 2^2048 mod n; doubled, it becomes R mod n, and once more 2R, the Montgomery form of 2.
        let mut power = self.subtracted_from_2048();
        for _ in MODULUS_BITS..=R_BITS {
            power = self.doubled(&power);
        }
        // By squaring and doubling to the form of 2^2128 = R, which is R·R. The highest bit of the exponent is done.
        for bit in (0..R_BITS.ilog2()).rev() {
            power = self.square(&power);
            if R_BITS >> bit & 1 == 1 {
                power = self.doubled(&power);
            }
        }
        power
    }

    fn subtracted_from_2048(&self) -> Number {
        let mut minuend = [0; LIMBS];
        minuend[(MODULUS_BITS / BITS) as usize] = 1 << (MODULUS_BITS % BITS);
        difference(&minuend, &self.n).unwrap_or(minuend)
    }

    fn doubled(&self, number: &Number) -> Number {
        let mut twice = [0; LIMBS];
        let mut carry = 0;
        for (twice, limb) in twice.iter_mut().zip(number) {
            *twice = (limb << 1 | carry) & MASK;
            carry = limb >> (BITS - 1);
        }
        self.reduced(self.reduced(twice))
    }

    /// Below n, for numbers below 2n; else n less.
    pub(crate) fn reduced(&self, number: Number) -> Number {
        difference(&number, &self.n).unwrap_or(number)
    }

    /// n itself.
    pub(crate) fn number(&self) -> &Number {
        &self.n
    }

    /// Whether the number is below n.
    pub(crate) fn exceeds(&self, number: &Number) -> bool {
        difference(number, &self.n).is_none()
    }
}

/// a − b, if that is not negative.
fn difference(a: &Number, b: &Number) -> Option<Number> {
    let mut result = [0; LIMBS];
    let mut borrow = 0;
    for ((result, a), b) in result.iter_mut().zip(a).zip(b) {
        let limb = a.wrapping_sub(*b).wrapping_sub(borrow);
        borrow = limb >> 31;
        *result = limb & MASK;
    }
    (borrow == 0).then_some(result)
}

fn padded(number: &Number) -> [u32; LIMBS + PADDING] {
    let mut padded = [0; LIMBS + PADDING];
    padded[..LIMBS].copy_from_slice(number);
    padded
}

/// Adds x·b + y·c, limb by limb, four at a time: b and c are equally long, a multiple of four. In all, a column gets 2·76
/// products of less than 2^56 and a carry: less than 2^64.
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
fn add_products(sums: &mut [u64], (x, b): (u32, &[u32]), (y, c): (u32, &[u32])) {
    let (x, y) = (four::repeated(x), four::repeated(y));
    let (sums, _) = sums.as_chunks_mut::<4>();
    let ((b, _), (c, _)) = (b.as_chunks::<4>(), c.as_chunks::<4>());
    let add = |sums: &mut [[u64; 4]], b: &[[u32; 4]], c: &[[u32; 4]]| {
        for ((sums, b), c) in sums.iter_mut().zip(b).zip(c) {
            *sums = four::sum(sums, (x, b), (y, c));
        }
    };
    let sums = &mut sums[..b.len()];
    let (sum_strides, sums) = sums.as_chunks_mut::<STRIDE>();
    let ((b_strides, b), (c_strides, c)) = (b.as_chunks::<STRIDE>(), c.as_chunks::<STRIDE>());
    for ((sums, b), c) in sum_strides.iter_mut().zip(b_strides).zip(c_strides) {
        add(sums, b, c);
    }
    add(sums, b, c);
}

/// Four columns in WebAssembly's vectors. Said in so many words, as the compiler finds no vectors in the plain form.
#[cfg(target_arch = "wasm32")]
mod four {
    use core::arch::wasm32::{
        i64x2_add, u32x4, u32x4_splat, u64x2, u64x2_extmul_high_u32x4, u64x2_extmul_low_u32x4,
        u64x2_extract_lane, v128,
    };

    #[target_feature(enable = "simd128")]
    pub(super) fn repeated(factor: u32) -> v128 {
        u32x4_splat(factor)
    }

    #[target_feature(enable = "simd128")]
    pub(super) fn sum(
        sums: &[u64; 4],
        (x, [b0, b1, b2, b3]): (v128, &[u32; 4]),
        (y, [c0, c1, c2, c3]): (v128, &[u32; 4]),
    ) -> [u64; 4] {
        let (b, c) = (u32x4(*b0, *b1, *b2, *b3), u32x4(*c0, *c1, *c2, *c3));
        let [first, second, third, fourth] = *sums;
        let low = i64x2_add(
            i64x2_add(u64x2(first, second), u64x2_extmul_low_u32x4(b, x)),
            u64x2_extmul_low_u32x4(c, y),
        );
        let high = i64x2_add(
            i64x2_add(u64x2(third, fourth), u64x2_extmul_high_u32x4(b, x)),
            u64x2_extmul_high_u32x4(c, y),
        );
        [
            u64x2_extract_lane::<0>(low),
            u64x2_extract_lane::<1>(low),
            u64x2_extract_lane::<0>(high),
            u64x2_extract_lane::<1>(high),
        ]
    }
}

/// Four columns.
#[cfg(not(target_arch = "wasm32"))]
mod four {
    pub(super) fn repeated(factor: u32) -> u64 {
        u64::from(factor)
    }

    pub(super) fn sum(
        sums: &[u64; 4],
        (x, b): (u64, &[u32; 4]),
        (y, c): (u64, &[u32; 4]),
    ) -> [u64; 4] {
        std::array::from_fn(|at| {
            sums[at]
                .wrapping_add(x * u64::from(b[at]))
                .wrapping_add(y * u64::from(c[at]))
        })
    }
}

fn carried(sums: &[u64]) -> Number {
    let mut number = [0; LIMBS];
    let mut carry = 0;
    for (limb, sum) in number.iter_mut().zip(sums) {
        let sum = sum.wrapping_add(carry);
        *limb = sum as u32 & MASK;
        carry = sum >> BITS;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back() {
        let mut bytes = [0; BYTES];
        for (place, byte) in bytes.iter_mut().enumerate() {
            *byte = (place * 7 + 3) as u8;
        }
        assert_eq!(to_bytes(&from_bytes(&bytes)), bytes);
        assert_eq!(from_bytes(&[0xff; BYTES])[73], 0xf, "2048 = 73 · 28 + 4");
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        // 2n − 1 for the largest n: all limbs are as large as they get.
        let n = Modulus::new(&[0xff; BYTES]).expect("odd, 2048 bits");
        let largest = n.doubled_less_one();
        let one = n.multiply(&largest, &largest);
        assert_eq!(n.square(&largest), one);
        // −1 · −1 = 1, over R; times R² over R it is R⁰ = 1 again... as ordinary numbers: 1.
        let plain = n.multiply(&one, &n.r_squared());
        let mut expected = [0; LIMBS];
        expected[0] = 1;
        assert_eq!(n.reduced(plain), expected);
    }

    impl Modulus {
        fn doubled_less_one(&self) -> Number {
            let mut number = [0; LIMBS];
            let mut carry = 0;
            for (limb, n) in number.iter_mut().zip(&self.n) {
                *limb = (n << 1 | carry) & MASK;
                carry = n >> (BITS - 1);
            }
            number[0] -= 1;
            number
        }
    }
}
