//! Multiplication modulo n by Montgomery's method (Handbook of Applied Cryptography, algorithm 14.36), with R = 2^2128.
//!
//! R is so much larger than n that products are kept below 2n without any subtraction: of a, b < 2n comes
//! (a·b + q·n) / R < n · (4n/R + 1), and 4n/R < 2^-77.

/// Bits of a limb.
pub(crate) const BITS: u32 = 28;
pub(crate) const MASK: u32 = (1 << BITS) - 1;
/// Limbs of a number: a multiple of four, for the vectors.
pub(crate) const LIMBS: usize = 76;
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
            let window = &mut sums[place..place + LIMBS];
            add_products(window, *limb, b, q, &self.n);
            // The lowest limb is a multiple of 2^28 now; what is above goes on.
            sums[place + 1] += sums[place] >> BITS;
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
            power = self.multiply(&power, &power);
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

/// Adds x·b + q·n, limb by limb. In all, a column gets 2·76 products of less than 2^56 and a carry: less than 2^64.
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
fn add_products(sums: &mut [u64], x: u32, b: &Number, q: u32, n: &Number) {
    let Some(sums) = sums.first_chunk_mut::<LIMBS>() else {
        return;
    };
    let (x, q) = (u64::from(x), u64::from(q));
    for ((sum, b), n) in sums.iter_mut().zip(b).zip(n) {
        *sum = sum
            .wrapping_add(x * u64::from(*b))
            .wrapping_add(q * u64::from(*n));
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
