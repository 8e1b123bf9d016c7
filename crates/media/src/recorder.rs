//! Records a leg: one direction in mono, or both in stereo, aligned by the sample clock (facts F6).

use std::{
    fs::File,
    io::{BufWriter, Seek, Write},
    path::Path,
};

use crate::{
    FRAME_SAMPLES, Frame, SAMPLE_RATE, SILENT_FRAME,
    wav::{WavError, WavWriter},
};

/// How often the file is brought up to date, in samples: every two seconds.
const FLUSH_EVERY: u64 = 2 * SAMPLE_RATE as u64;

/// What is recorded: StartCallRecording's Track (facts F6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Track {
    /// What the leg says, mono.
    Incoming,
    /// What the leg hears, mono.
    Outgoing,
    /// Both: incoming left, outgoing right.
    Both,
}

/// Writes a recording frame by frame.
pub struct Recorder<W: Write + Seek = BufWriter<File>> {
    writer: WavWriter<W>,
    track: Track,
    paused: bool,
    flushed: u64,
}

impl Recorder {
    /// Records into a new file.
    ///
    /// # Errors
    /// [`WavError::Io`] when the file cannot be created.
    pub fn create(path: &Path, track: Track) -> Result<Self, WavError> {
        Self::new(BufWriter::new(File::create(path)?), track)
    }
}

impl<W: Write + Seek> Recorder<W> {
    /// Records into anything that can seek.
    ///
    /// # Errors
    /// [`WavError::Io`] when the header cannot be written.
    pub fn new(target: W, track: Track) -> Result<Self, WavError> {
        let channels = if track == Track::Both { 2 } else { 1 };
        Ok(Self {
            writer: WavWriter::new(target, channels)?,
            track,
            paused: false,
            flushed: 0,
        })
    }

    /// Records the frame that begins `at` samples after the start of the recording; `None` is silence.
    ///
    /// What lies between the end of the recording and `at` becomes silence; what lies before the end was recorded
    /// already and is left out. Give the same `at` in steps of 160 for every tick, and both directions stay aligned.
    ///
    /// # Errors
    /// [`WavError::Io`] when the disk is full, or the recording reaches 2 GB.
    pub fn write(
        &mut self,
        at: u64,
        incoming: Option<&Frame>,
        outgoing: Option<&Frame>,
    ) -> Result<(), WavError> {
        while self.writer.samples() < at {
            let missing = usize::try_from(at - self.writer.samples()).unwrap_or(usize::MAX);
            self.append(&SILENT_FRAME, &SILENT_FRAME, 0, missing.min(FRAME_SAMPLES))?;
        }
        let known = usize::try_from(self.writer.samples() - at).unwrap_or(usize::MAX);
        if known < FRAME_SAMPLES {
            let heard = |frame: Option<&Frame>| {
                frame
                    .filter(|_| !self.paused)
                    .copied()
                    .unwrap_or(SILENT_FRAME)
            };
            let (incoming, outgoing) = (heard(incoming), heard(outgoing));
            self.append(&incoming, &outgoing, known, FRAME_SAMPLES)?;
        }
        if self.writer.samples() - self.flushed >= FLUSH_EVERY {
            self.flushed = self.writer.samples();
            self.writer.flush()?;
        }
        Ok(())
    }

    /// Records the next frame, right behind the last.
    ///
    /// # Errors
    /// As [`Recorder::write`].
    pub fn push(
        &mut self,
        incoming: Option<&Frame>,
        outgoing: Option<&Frame>,
    ) -> Result<(), WavError> {
        self.write(self.writer.samples(), incoming, outgoing)
    }

    /// Records silence until [`Recorder::resume`] (facts F6: a pause is recorded as silence).
    pub fn pause(&mut self) {
        self.paused = true;
    }

    /// Records what is heard again.
    pub fn resume(&mut self) {
        self.paused = false;
    }

    /// Length so far in samples.
    pub fn samples(&self) -> u64 {
        self.writer.samples()
    }

    /// Length so far in seconds.
    pub fn seconds(&self) -> f64 {
        self.samples() as f64 / f64::from(SAMPLE_RATE)
    }

    /// Completes the file and returns its length in seconds.
    ///
    /// # Errors
    /// [`WavError::Io`] when the disk is full.
    pub fn finish(self) -> Result<f64, WavError> {
        let seconds = self.seconds();
        self.writer.finish()?;
        Ok(seconds)
    }

    fn append(
        &mut self,
        incoming: &Frame,
        outgoing: &Frame,
        from: usize,
        to: usize,
    ) -> Result<(), WavError> {
        let incoming = incoming.get(from..to).unwrap_or_default();
        let outgoing = outgoing.get(from..to).unwrap_or_default();
        match self.track {
            Track::Incoming => self.writer.write(incoming),
            Track::Outgoing => self.writer.write(outgoing),
            Track::Both => {
                let mut both = [0; 2 * FRAME_SAMPLES];
                for (pair, (&left, &right)) in
                    both.chunks_exact_mut(2).zip(incoming.iter().zip(outgoing))
                {
                    pair.copy_from_slice(&[left, right]);
                }
                self.writer
                    .write(both.get(..2 * incoming.len()).unwrap_or_default())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn record(track: Track, steps: impl Fn(&mut Recorder<&mut Cursor<Vec<u8>>>)) -> Vec<i16> {
        let mut target = Cursor::new(Vec::new());
        let mut recorder = Recorder::new(&mut target, track).unwrap();
        steps(&mut recorder);
        recorder.finish().unwrap();
        let reader = hound::WavReader::new(Cursor::new(target.into_inner())).unwrap();
        assert_eq!(
            reader.spec().channels,
            if track == Track::Both { 2 } else { 1 }
        );
        reader.into_samples().collect::<Result<_, _>>().unwrap()
    }

    const IN: Frame = [11; FRAME_SAMPLES];
    const OUT: Frame = [22; FRAME_SAMPLES];

    #[test]
    fn both_directions_stay_aligned_over_holes() {
        let samples = record(Track::Both, |recorder| {
            recorder.write(0, Some(&IN), None).unwrap();
            recorder.write(400, Some(&IN), Some(&OUT)).unwrap();
            recorder.write(480, None, Some(&OUT)).unwrap();
            assert_eq!(recorder.samples(), 640);
        });
        let expected = |at: usize| match at {
            0..160 => [11, 0],
            160..400 => [0, 0],
            400..560 => [11, 22],
            _ => [0, 22],
        };
        assert_eq!(samples.len(), 1_280);
        for (at, pair) in samples.chunks_exact(2).enumerate() {
            assert_eq!(pair, expected(at), "sample {at}");
        }
    }

    #[test]
    fn one_direction_is_mono_and_a_pause_is_silence() {
        for (track, level) in [(Track::Incoming, 11), (Track::Outgoing, 22)] {
            let samples = record(track, |recorder| {
                recorder.push(Some(&IN), Some(&OUT)).unwrap();
                recorder.pause();
                recorder.push(Some(&IN), Some(&OUT)).unwrap();
                recorder.resume();
                recorder.push(Some(&IN), Some(&OUT)).unwrap();
                assert!((recorder.seconds() - 0.06).abs() < 1e-9);
            });
            assert_eq!(samples, [[level; 160], [0; 160], [level; 160]].concat());
        }
    }
}
