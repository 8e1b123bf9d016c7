//! What was heard, by tones and by sentences.

use std::path::{Path, PathBuf};

use skillcall_media::SAMPLE_RATE;
use skillcall_media::tone::{find, power_at};
use skillcall_simulator::Simulator;

use crate::wait::until;

/// The length that is looked at: 200 ms.
const WINDOW: usize = SAMPLE_RATE as usize / 5;
/// The share of the energy above which a tone is what is heard.
const CLEAR: f64 = 0.8;

/// Whether this tone is what the samples hold.
#[must_use]
pub fn is_tone(samples: &[i16], hz: f64) -> bool {
    power_at(samples, hz) > CLEAR
}

/// How many windows of 200 ms hold this tone clearly.
#[must_use]
pub fn windows_with(samples: &[i16], hz: f64) -> usize {
    samples
        .chunks_exact(WINDOW)
        .filter(|window| is_tone(window, hz))
        .count()
}

/// A run of windows that hold a tone (`true`) or do not, and how many they are.
pub type Stretch = (bool, usize);

/// When a tone was there and when not: runs of windows of 200 ms, without those of a single window, in which it comes or
/// goes.
#[must_use]
pub fn stretches(samples: &[i16], hz: f64) -> Vec<Stretch> {
    let mut runs: Vec<Stretch> = Vec::new();
    for window in samples.chunks_exact(WINDOW) {
        let is = is_tone(window, hz);
        match runs.last_mut() {
            Some((was, length)) if *was == is => *length += 1,
            _ => runs.push((is, 1)),
        }
    }
    let mut merged: Vec<Stretch> = Vec::new();
    for (is, length) in runs.into_iter().filter(|(_, length)| *length > 1) {
        match merged.last_mut() {
            Some((was, sum)) if *was == is => *sum += length,
            _ => merged.push((is, length)),
        }
    }
    merged
}

/// Waits until a tone was heard in a call for a second in all.
pub async fn heard(simulator: &Simulator, call: &str, hz: f64) {
    until(&format!("a tone of {hz} Hz in {call}"), async || {
        let heard = simulator.heard(call)?;
        (windows_with(&heard, hz) >= 5).then_some(())
    })
    .await;
}

/// How much like a sentence a recording is where it is most like it: 1 is the sentence itself, at any volume.
#[must_use]
pub fn likeness(sentence: &[i16], recording: &[i16]) -> f64 {
    find(sentence, recording).map_or(0.0, |found| found.coefficient)
}

/// The WAV files under a folder.
#[must_use]
pub fn recordings(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "wav") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The two channels of a stereo recording: left, right.
///
/// # Panics
/// When it is no stereo WAV with 16 bits.
#[must_use]
pub fn stereo(path: &Path) -> (Vec<i16>, Vec<i16>) {
    let mut reader = hound::WavReader::open(path).expect("a WAV file");
    assert_eq!(reader.spec().channels, 2, "{}", path.display());
    assert_eq!(reader.spec().sample_rate, SAMPLE_RATE, "{}", path.display());
    let samples: Vec<i16> = reader
        .samples()
        .collect::<Result<_, _>>()
        .expect("samples of 16 bits");
    samples
        .chunks_exact(2)
        .map(|pair| (pair[0], pair[1]))
        .unzip()
}
