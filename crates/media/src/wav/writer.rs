//! Writes WAV files that are valid at every moment.

use std::{
    fs::File,
    io::{self, BufWriter, Cursor, Seek, Write},
    path::Path,
};

use hound::{SampleFormat, WavSpec};

use super::{WavError, unsupported};
use crate::SAMPLE_RATE;

/// Writes 16-bit PCM at [`SAMPLE_RATE`].
pub struct WavWriter<W: Write + Seek = BufWriter<File>> {
    inner: hound::WavWriter<W>,
    channels: u16,
}

impl WavWriter {
    /// Creates a file, or empties it. One channel is mono, two are stereo.
    ///
    /// # Errors
    /// [`WavError::Io`] when the file cannot be created.
    pub fn create(path: &Path, channels: u16) -> Result<Self, WavError> {
        Self::new(BufWriter::new(File::create(path)?), channels)
    }
}

impl<W: Write + Seek> WavWriter<W> {
    /// Writes to anything that can seek.
    ///
    /// # Errors
    /// [`WavError::Io`] when the header cannot be written.
    pub fn new(target: W, channels: u16) -> Result<Self, WavError> {
        let spec = WavSpec {
            channels: channels.max(1),
            sample_rate: SAMPLE_RATE,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let mut inner = hound::WavWriter::new(target, spec).map_err(unsupported)?;
        inner.flush().map_err(unsupported)?;
        Ok(Self {
            inner,
            channels: spec.channels,
        })
    }

    /// Appends samples, interleaved.
    ///
    /// # Errors
    /// [`WavError::Io`] when the disk is full, or the file reaches WAV's limit of 4 GB.
    pub fn write(&mut self, samples: &[i16]) -> Result<(), WavError> {
        // Four bytes a sample are assumed, so that the length field never gets near its end.
        if self
            .inner
            .len()
            .checked_add(samples.len() as u32)
            .is_none_or(|len| len > u32::MAX / 4)
        {
            return Err(WavError::Io(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "the recording has reached 2 GB",
            )));
        }
        for &sample in samples {
            self.inner.write_sample(sample).map_err(unsupported)?;
        }
        Ok(())
    }

    /// Brings the file up to date: whoever opens it now finds a valid WAV with everything written so far.
    ///
    /// # Errors
    /// [`WavError::Io`] when the disk is full.
    pub fn flush(&mut self) -> Result<(), WavError> {
        self.inner.flush().map_err(unsupported)
    }

    /// Samples of one channel written so far.
    pub fn samples(&self) -> u64 {
        u64::from(self.inner.len()) / u64::from(self.channels)
    }

    /// Completes the file.
    ///
    /// # Errors
    /// [`WavError::Io`] when the disk is full.
    pub fn finish(self) -> Result<(), WavError> {
        self.inner.finalize().map_err(unsupported)
    }
}

/// A whole WAV in memory, of interleaved samples at [`SAMPLE_RATE`].
///
/// # Errors
/// [`WavError::Io`] above 2 GB.
pub fn to_bytes(samples: &[i16], channels: u16) -> Result<Vec<u8>, WavError> {
    let mut bytes = Vec::with_capacity(44 + samples.len() * 2);
    let mut writer = WavWriter::new(Cursor::new(&mut bytes), channels)?;
    writer.write(samples)?;
    writer.finish()?;
    Ok(bytes)
}
