//! Tools for tests and measurements: tones are made, found again, and told apart; a clip is found in a recording.

mod correlation;
mod goertzel;

pub use correlation::{Found, find};
pub use goertzel::{loudest, power_at};

use crate::{SAMPLE_RATE, dtmf::Digit};

/// Level of each of a DTMF digit's two tones in dBov: about −10 dBm0 (ITU-T Q.24 wants −25 to 0).
const DTMF_DBOV: f64 = -16.0;

/// A sine of `frequency` Hz with a level of `dbov` (0 is a sine at full scale: its level is −3.01 dBov in the strict
/// sense of a full-scale square wave; see [`level_dbov`], which gives back the same number).
pub fn sine(frequency: f64, dbov: f64, samples: usize) -> Vec<i16> {
    tones(&[frequency], dbov, samples)
}

/// Several sines at once, each with a level of `dbov`; the sum is clipped.
pub fn tones(frequencies: &[f64], dbov: f64, samples: usize) -> Vec<i16> {
    let amplitude = 32_767.0 * 10f64.powf(dbov / 20.0);
    (0..samples)
        .map(|index| {
            let time = index as f64 / f64::from(SAMPLE_RATE);
            let sum: f64 = frequencies
                .iter()
                .map(|hz| (time * hz * std::f64::consts::TAU).sin())
                .sum();
            (sum * amplitude).round() as i16
        })
        .collect()
}

/// A digit as its two tones: for peers that take no telephone events.
pub fn dtmf_tone(digit: Digit, duration_ms: u32) -> Vec<i16> {
    let (low, high) = digit.frequencies();
    tones(
        &[low.into(), high.into()],
        DTMF_DBOV,
        (duration_ms * crate::SAMPLES_PER_MS) as usize,
    )
}

/// Level of samples in dB below a sine at full scale: 0 is the loudest sine, −100 stands for digital silence.
pub fn level_dbov(samples: &[i16]) -> f64 {
    let energy: f64 = samples
        .iter()
        .map(|&sample| f64::from(sample) * f64::from(sample))
        .sum();
    let rms = (energy / samples.len().max(1) as f64).sqrt();
    (20.0 * (rms * std::f64::consts::SQRT_2 / 32_767.0).log10()).max(-100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_what_was_asked_for() {
        for dbov in [0.0, -10.0, -40.0] {
            assert!(
                (level_dbov(&sine(440.0, dbov, 8_000)) - dbov).abs() < 0.05,
                "{dbov}"
            );
        }
        assert_eq!(level_dbov(&[0; 160]), -100.0);
        assert_eq!(level_dbov(&[]), -100.0);
    }

    #[test]
    fn each_digit_is_its_own_pair_of_tones() {
        for digit in Digit::all() {
            let tone = dtmf_tone(digit, 100);
            let found = Digit::all()
                .filter(|other| {
                    let (low, high) = other.frequencies();
                    power_at(&tone, low.into()) > 0.4 && power_at(&tone, high.into()) > 0.4
                })
                .collect::<Vec<_>>();
            assert_eq!(found, [digit]);
        }
    }
}
