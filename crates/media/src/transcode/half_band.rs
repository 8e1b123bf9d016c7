//! Between 16 and 8 kHz, for G.722 beside G.711: a filter of 31 taps that keeps what a telephone carries.

/// Taps; odd, so that the delay is a whole number of samples.
const TAPS: usize = 31;
/// Where the filter lets half through, as a share of 16 kHz: 3.8 kHz.
const CUT: f64 = 3_800.0 / 16_000.0;

/// Sinc under a Blackman window, of gain 1.
fn taps() -> [f32; TAPS] {
    let middle = (TAPS / 2) as f64;
    let mut taps = [0.0; TAPS];
    for (at, tap) in taps.iter_mut().enumerate() {
        let from_middle = at as f64 - middle;
        let sinc = if from_middle == 0.0 {
            2.0 * CUT
        } else {
            (std::f64::consts::TAU * CUT * from_middle).sin() / (std::f64::consts::PI * from_middle)
        };
        let turn = std::f64::consts::TAU * (at as f64 + 1.0) / (TAPS as f64 + 1.0);
        let window = 0.42 - 0.5 * turn.cos() + 0.08 * (2.0 * turn).cos();
        *tap = (sinc * window) as f32;
    }
    let gain: f32 = taps.iter().sum();
    taps.map(|tap| tap / gain)
}

/// The filter with the samples that it has seen.
#[derive(Clone, Debug)]
pub(super) struct HalfBand {
    taps: [f32; TAPS],
    seen: [f32; TAPS],
}

impl Default for HalfBand {
    fn default() -> Self {
        Self {
            taps: taps(),
            seen: [0.0; TAPS],
        }
    }
}

impl HalfBand {
    fn take(&mut self, sample: f32) {
        self.seen.copy_within(1.., 0);
        if let Some(last) = self.seen.last_mut() {
            *last = sample;
        }
    }

    fn give(&self) -> f32 {
        let pairs = self.seen.iter().zip(&self.taps);
        pairs.map(|(sample, tap)| sample * tap).sum()
    }

    /// 16 kHz in, 8 kHz out, in place; how many samples are left.
    pub(super) fn halve(&mut self, samples: &mut [i16]) -> usize {
        let half = samples.len() / 2;
        for at in 0..half {
            for side in 0..2 {
                self.take(f32::from(samples.get(2 * at + side).copied().unwrap_or(0)));
            }
            if let Some(place) = samples.get_mut(at) {
                *place = self.give() as i16;
            }
        }
        half
    }

    /// 8 kHz in, 16 kHz out; how many samples of `out` are filled.
    pub(super) fn double(&mut self, samples: &[i16], out: &mut [i16]) -> usize {
        let pairs = samples.iter().zip(out.chunks_exact_mut(2));
        let mut filled = 0;
        for (sample, pair) in pairs {
            // Every second sample is nothing, so the others count double.
            for (place, value) in pair.iter_mut().zip([2.0 * f32::from(*sample), 0.0]) {
                self.take(value);
                *place = self.give() as i16;
            }
            filled += 2;
        }
        filled
    }
}
