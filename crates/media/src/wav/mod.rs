//! WAV files: any PCM in, 8 kHz mono out of it; recordings written so that they are valid at every moment.

mod writer;

#[cfg(test)]
mod tests;

pub use writer::{WavWriter, to_bytes};

use std::{
    fs::File,
    io::{self, Cursor, Read},
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
