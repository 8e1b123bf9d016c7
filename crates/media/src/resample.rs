//! Sample rate conversion of mono audio, through rubato's sinc resampler.

use rubato::{
    Async, FixedAsync, Indexing, Resampler as _, SincInterpolationParameters, WindowFunction,
    audioadapter_buffers::direct::InterleavedSlice,
};
use thiserror::Error;

/// Lowest and highest sample rate that is taken, in Hz.
pub const RATES: std::ops::RangeInclusive<u32> = 4_000..=192_000;

/// Frames that the converter takes at once.
const CHUNK: usize = 1_024;
/// Taps at the lower of the two rates: a transition of about 300 Hz at 8 kHz.
const TAPS: usize = 128;

/// Why audio cannot be converted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ResampleError {
    /// A rate outside [`RATES`].
    #[error("a sample rate of {0} Hz cannot be converted; 4000 to 192000 Hz can")]
    Rate(u32),
    /// The library refused.
    #[error("the sample rate conversion failed: {0}")]
    Library(String),
}

/// Converts a stream piece by piece. Samples are −1 to 1.
pub struct Resampler {
    inner: Option<Async<f32>>,
    input: Vec<f32>,
    output: Vec<f32>,
    /// Output samples of the filter's delay that are still to be left out.
    to_skip: usize,
    ratio: f64,
    taken: u64,
    given: u64,
}

impl Resampler {
    /// A converter between two rates in Hz; equal rates copy.
    ///
    /// # Errors
    /// [`ResampleError::Rate`] outside [`RATES`].
    pub fn new(from: u32, to: u32) -> Result<Self, ResampleError> {
        if let Some(rate) = [from, to].into_iter().find(|rate| !RATES.contains(rate)) {
            return Err(ResampleError::Rate(rate));
        }
        let ratio = f64::from(to) / f64::from(from);
        let mut made = Self {
            inner: None,
            input: Vec::new(),
            output: Vec::new(),
            to_skip: 0,
            ratio,
            taken: 0,
            given: 0,
        };
        if from != to {
            let taps = TAPS * (from.div_ceil(to).max(1) as usize);
            let parameters =
                SincInterpolationParameters::new(taps, WindowFunction::BlackmanHarris2);
            let inner = Async::new_sinc(ratio, 1.0, &parameters, CHUNK, 1, FixedAsync::Input)
                .map_err(library)?;
            made.output = vec![0.0; inner.output_frames_max()];
            made.to_skip = inner.output_delay();
            made.inner = Some(inner);
        }
        Ok(made)
    }

    /// Takes samples and appends what is ready to `out`.
    ///
    /// # Errors
    /// [`ResampleError::Library`] when the library fails.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<i16>) -> Result<(), ResampleError> {
        self.taken += samples.len() as u64;
        if self.inner.is_none() {
            out.extend(samples.iter().map(|&sample| to_i16(sample)));
            self.given += samples.len() as u64;
            return Ok(());
        }
        self.input.extend_from_slice(samples);
        while self.input.len() >= self.needed() {
            self.convert(None, out)?;
        }
        Ok(())
    }

    /// Appends what is left: after it, the output is as long as the input, in seconds.
    ///
    /// # Errors
    /// [`ResampleError::Library`] when the library fails.
    pub fn finish(mut self, out: &mut Vec<i16>) -> Result<(), ResampleError> {
        let wanted = (self.taken as f64 * self.ratio).round() as u64;
        while self.inner.is_some() && self.given < wanted {
            let before = out.len();
            let left = self.input.len();
            self.input.resize(self.needed(), 0.0);
            self.convert(Some(left), out)?;
            let surplus = self.given.saturating_sub(wanted) as usize;
            out.truncate(out.len().saturating_sub(surplus).max(before));
        }
        Ok(())
    }

    fn needed(&self) -> usize {
        self.inner
            .as_ref()
            .map_or(CHUNK, |inner| inner.input_frames_next())
    }

    fn convert(&mut self, partial: Option<usize>, out: &mut Vec<i16>) -> Result<(), ResampleError> {
        let Some(inner) = &mut self.inner else {
            return Ok(());
        };
        let mut indexing = Indexing::new();
        if let Some(len) = partial {
            indexing = indexing.partial_len(len);
        }
        let capacity = self.output.len();
        let input = InterleavedSlice::new(&self.input, 1, self.input.len()).map_err(library)?;
        let mut output =
            InterleavedSlice::new_mut(&mut self.output, 1, capacity).map_err(library)?;
        let (used, made) = inner
            .process_into_buffer(&input, &mut output, Some(&indexing))
            .map_err(library)?;
        self.input.drain(..used.min(self.input.len()));
        let skipped = self.to_skip.min(made);
        self.to_skip -= skipped;
        let ready = self.output.get(skipped..made).unwrap_or_default();
        out.extend(ready.iter().map(|&sample| to_i16(sample)));
        self.given += ready.len() as u64;
        Ok(())
    }
}

fn library(error: impl std::fmt::Display) -> ResampleError {
    ResampleError::Library(error.to_string())
}

/// Scales −1 to 1 to 16 bits; what is louder is clipped, what is no number is silence.
pub(crate) fn to_i16(sample: f32) -> i16 {
    (sample * 32_768.0).round() as i16
}

/// Converts a whole clip.
///
/// # Errors
/// [`ResampleError`] for rates outside [`RATES`].
pub fn resample(samples: &[i16], from: u32, to: u32) -> Result<Vec<i16>, ResampleError> {
    let mut resampler = Resampler::new(from, to)?;
    let mut out = Vec::with_capacity((samples.len() as f64 * resampler.ratio) as usize + 1);
    let mut piece = [0.0; CHUNK];
    for chunk in samples.chunks(CHUNK) {
        for (wide, &sample) in piece.iter_mut().zip(chunk) {
            *wide = f32::from(sample) / 32_768.0;
        }
        resampler.push(piece.get(..chunk.len()).unwrap_or_default(), &mut out)?;
    }
    resampler.finish(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::{level_dbov, power_at};

    fn tone_at(rate: u32, frequency: f64, seconds: f64) -> Vec<i16> {
        let count = (f64::from(rate) * seconds) as u32;
        (0..count)
            .map(|i| {
                ((f64::from(i) * frequency / f64::from(rate) * std::f64::consts::TAU).sin()
                    * 8_000.0) as i16
            })
            .collect()
    }

    #[test]
    fn a_tone_keeps_pitch_level_and_length() {
        for rate in [4_000, 11_025, 16_000, 22_050, 44_100, 48_000, 192_000] {
            let clip = tone_at(rate, 1_000.0, 0.5);
            let out = resample(&clip, rate, 8_000).unwrap();
            assert!(out.len().abs_diff(4_000) <= 1, "{rate}: {}", out.len());
            let middle = &out[400..3_600];
            assert!(power_at(middle, 1_000.0) > 0.99, "{rate}");
            assert!(
                (level_dbov(middle) - level_dbov(&clip)).abs() < 0.3,
                "{rate}: {}",
                level_dbov(middle)
            );
        }
    }

    #[test]
    fn what_8_khz_cannot_hold_is_left_out() {
        let out = resample(&tone_at(48_000, 6_000.0, 0.5), 48_000, 8_000).unwrap();
        assert!(
            level_dbov(&out[400..3_600]) < -70.0,
            "{}",
            level_dbov(&out[400..3_600])
        );
    }

    #[test]
    fn a_click_stays_where_it_was() {
        let mut clip = vec![0; 48_000];
        clip[24_000] = 20_000;
        let out = resample(&clip, 48_000, 8_000).unwrap();
        let peak = out
            .iter()
            .enumerate()
            .max_by_key(|(_, sample)| sample.unsigned_abs())
            .unwrap()
            .0;
        assert!(peak.abs_diff(4_000) <= 1, "{peak}");
    }

    #[test]
    fn short_clips_and_foreign_rates() {
        assert_eq!(resample(&[], 48_000, 8_000).unwrap().len(), 0);
        assert_eq!(resample(&[1; 6], 48_000, 8_000).unwrap().len(), 1);
        assert_eq!(resample(&[1, -2, 3], 8_000, 8_000).unwrap(), [1, -2, 3]);
        assert_eq!(resample(&[1], 1, 8_000), Err(ResampleError::Rate(1)));
        assert_eq!(
            resample(&[1], 8_000, 400_000),
            Err(ResampleError::Rate(400_000))
        );
    }
}
