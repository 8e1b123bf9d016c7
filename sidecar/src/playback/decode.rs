//! Files that are played, whatever their format: WAV, MP3, Ogg Vorbis and FLAC, of any usual rate (facts F6 have WAV
//! alone; the others are ours).

use std::io::Cursor;

use skillcall_media::SAMPLE_RATE;
use skillcall_media::resample::{ResampleError, Resampler};
use skillcall_media::wav::{self, WavError};
use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;

/// The longest file, in samples of the line: an hour. Compressed silence has no other bound.
const MOST_SAMPLES: usize = 3600 * SAMPLE_RATE as usize;

/// Why a file is no audio that can be played.
#[derive(Debug, thiserror::Error)]
pub(super) enum DecodeError {
    /// It begins like no file that is known.
    #[error(
        "the file is no audio that can be played: it begins with \"{0}\"; expected WAV (best: PCM, 8 kHz, mono), MP3, Ogg Vorbis or FLAC"
    )]
    Unknown(String),
    /// A WAV that is none.
    #[error(transparent)]
    Wav(#[from] WavError),
    /// The decoder refuses it.
    #[error("the {format} file cannot be decoded: {error}")]
    Decoder {
        /// What it begins like.
        format: &'static str,
        /// What the decoder says.
        error: Error,
    },
    /// There is nothing to hear in it.
    #[error("the {0} file holds no audio")]
    Silent(&'static str),
    /// More than an hour.
    #[error("the {0} file is longer than an hour")]
    TooLong(&'static str),
    /// A sample rate that cannot be converted.
    #[error(transparent)]
    Rate(#[from] ResampleError),
}

/// A file's audio, mono, at the line's rate.
pub(super) fn decode(bytes: Vec<u8>) -> Result<Vec<i16>, DecodeError> {
    if bytes.starts_with(b"RIFF") {
        return Ok(wav::read(&bytes)?.samples);
    }
    let Some(format) = format_of(&bytes) else {
        let beginning = bytes.get(..12).unwrap_or(&bytes);
        return Err(DecodeError::Unknown(beginning.escape_ascii().to_string()));
    };
    let failed = |error| DecodeError::Decoder { format, error };
    let stream = MediaSourceStream::new(Box::new(Cursor::new(bytes)), Default::default());
    let mut reader = symphonia::default::get_probe()
        .probe(
            &Hint::new(),
            stream,
            FormatOptions::default(),
            MetadataOptions::default(),
        )
        .map_err(failed)?;
    let track = reader
        .default_track(TrackType::Audio)
        .ok_or(DecodeError::Silent(format))?;
    let track_id = track.id;
    let parameters = track
        .codec_params
        .as_ref()
        .and_then(|parameters| parameters.audio())
        .ok_or(DecodeError::Silent(format))?;
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default())
        .map_err(failed)?;
    let mut resampler: Option<(u32, Resampler)> = None;
    let (mut samples, mut interleaved, mut mono) = (Vec::new(), Vec::<f32>::new(), Vec::new());
    while let Some(packet) = reader.next_packet().map_err(failed)? {
        if packet.track_id != track_id {
            continue;
        }
        let audio = match decoder.decode(&packet) {
            Ok(audio) => audio,
            // One packet that is broken is left out, as players do.
            Err(Error::DecodeError(_)) => continue,
            Err(error) => return Err(failed(error)),
        };
        let (rate, channels) = (audio.spec().rate(), audio.spec().channels().count().max(1));
        interleaved.resize(audio.samples_interleaved(), 0.0);
        audio.copy_to_slice_interleaved(&mut interleaved);
        mono.clear();
        mono.extend(interleaved.chunks_exact(channels).map(|frame| {
            let sum: f32 = frame
                .iter()
                .filter(|sample| sample.is_finite())
                .map(|sample| sample.clamp(-1.0, 1.0))
                .sum();
            sum / channels as f32
        }));
        let fits = |(of, _): &(u32, Resampler)| *of == rate;
        if !resampler.as_ref().is_some_and(fits) {
            if let Some((_, before)) = resampler.take() {
                before.finish(&mut samples)?;
            }
            resampler = Some((rate, Resampler::new(rate, SAMPLE_RATE)?));
        }
        if let Some((_, resampler)) = &mut resampler {
            resampler.push(&mono, &mut samples)?;
        }
        if samples.len() > MOST_SAMPLES {
            return Err(DecodeError::TooLong(format));
        }
    }
    if let Some((_, resampler)) = resampler {
        resampler.finish(&mut samples)?;
    }
    if samples.is_empty() {
        return Err(DecodeError::Silent(format));
    }
    Ok(samples)
}

/// The format of a file that is no WAV, by its first bytes.
fn format_of(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [b'f', b'L', b'a', b'C', ..] => Some("FLAC"),
        [b'O', b'g', b'g', b'S', ..] => Some("Ogg"),
        [b'I', b'D', b'3', ..] => Some("MP3"),
        // The frame sync of MPEG audio: eleven bits.
        [0xff, second, ..] if second & 0xe0 == 0xe0 => Some("MP3"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skillcall_media::tone::{power_at, sine};

    #[test]
    fn tones_of_each_format_are_heard() {
        // Half a second of 1000 Hz, made by sox: 48 kHz stereo, 22.05 kHz mono, 44.1 kHz stereo.
        for (name, bytes) in [
            ("FLAC", include_bytes!("data/tone.flac").as_slice()),
            ("Ogg", include_bytes!("data/tone.ogg").as_slice()),
            ("MP3", include_bytes!("data/tone.mp3").as_slice()),
        ] {
            assert_eq!(format_of(bytes), Some(name));
            let samples = decode(bytes.to_vec()).unwrap();
            // An MP3 has the silence of its encoder around it.
            assert!(
                (3900..5000).contains(&samples.len()),
                "{name}: {}",
                samples.len()
            );
            let middle = samples.get(1500..3100).unwrap();
            assert!(power_at(middle, 1000.0) > 0.9, "{name}");
        }
        let wav = wav::to_bytes(&sine(1000.0, -10.0, 800), 1).unwrap();
        assert_eq!(decode(wav).unwrap().len(), 800);
    }

    #[test]
    fn what_is_no_audio_is_told_by_its_reason() {
        let told = |bytes: &[u8]| decode(bytes.to_vec()).unwrap_err().to_string();
        assert!(told(b"<html>no</html>").contains("begins with \"<html>no</ht\""));
        assert!(told(b"").contains("begins with \"\""));
        assert!(told(b"RIFF1234").contains("no WAV"));
        let flac = include_bytes!("data/tone.flac");
        assert!(told(&flac[..40]).contains("FLAC"), "{}", told(&flac[..40]));
        for length in 0..flac.len().min(400) {
            // Cut off anywhere it is refused, or plays what there is.
            let _ = decode(flac[..length].to_vec());
        }
        let mp3 = include_bytes!("data/tone.mp3");
        for at in (0..mp3.len()).step_by(97) {
            let mut broken = mp3.to_vec();
            broken[at] ^= 0x5a;
            let _ = decode(broken);
        }
    }
}
