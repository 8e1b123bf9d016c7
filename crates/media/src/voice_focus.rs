//! VoiceFocus (facts F6): suppresses the noise in what a leg says, by RNNoise.
//!
//! RNNoise works at 48 kHz in frames of 10 ms; here is the way there and back. The delay is about 13 ms: one frame of
//! RNNoise, and the two filters.

use nnnoiseless::DenoiseState;

use crate::{FRAME_SAMPLES, Frame};

/// 48 kHz by 8 kHz.
const RATIO: usize = 6;
/// Coefficients for each of the six samples between two.
const TAPS: usize = 16;
const FILTER: usize = RATIO * TAPS;
/// Samples of a frame of RNNoise at 8 kHz.
const PART: usize = DenoiseState::FRAME_SIZE / RATIO;
/// The filters' edge: 3.8 kHz of 24 kHz.
const EDGE: f32 = 3_800.0 / 24_000.0;

/// Suppresses noise, frame by frame.
pub struct NoiseSuppressor {
    denoiser: Box<DenoiseState<'static>>,
    filter: [f32; FILTER],
    /// The latest samples of the line, the newest last.
    line: [f32; TAPS],
    /// The latest samples of RNNoise's output, the newest last.
    cleaned: [f32; FILTER],
}

impl std::fmt::Debug for NoiseSuppressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NoiseSuppressor").finish_non_exhaustive()
    }
}

impl Default for NoiseSuppressor {
    fn default() -> Self {
        Self::new()
    }
}

impl NoiseSuppressor {
    /// A suppressor that has heard nothing. About 100 KB.
    pub fn new() -> Self {
        Self {
            denoiser: DenoiseState::new(),
            filter: low_pass(),
            line: [0.0; TAPS],
            cleaned: [0.0; FILTER],
        }
    }

    /// Replaces a frame by what is left of it without its noise (and of the frame before: see the delay above).
    pub fn clean(&mut self, frame: &mut Frame) {
        let mut wide = [0.0; DenoiseState::FRAME_SIZE];
        let mut quiet = [0.0; DenoiseState::FRAME_SIZE];
        debug_assert_eq!(FRAME_SAMPLES % PART, 0);
        for part in frame.chunks_exact_mut(PART) {
            for (group, &sample) in wide.chunks_exact_mut(RATIO).zip(&*part) {
                self.line.copy_within(1.., 0);
                self.line[TAPS - 1] = sample.into();
                self.widen(group);
            }
            self.denoiser.process_frame(&mut quiet, &wide);
            for (group, sample) in quiet.chunks_exact(RATIO).zip(part) {
                self.cleaned.copy_within(RATIO.., 0);
                self.cleaned[FILTER - RATIO..].copy_from_slice(group);
                *sample = self.narrow();
            }
        }
    }

    /// The six samples that belong to the newest one of the line.
    fn widen(&self, group: &mut [f32]) {
        for (phase, out) in group.iter_mut().enumerate() {
            *out = self
                .line
                .iter()
                .rev()
                .zip(self.filter.iter().skip(phase).step_by(RATIO))
                .map(|(sample, coefficient)| sample * coefficient)
                .sum::<f32>()
                * RATIO as f32;
        }
    }

    fn narrow(&self) -> i16 {
        let sum: f32 = self
            .cleaned
            .iter()
            .rev()
            .zip(&self.filter)
            .map(|(sample, coefficient)| sample * coefficient)
            .sum();
        // `as` holds to the range of i16.
        sum.round() as i16
    }
}

/// A windowed sinc (Blackman), whose coefficients add up to 1.
fn low_pass() -> [f32; FILTER] {
    use std::f32::consts::PI;
    let middle = (FILTER - 1) as f32 / 2.0;
    let mut filter: [f32; FILTER] = std::array::from_fn(|n| {
        let x = n as f32 - middle;
        let sinc = (PI * EDGE * x).sin() / (PI * x);
        let turn = 2.0 * PI * n as f32 / (FILTER - 1) as f32;
        sinc * (0.42 - 0.5 * turn.cos() + 0.08 * (2.0 * turn).cos())
    });
    let sum: f32 = filter.iter().sum();
    filter
        .iter_mut()
        .for_each(|coefficient| *coefficient /= sum);
    filter
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Random;
    use crate::tone::level_dbov;

    fn cleaned(samples: &[i16]) -> Vec<i16> {
        let mut suppressor = NoiseSuppressor::new();
        samples
            .chunks_exact(FRAME_SAMPLES)
            .flat_map(|chunk| {
                let mut frame: Frame = chunk.try_into().unwrap();
                suppressor.clean(&mut frame);
                frame
            })
            .collect()
    }

    #[test]
    fn the_filters_let_the_line_through_and_nothing_else() {
        let filter = low_pass();
        let gain = |hz: f32| {
            let (mut re, mut im) = (0.0, 0.0);
            for (n, coefficient) in filter.iter().enumerate() {
                let turn = std::f32::consts::TAU * hz * n as f32 / 48_000.0;
                re += coefficient * turn.cos();
                im += coefficient * turn.sin();
            }
            20.0 * f32::hypot(re, im).log10()
        };
        for hz in [300.0, 1000.0, 2500.0] {
            assert!(gain(hz).abs() < 0.5, "{hz} Hz: {}", gain(hz));
        }
        for hz in [5600.0, 8000.0, 16_000.0] {
            assert!(gain(hz) < -50.0, "{hz} Hz: {}", gain(hz));
        }
    }

    #[test]
    fn noise_alone_goes_away() {
        let mut random = Random::new(1);
        let noise: Vec<i16> = (0..8000 * 4)
            .map(|_| ((random.unit() - 0.5) * 2000.0) as i16)
            .collect();
        let quiet = cleaned(&noise);
        // It takes a second to know the noise.
        let (before, after) = (level_dbov(&noise[16_000..]), level_dbov(&quiet[16_000..]));
        assert!(after < before - 10.0, "{before} dBov became {after}");
    }
}
