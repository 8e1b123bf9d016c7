//! Digits as tones in the audio, for peers that take no telephone events.

use super::Digit;
use crate::{SAMPLES_PER_MS, tone::dtmf_tone};

/// Silence behind each digit (ITU-T Q.24: 40 ms and more).
const GAP_MS: u32 = 60;
/// A comma (facts F6, SendDigits).
pub const COMMA_MS: u32 = 500;

/// The tones of `digits`, each of `tone_ms`; a comma is half a second of silence, and what is neither is left out.
pub fn audible(digits: &str, tone_ms: u32) -> Vec<i16> {
    let silence = |millis: u32| vec![0; (millis * SAMPLES_PER_MS) as usize];
    let mut samples = Vec::new();
    for character in digits.chars() {
        if character == ',' {
            samples.extend(silence(COMMA_MS));
        } else if let Some(digit) = Digit::from_char(character) {
            samples.extend(dtmf_tone(digit, tone_ms));
            samples.extend(silence(GAP_MS));
        }
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtmf::ToneDetector;

    #[test]
    fn what_is_sent_is_found_again() {
        for millis in [50, 250] {
            let samples = audible("159D,*#0", millis);
            assert_eq!(samples.len() as u32, 8 * (7 * (millis + 60) + 500));
            let mut detector = ToneDetector::new();
            let found: String = samples
                .chunks(160)
                .filter_map(|frame| detector.push(frame))
                .map(Digit::as_char)
                .collect();
            assert_eq!(found, "159D*#0");
        }
        assert!(audible("x", 50).is_empty());
    }
}
