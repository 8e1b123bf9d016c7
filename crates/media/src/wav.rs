//! WAV files: any PCM in, 8 kHz mono out of it; recordings written so that they are valid at every moment.

use std::{
    fs::File,
    io::{self, BufWriter, Cursor, Read, Seek, Write},
    path::Path,
};

use hound::{SampleFormat, WavReader, WavSpec};
use thiserror::Error;

use crate::{
    SAMPLE_RATE,
    resample::{ResampleError, Resampler},
};

/// The largest file that is read: PlayAudio's limit (facts F6).
pub const MAX_FILE: u64 = 50 * 1_000 * 1_000;

/// Why a file is no usable audio: PlayAudio's `InvalidAudioSource` (facts F6).
#[derive(Debug, Error)]
pub enum WavError {
    /// It cannot be read, or written.
    #[error("the file cannot be read or written: {0}")]
    Io(#[from] io::Error),
    /// More than [`MAX_FILE`].
    #[error("the file has {0} bytes; at most 50 MB (50000000 bytes) are played")]
    TooLarge(u64),
    /// No `RIFF…WAVE` at its beginning.
    #[error(
        "the file is no WAV: it begins with {found}, where \"RIFF\", a length and \"WAVE\" are expected"
    )]
    NotWav {
        /// The first bytes, printable.
        found: String,
    },
    /// A chunk that is needed is missing.
    #[error("the WAV has no {0} chunk")]
    NoChunk(&'static str),
    /// A format other than PCM of 8, 16, 24 or 32 bits, or 32-bit float.
    #[error(
        "the WAV's format is not supported ({0}); save it as uncompressed PCM, 8 kHz mono with 16 bits"
    )]
    Format(String),
    /// A sample rate that cannot be converted.
    #[error(transparent)]
    Rate(#[from] ResampleError),
}

/// A file's audio, ready for the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audio {
    /// Mono, [`SAMPLE_RATE`].
    pub samples: Vec<i16>,
    /// Sample rate in the file, in Hz.
    pub file_rate: u32,
    /// Channels in the file; they are averaged.
    pub file_channels: u16,
}

/// Reads a file.
///
/// # Errors
/// [`WavError`] says what is wrong with it.
pub fn read_file(path: &Path) -> Result<Audio, WavError> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    if len > MAX_FILE {
        return Err(WavError::TooLarge(len));
    }
    let mut bytes = Vec::with_capacity(len as usize);
    // The file may grow while it is read; what comes in above the limit is refused all the same.
    Read::by_ref(&mut file)
        .take(MAX_FILE + 1)
        .read_to_end(&mut bytes)?;
    read(&bytes)
}

/// Reads a file's bytes: PCM of 8, 16, 24 or 32 bits or 32-bit float, any number of channels, 4 to 192 kHz.
///
/// A length of the data chunk that is zero or beyond the end, as programs write it into a pipe, means "to the end".
///
/// # Errors
/// [`WavError`] says what is wrong with it.
pub fn read(bytes: &[u8]) -> Result<Audio, WavError> {
    if bytes.len() as u64 > MAX_FILE {
        return Err(WavError::TooLarge(bytes.len() as u64));
    }
    let (head, data) = well_formed(bytes)?;
    let reader = WavReader::new(head.chain(data)).map_err(unsupported)?;
    let spec = reader.spec();
    let mut resampler = Resampler::new(spec.sample_rate, SAMPLE_RATE)?;
    let mut samples = Vec::new();
    match spec.sample_format {
        SampleFormat::Int => {
            let scale = 2f32.powi(1 - i32::from(spec.bits_per_sample));
            let values = reader
                .into_samples::<i32>()
                .map(|value| value.map(|value| value as f32 * scale));
            convert(values, spec, &mut resampler, &mut samples)?;
        }
        SampleFormat::Float => convert(
            reader.into_samples::<f32>(),
            spec,
            &mut resampler,
            &mut samples,
        )?,
    }
    resampler.finish(&mut samples)?;
    Ok(Audio {
        samples,
        file_rate: spec.sample_rate,
        file_channels: spec.channels,
    })
}

fn convert(
    values: impl Iterator<Item = hound::Result<f32>>,
    spec: WavSpec,
    resampler: &mut Resampler,
    out: &mut Vec<i16>,
) -> Result<(), WavError> {
    let channels = usize::from(spec.channels.max(1));
    let mut mono = Vec::with_capacity(4_096);
    let (mut sum, mut seen) = (0.0, 0);
    for value in values {
        let value = value.map_err(unsupported)?;
        // Rounding would otherwise carry what is no number, or beyond all bounds, through the filter.
        sum += if value.is_finite() {
            value.clamp(-1.0, 1.0)
        } else {
            0.0
        };
        seen += 1;
        if seen == channels {
            mono.push(sum / channels as f32);
            (sum, seen) = (0.0, 0);
            if mono.len() == 4_096 {
                resampler.push(&mono, out)?;
                mono.clear();
            }
        }
    }
    Ok(resampler.push(&mono, out)?)
}

fn unsupported(error: hound::Error) -> WavError {
    match error {
        hound::Error::IoError(error) => WavError::Io(error),
        other => WavError::Format(other.to_string()),
    }
}

/// A header with a true data length, and the data: hound wants all lengths right, and the pad byte of odd chunks away.
fn well_formed(bytes: &[u8]) -> Result<(Cursor<Vec<u8>>, &[u8]), WavError> {
    if bytes.get(..4) != Some(b"RIFF") || bytes.get(8..12) != Some(b"WAVE") {
        let found = bytes.get(..12).unwrap_or(bytes).escape_ascii().to_string();
        return Err(WavError::NotWav {
            found: format!("\"{found}\""),
        });
    }
    let mut rest = bytes.get(12..).unwrap_or_default();
    let mut format: Option<&[u8]> = None;
    loop {
        let Some((&[i0, i1, i2, i3, l0, l1, l2, l3], body)) = rest.split_first_chunk::<8>() else {
            return Err(WavError::NoChunk(if format.is_some() {
                "\"data\""
            } else {
                "\"fmt \""
            }));
        };
        let announced = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        match &[i0, i1, i2, i3] {
            b"fmt " => format = body.get(..announced),
            b"data" => {
                let format = format.ok_or(WavError::NoChunk("\"fmt \""))?;
                let data = body
                    .get(..announced)
                    .filter(|data| !data.is_empty())
                    .unwrap_or(body);
                let block = match format {
                    [_, _, _, _, _, _, _, _, _, _, _, _, b0, b1, ..] => {
                        usize::from(u16::from_le_bytes([*b0, *b1]))
                    }
                    _ => 0,
                };
                let whole = data.len() - data.len().checked_rem(block).unwrap_or(0);
                let data = data.get(..whole).unwrap_or_default();
                let mut head = b"RIFF\0\0\0\0WAVEfmt ".to_vec();
                head.extend((format.len() as u32).to_le_bytes());
                head.extend(format);
                head.extend(b"data");
                head.extend((data.len() as u32).to_le_bytes());
                return Ok((Cursor::new(head), data));
            }
            _ => {}
        }
        rest = body
            .get(announced.saturating_add(announced & 1)..)
            .unwrap_or_default();
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::{level_dbov, power_at, sine};

    fn file(spec: WavSpec, write: impl Fn(&mut hound::WavWriter<&mut Cursor<Vec<u8>>>)) -> Vec<u8> {
        let mut target = Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut target, spec).unwrap();
        write(&mut writer);
        writer.finalize().unwrap();
        target.into_inner()
    }

    #[test]
    fn every_format_becomes_8_khz_mono() {
        let tone: Vec<f32> = (0..24_000)
            .map(|i| (i as f32 * 1_000.0 / 48_000.0 * std::f32::consts::TAU).sin() * 0.5)
            .collect();
        for (bits, channels) in [
            (8, 1),
            (16, 1),
            (16, 2),
            (24, 1),
            (24, 6),
            (32, 2),
            (0, 1),
            (0, 2),
        ] {
            let float = bits == 0;
            let sample_format = if float {
                SampleFormat::Float
            } else {
                SampleFormat::Int
            };
            let bits_per_sample = if float { 32 } else { bits };
            let bytes = file(
                WavSpec {
                    channels,
                    sample_rate: 48_000,
                    bits_per_sample,
                    sample_format,
                },
                |writer| {
                    for sample in &tone {
                        for _ in 0..channels {
                            if float {
                                writer.write_sample(*sample).unwrap();
                            } else {
                                writer
                                    .write_sample((sample * 2f32.powi(i32::from(bits) - 1)) as i32)
                                    .unwrap();
                            }
                        }
                    }
                },
            );
            let audio = read(&bytes).unwrap();
            assert_eq!(
                (audio.samples.len(), audio.file_rate, audio.file_channels),
                (4_000, 48_000, channels)
            );
            let middle = &audio.samples[400..3_600];
            assert!(
                power_at(middle, 1_000.0) > 0.99,
                "{bits} bits, {channels} channels"
            );
            assert!(
                (level_dbov(middle) + 6.0).abs() < 0.3,
                "{bits} bits: {}",
                level_dbov(middle)
            );
        }
    }

    #[test]
    fn our_own_files_come_back_bit_for_bit() {
        let tone = sine(440.0, -10.0, 1_000);
        assert_eq!(read(&to_bytes(&tone, 1).unwrap()).unwrap().samples, tone);
    }

    #[test]
    fn lengths_of_pipes_and_odd_chunks_are_understood() {
        let tone = sine(440.0, -10.0, 1_000);
        for announced in [0u32, 0x7fff_f000, u32::MAX, 2_001] {
            let mut bytes = to_bytes(&tone, 1).unwrap();
            bytes.splice(40..44, announced.to_le_bytes());
            bytes.splice(36..36, *b"LIST\x03\0\0\0abc\0");
            assert_eq!(read(&bytes).unwrap().samples, tone, "{announced:#x}");
        }
        let mut cut = to_bytes(&tone, 1).unwrap();
        cut.truncate(44 + 1_001);
        assert_eq!(read(&cut).unwrap().samples, tone[..500]);
    }

    #[test]
    fn each_fault_is_named() {
        let good = to_bytes(&[1; 100], 1).unwrap();
        let changed = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            read(&bytes).unwrap_err().to_string()
        };
        assert!(
            read(b"ID3\x03mp3")
                .unwrap_err()
                .to_string()
                .contains("begins with \"ID3\\x03mp3\"")
        );
        assert!(
            read(&good[..20])
                .unwrap_err()
                .to_string()
                .contains("no \"fmt \" chunk")
        );
        assert!(
            read(&good[..36])
                .unwrap_err()
                .to_string()
                .contains("no \"data\" chunk")
        );
        assert!(changed(20, 17).contains("not supported"), "ADPCM");
        assert!(changed(22, 0).contains("zero channels"));
        assert!(matches!(
            read(&vec![0; MAX_FILE as usize + 1]),
            Err(WavError::TooLarge(50_000_001))
        ));
        let slow = file(
            WavSpec {
                channels: 1,
                sample_rate: 100,
                bits_per_sample: 16,
                sample_format: SampleFormat::Int,
            },
            |writer| writer.write_sample(1i16).unwrap(),
        );
        assert!(read(&slow).unwrap_err().to_string().contains("100 Hz"));
        assert!(matches!(
            read_file(Path::new("/nonexistent.wav")),
            Err(WavError::Io(_))
        ));
    }

    #[test]
    fn a_file_is_valid_before_it_is_finished() {
        let mut target = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut target, 1).unwrap();
        writer.write(&[7; 300]).unwrap();
        writer.flush().unwrap();
        writer.write(&[8; 50]).unwrap();
        // Leaving without dropping is what a crash leaves behind.
        std::mem::forget(writer);
        assert_eq!(read(target.get_ref()).unwrap().samples[..300], [7; 300]);
    }
}
