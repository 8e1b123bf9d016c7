//! Finds a known clip inside a recording by normalised cross-correlation.

/// Samples that become one for the coarse search; what lies above 2 kHz does not count there.
const COARSE: usize = 2;

/// Where a clip was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// Sample of the recording at which the clip begins.
    pub lag: usize,
    /// Likeness there: 1 is the clip itself at any volume, 0 is nothing of it; negative is inverted.
    pub coefficient: f64,
}

/// The place where `clip` is most like a part of `recording`; `None` when the clip is silent, or longer.
///
/// Ten seconds in a minute take some hundredths of a second in optimised code, and under a second in any.
pub fn find(clip: &[i16], recording: &[i16]) -> Option<Found> {
    if clip.len() < 8 * COARSE || recording.len() < clip.len() {
        return None;
    }
    let (small_clip, small_recording) = (decimate(clip), decimate(recording));
    let products = correlate(&small_clip, &small_recording);
    let energies = running_energy(&small_recording, small_clip.len());
    let loudest = energies.iter().copied().fold(0.0, f64::max);
    // A part next to silence would look alike by rounding errors alone.
    let floor = loudest * 1e-6;
    let coarse = products
        .iter()
        .zip(&energies)
        .map(|(product, energy)| {
            if *energy > floor {
                product / energy.sqrt()
            } else {
                0.0
            }
        })
        .enumerate()
        .max_by(|a, b| a.1.total_cmp(&b.1))?
        .0;
    let first = (coarse * COARSE).saturating_sub(2 * COARSE);
    let last = (coarse * COARSE + 2 * COARSE).min(recording.len() - clip.len());
    (first..=last.max(first))
        .filter_map(|lag| {
            Some(Found {
                lag,
                coefficient: likeness(clip, recording.get(lag..lag + clip.len())?)?,
            })
        })
        .max_by(|a, b| a.coefficient.total_cmp(&b.coefficient))
}

/// Normalised product of two pieces of equal length; `None` when either is silent.
fn likeness(a: &[i16], b: &[i16]) -> Option<f64> {
    let (mut product, mut energy_a, mut energy_b) = (0.0, 0.0, 0.0);
    for (&a, &b) in a.iter().zip(b) {
        let (a, b) = (f64::from(a), f64::from(b));
        product += a * b;
        energy_a += a * a;
        energy_b += b * b;
    }
    (energy_a > 0.0 && energy_b > 0.0).then(|| product / (energy_a * energy_b).sqrt())
}

fn decimate(samples: &[i16]) -> Vec<f64> {
    samples
        .chunks_exact(COARSE)
        .map(|group| group.iter().map(|&sample| f64::from(sample)).sum::<f64>())
        .collect()
}

fn running_energy(samples: &[f64], window: usize) -> Vec<f64> {
    let mut sum: f64 = samples
        .iter()
        .take(window)
        .map(|sample| sample * sample)
        .sum();
    let mut energies = vec![sum];
    for (leaving, entering) in samples.iter().zip(samples.iter().skip(window)) {
        sum = (sum + entering * entering - leaving * leaving).max(0.0);
        energies.push(sum);
    }
    energies
}

/// Products of `clip` with `recording` at each lag that lies wholly inside, through the frequency domain.
///
/// Both real signals go through one complex transform, as its real and imaginary part.
fn correlate(clip: &[f64], recording: &[f64]) -> Vec<f64> {
    let size = (recording.len() + clip.len()).next_power_of_two();
    let mut signal = vec![(0.0, 0.0); size];
    for (point, &sample) in signal.iter_mut().zip(recording) {
        point.0 = sample;
    }
    for (point, &sample) in signal.iter_mut().zip(clip) {
        point.1 = sample;
    }
    let turns: Vec<(f64, f64)> = (0..size / 2)
        .map(|index| {
            let (sin, cos) = (-std::f64::consts::TAU * index as f64 / size as f64).sin_cos();
            (cos, sin)
        })
        .collect();
    transform(&mut signal, &turns);
    // R = (S[k] + S*[-k]) / 2, C = (S[k] - S*[-k]) / 2i; wanted is R · C*, whose conjugate is transformed back forwards.
    let product: Vec<(f64, f64)> = (0..size)
        .map(|k| {
            let (a, b) = (signal[k], signal[(size - k) % size]);
            let r = ((a.0 + b.0) / 2.0, (a.1 - b.1) / 2.0);
            let c = ((a.1 + b.1) / 2.0, (b.0 - a.0) / 2.0);
            (r.0 * c.0 + r.1 * c.1, -(r.1 * c.0 - r.0 * c.1))
        })
        .collect();
    signal = product;
    transform(&mut signal, &turns);
    signal.truncate(recording.len() - clip.len() + 1);
    signal.iter().map(|point| point.0 / size as f64).collect()
}

/// Radix-2 Fourier transform in place; the length is a power of two, and `turns` has half as many roots of unity.
fn transform(signal: &mut [(f64, f64)], turns: &[(f64, f64)]) {
    let size = signal.len();
    let shift = usize::BITS - size.trailing_zeros();
    for index in 0..size {
        let mirrored = index.reverse_bits() >> shift;
        if mirrored > index {
            signal.swap(index, mirrored);
        }
    }
    let mut half = 1;
    while half < size {
        let stride = size / (2 * half);
        for block in signal.chunks_exact_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            for ((a, b), turn) in low.iter_mut().zip(high).zip(turns.iter().step_by(stride)) {
                let turned = (b.0 * turn.0 - b.1 * turn.1, b.0 * turn.1 + b.1 * turn.0);
                *b = (a.0 - turned.0, a.1 - turned.1);
                *a = (a.0 + turned.0, a.1 + turned.1);
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Random;

    fn noise(seed: u64, samples: usize) -> Vec<i16> {
        let mut random = Random::new(seed);
        // A moving sum makes it as deep as speech.
        let white: Vec<f64> = (0..samples + 8).map(|_| random.unit() - 0.5).collect();
        white
            .windows(8)
            .take(samples)
            .map(|window| (window.iter().sum::<f64>() * 4_000.0) as i16)
            .collect()
    }

    #[test]
    fn a_clip_is_found_where_it_is() {
        let clip = noise(1, 80_000);
        for lag in [0, 1, 12_347, 400_000] {
            let mut recording = noise(2, 480_000)
                .iter()
                .map(|sample| sample / 10)
                .collect::<Vec<_>>();
            for (sample, clip) in recording[lag..].iter_mut().zip(&clip) {
                *sample += clip / 2;
            }
            let found = find(&clip, &recording).unwrap();
            assert_eq!(found.lag, lag);
            assert!(found.coefficient > 0.95, "{found:?}");
        }
        let found = find(&clip, &noise(3, 480_000)).unwrap();
        assert!(found.coefficient < 0.1, "{found:?}");
    }

    #[test]
    fn what_cannot_be_found_is_not() {
        assert_eq!(find(&[5; 100], &[5; 99]), None);
        assert_eq!(find(&[0; 100], &[5; 200]), None);
        assert_eq!(find(&noise(1, 100), &[0; 200]), None);
        assert_eq!(find(&[], &[1; 10]), None);
        let clip = noise(1, 1_000);
        assert_eq!(find(&clip, &clip).map(|found| found.lag), Some(0));
    }
}
