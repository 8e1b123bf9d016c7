//! Finds the silence that ends a recording (facts F6, RecordAudio).

use crate::{FRAME_MS, Frame, tone::level_dbov};

/// The documented points of the scale: threshold and level in dB (facts F6). Between them: straight in log(threshold).
const SCALE: [(f64, f64); 4] = [(1.0, 30.0), (100.0, 45.0), (200.0, 60.0), (1_000.0, 75.0)];
/// The scale's decibels count from one step of a 16-bit sample: full scale is 90 dB. Our choice; the documentation
/// names no reference, and this one puts the default of 200 at −30 dBov, between room noise and speech.
const FULL_SCALE_DB: f64 = 90.0;

/// Largest value of SilenceThreshold, the smallest being 1 (facts F6).
pub const MAX_THRESHOLD: u32 = 1_000;
/// Value of SilenceThreshold where none is given (facts F6).
pub const DEFAULT_THRESHOLD: u32 = 200;

/// The level in dBov below which a frame is silence, for a SilenceThreshold of 1 to 1000 (held to that range).
pub fn threshold_dbov(threshold: u32) -> f64 {
    let value = f64::from(threshold.clamp(1, MAX_THRESHOLD));
    let db = SCALE
        .windows(2)
        .find_map(|pair| {
            let &[(t0, d0), (t1, d1)] = pair else {
                return None;
            };
            (value <= t1).then(|| d0 + (d1 - d0) * (value / t0).ln() / (t1 / t0).ln())
        })
        .unwrap_or(75.0);
    db - FULL_SCALE_DB
}

/// Counts silent frames in a row.
#[derive(Clone, Debug)]
pub struct SilenceDetector {
    below_dbov: f64,
    needed_ms: u64,
    silent_ms: u64,
}

impl SilenceDetector {
    /// Finds silence of `duration_seconds` (facts F6: 1 to 1000) below a SilenceThreshold of 1 to 1000.
    pub fn new(duration_seconds: u32, threshold: u32) -> Self {
        Self {
            below_dbov: threshold_dbov(threshold),
            needed_ms: u64::from(duration_seconds.max(1)) * 1_000,
            silent_ms: 0,
        }
    }

    /// Takes the next frame; true once the silence has lasted.
    pub fn push(&mut self, frame: &Frame) -> bool {
        if level_dbov(frame) < self.below_dbov {
            self.silent_ms += u64::from(FRAME_MS);
        } else {
            self.silent_ms = 0;
        }
        self.is_silent()
    }

    /// Whether the silence has lasted.
    pub fn is_silent(&self) -> bool {
        self.silent_ms >= self.needed_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SILENT_FRAME, tone::sine};

    #[test]
    fn the_scale_goes_through_the_documented_points() {
        for (threshold, db) in [(1, 30.0), (100, 45.0), (200, 60.0), (1_000, 75.0)] {
            assert!(
                (threshold_dbov(threshold) + 90.0 - db).abs() < 1e-9,
                "{threshold}"
            );
        }
        assert!(
            (1..1_000).all(|threshold| threshold_dbov(threshold) < threshold_dbov(threshold + 1))
        );
    }

    #[test]
    fn silence_has_to_last_without_a_break() {
        let speech: Frame = sine(300.0, -20.0, 160).try_into().unwrap();
        let murmur: Frame = sine(300.0, -40.0, 160).try_into().unwrap();
        let mut detector = SilenceDetector::new(1, DEFAULT_THRESHOLD);
        assert!(!(0..200).any(|_| detector.push(&speech)));
        assert!(!(0..49).any(|_| detector.push(&SILENT_FRAME)));
        assert!(!detector.push(&speech));
        assert!(!(0..49).any(|_| detector.push(&murmur)));
        assert!(detector.push(&murmur));
    }
}
