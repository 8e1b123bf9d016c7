//! G.711: PCMU and PCMA between 16-bit linear PCM and 8-bit codes, and each into the other, all by table.

use crate::{FRAME_SAMPLES, Frame, rtp::PayloadType};

/// An audio format of the wire. 8 kHz, one byte a sample, 160 bytes a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 µ-law (RFC 3551 §4.5.14).
    Pcmu,
    /// G.711 A-law (RFC 3551 §4.5.14).
    Pcma,
}

impl Codec {
    /// All codecs, in the order in which they are offered.
    pub const ALL: [Self; 2] = [Self::Pcmu, Self::Pcma];

    /// The encoding name of SDP's `a=rtpmap`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }

    /// The codec of an encoding name, in any case (RFC 3551 §4.1).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.name().eq_ignore_ascii_case(name))
    }

    /// The static payload type (RFC 3551 table 4).
    pub const fn static_payload_type(self) -> PayloadType {
        match self {
            Self::Pcmu => PayloadType::PCMU,
            Self::Pcma => PayloadType::PCMA,
        }
    }

    /// The codec of a static payload type.
    pub fn from_static(payload_type: PayloadType) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.static_payload_type() == payload_type)
    }

    /// The code of a sample of zero.
    pub const fn silence(self) -> u8 {
        match self {
            Self::Pcmu => 0xff,
            Self::Pcma => 0xd5,
        }
    }

    /// The code of one sample.
    pub const fn encode_sample(self, sample: i16) -> u8 {
        match self {
            Self::Pcmu => PCMU_CODES[((sample >> 2) as u16 & 0x3fff) as usize],
            Self::Pcma => PCMA_CODES[((sample >> 4) as u16 & 0x0fff) as usize],
        }
    }

    /// The sample of one code.
    pub const fn decode_sample(self, code: u8) -> i16 {
        match self {
            Self::Pcmu => PCMU_SAMPLES[code as usize],
            Self::Pcma => PCMA_SAMPLES[code as usize],
        }
    }

    /// Encodes as many samples as both slices hold and returns how many.
    pub fn encode(self, samples: &[i16], codes: &mut [u8]) -> usize {
        for (code, &sample) in codes.iter_mut().zip(samples) {
            *code = self.encode_sample(sample);
        }
        samples.len().min(codes.len())
    }

    /// Decodes as many codes as both slices hold and returns how many.
    pub fn decode(self, codes: &[u8], samples: &mut [i16]) -> usize {
        let table = match self {
            Self::Pcmu => &PCMU_SAMPLES,
            Self::Pcma => &PCMA_SAMPLES,
        };
        for (sample, &code) in samples.iter_mut().zip(codes) {
            *sample = table[usize::from(code)];
        }
        samples.len().min(codes.len())
    }

    /// Encodes one frame.
    pub fn encode_frame(self, frame: &Frame) -> [u8; FRAME_SAMPLES] {
        frame.map(|sample| self.encode_sample(sample))
    }

    /// Turns codes of this codec into codes of `to`, as many as both slices hold, and returns how many.
    pub fn transcode(self, to: Self, from_codes: &[u8], to_codes: &mut [u8]) -> usize {
        let len = from_codes.len().min(to_codes.len());
        let table = match (self, to) {
            (Self::Pcmu, Self::Pcma) => &PCMU_TO_PCMA,
            (Self::Pcma, Self::Pcmu) => &PCMA_TO_PCMU,
            _ => {
                to_codes[..len].copy_from_slice(&from_codes[..len]);
                return len;
            }
        };
        for (to_code, &from_code) in to_codes.iter_mut().zip(from_codes) {
            *to_code = table[usize::from(from_code)];
        }
        len
    }
}

/// ITU-T G.711 table 2, by the arithmetic of ITU-T G.191 `ulaw_compress`; indexed by the sample's upper 14 bits.
static PCMU_CODES: [u8; 1 << 14] = {
    let mut table = [0; 1 << 14];
    let mut index = 0;
    while index < table.len() {
        let negative = index >= 1 << 13;
        // The one's complement of the 14-bit value is the magnitude of a negative sample.
        let magnitude = (if negative {
            (1 << 14) - 1 - index
        } else {
            index
        }) + 33;
        let magnitude = if magnitude > 0x1fff {
            0x1fff
        } else {
            magnitude
        };
        let segment = (usize::BITS - (magnitude >> 6).leading_zeros()) as usize + 1;
        let code = (8 - segment) << 4 | (0x0f - (magnitude >> segment & 0x0f));
        table[index] = code as u8 | if negative { 0 } else { 0x80 };
        index += 1;
    }
    table
};

/// ITU-T G.711 table 1, by the arithmetic of ITU-T G.191 `alaw_compress`; indexed by the sample's upper 12 bits.
static PCMA_CODES: [u8; 1 << 12] = {
    let mut table = [0; 1 << 12];
    let mut index = 0;
    while index < table.len() {
        let negative = index >= 1 << 11;
        let magnitude = if negative {
            (1 << 12) - 1 - index
        } else {
            index
        };
        let code = if magnitude < 32 {
            magnitude
        } else {
            let exponent = (usize::BITS - (magnitude >> 5).leading_zeros()) as usize;
            ((magnitude >> exponent) - 16) + ((exponent + 1) << 4)
        };
        table[index] = (code as u8 | if negative { 0 } else { 0x80 }) ^ 0x55;
        index += 1;
    }
    table
};

static PCMU_SAMPLES: [i16; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        let inverted = !(code as u8);
        let exponent = (inverted >> 4 & 7) as i16;
        let mantissa = (inverted & 0x0f) as i16;
        let magnitude = (((mantissa << 3) + 0x84) << exponent) - 0x84;
        table[code] = if code < 0x80 { -magnitude } else { magnitude };
        code += 1;
    }
    table
};

static PCMA_SAMPLES: [i16; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        let even = code as u8 ^ 0x55;
        let exponent = (even >> 4 & 7) as i16;
        let mantissa = (even & 0x0f) as i16;
        let magnitude = if exponent == 0 {
            (mantissa << 4) + 8
        } else {
            ((mantissa << 4) + 0x108) << (exponent - 1)
        };
        table[code] = if even & 0x80 == 0 {
            -magnitude
        } else {
            magnitude
        };
        code += 1;
    }
    table
};

static PCMU_TO_PCMA: [u8; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = Codec::Pcma.encode_sample(PCMU_SAMPLES[code]);
        code += 1;
    }
    table
};

static PCMA_TO_PCMU: [u8; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = Codec::Pcmu.encode_sample(PCMA_SAMPLES[code]);
        code += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_the_recommendation() {
        // ITU-T G.711 tables 1 and 2: the ends, the smallest steps and the segment borders, times 4 (µ) or 16 (A).
        for (code, sample) in [
            (0x80, 32124),
            (0x00, -32124),
            (0xff, 0),
            (0x7f, 0),
            (0xfe, 8),
            (0x7e, -8),
            (0xef, 132),
        ] {
            assert_eq!(Codec::Pcmu.decode_sample(code), sample, "PCMU {code:#x}");
        }
        for (code, sample) in [
            (0xaa, 32256),
            (0x2a, -32256),
            (0xd5, 8),
            (0x55, -8),
            (0xd4, 24),
            (0xc5, 264),
            (0xf5, 528),
        ] {
            assert_eq!(Codec::Pcma.decode_sample(code), sample, "PCMA {code:#x}");
        }
        assert_eq!(Codec::Pcmu.encode_sample(0), Codec::Pcmu.silence());
        assert_eq!(Codec::Pcma.encode_sample(0), Codec::Pcma.silence());
        for (sample, code) in [(i16::MAX, 0x80), (i16::MIN, 0x00), (-1, 0x7f)] {
            assert_eq!(Codec::Pcmu.encode_sample(sample), code);
        }
        for (sample, code) in [(i16::MAX, 0xaa), (i16::MIN, 0x2a), (-1, 0x55)] {
            assert_eq!(Codec::Pcma.encode_sample(sample), code);
        }
    }

    #[test]
    fn a_decoded_code_encodes_to_itself() {
        for codec in Codec::ALL {
            for code in 0..=255u8 {
                let again = codec.encode_sample(codec.decode_sample(code));
                // PCMU has two zeros; negative zero becomes positive zero.
                let expected = if codec == Codec::Pcmu && code == 0x7f {
                    0xff
                } else {
                    code
                };
                assert_eq!(again, expected, "{codec:?} {code:#x}");
            }
        }
    }

    #[test]
    fn every_sample_decodes_within_half_a_step_and_in_order() {
        for codec in Codec::ALL {
            let mut levels: Vec<i32> = (0..=255)
                .map(|code| i32::from(codec.decode_sample(code)))
                .collect();
            levels.sort_unstable();
            levels.dedup();
            let mut last = i32::MIN;
            for sample in i16::MIN..=i16::MAX {
                let got = i32::from(codec.decode_sample(codec.encode_sample(sample)));
                assert!(
                    got >= last,
                    "{codec:?} {sample} -> {got} falls below {last}"
                );
                last = got;
                // At a border of segments the decision value halves the wider step (ITU-T G.711 tables 1 and 2). The
                // outermost level has no wider neighbour, and takes all that is louder.
                let at = levels.partition_point(|&level| level < got);
                let (below, above) = (at.checked_sub(1).map(|i| levels[i]), levels.get(at + 1));
                if let (Some(below), Some(&above)) = (below, above) {
                    let half = (got - below).max(above - got) / 2;
                    assert!(
                        (got - i32::from(sample)).abs() <= half + 1,
                        "{codec:?} {sample} -> {got}"
                    );
                }
            }
        }
    }

    #[test]
    fn transcoding_equals_decode_and_encode() {
        let codes: Vec<u8> = (0..=255).collect();
        let mut out = [0; 256];
        assert_eq!(Codec::Pcmu.transcode(Codec::Pcma, &codes, &mut out), 256);
        for (code, &got) in codes.iter().zip(&out) {
            assert_eq!(
                got,
                Codec::Pcma.encode_sample(Codec::Pcmu.decode_sample(*code))
            );
        }
        assert_eq!(
            Codec::Pcma.transcode(Codec::Pcma, &codes, &mut out[..10]),
            10
        );
        assert_eq!(out[..10], codes[..10]);
    }
}
