//! Goertzel's algorithm: how much of a signal is one tone. Telling who is heard needs no more, when each speaks in
//! a tone of his own.

use crate::SAMPLE_RATE;

/// The share of the signal's energy at `frequency` Hz: 1 is that tone alone, 0 is silence or other tones.
///
/// With 20 ms it tells tones 100 Hz apart, with 200 ms tones 10 Hz apart.
pub fn power_at(samples: &[i16], frequency: f64) -> f64 {
    let energy: f64 = samples
        .iter()
        .map(|&sample| f64::from(sample) * f64::from(sample))
        .sum();
    if energy == 0.0 {
        return 0.0;
    }
    let turn = std::f64::consts::TAU * frequency / f64::from(SAMPLE_RATE);
    let factor = 2.0 * turn.cos();
    let (mut last, mut before) = (0.0, 0.0);
    for &sample in samples {
        let next = f64::from(sample) + factor * last - before;
        before = last;
        last = next;
    }
    let power = last * last + before * before - factor * last * before;
    (2.0 * power / (samples.len() as f64 * energy)).min(1.0)
}

/// Which of `frequencies` is heard: the strongest one, if it makes up at least a quarter of the energy.
pub fn loudest(samples: &[i16], frequencies: &[f64]) -> Option<f64> {
    frequencies
        .iter()
        .map(|&frequency| (frequency, power_at(samples, frequency)))
        .filter(|(_, share)| *share >= 0.25)
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(frequency, _)| frequency)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::{sine, tones};

    #[test]
    fn tones_are_told_apart() {
        let voices = [440.0, 620.0, 1_000.0];
        for voice in voices {
            assert_eq!(loudest(&sine(voice, -20.0, 1_600), &voices), Some(voice));
        }
        assert_eq!(loudest(&sine(2_000.0, -20.0, 1_600), &voices), None);
        assert_eq!(loudest(&[0; 1_600], &voices), None);
        let both = tones(&[440.0, 1_000.0], -20.0, 1_600);
        assert!(
            power_at(&both, 440.0) > 0.45
                && power_at(&both, 1_000.0) > 0.45
                && power_at(&both, 620.0) < 0.01
        );
    }
}
