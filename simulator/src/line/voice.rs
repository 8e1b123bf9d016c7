//! A voice as frames.

use std::sync::Arc;

use skillcall_media::player::Player;
use skillcall_media::prompt::EncodedPrompt;
use skillcall_media::{SAMPLE_RATE, tone, wav};

use super::{LineError, Voice};

/// Level of a test tone in dBov: loud, and far from clipping.
const TONE_LEVEL: f64 = -13.0;

/// A voice that can be played; `None` is silence.
pub(crate) type Mouth = Option<Player>;

/// Makes a voice ready: reads its file, makes its tone.
pub(crate) async fn prepare(voice: &Voice) -> Result<Mouth, LineError> {
    match voice {
        Voice::Silence => Ok(None),
        Voice::Tone { hz } => {
            if !(20.0..=3900.0).contains(hz) {
                return Err(LineError::Sip(format!(
                    "a tone of {hz} Hz cannot be sent; 20 to 3900 Hz can"
                )));
            }
            // One second holds a whole number of periods of a whole number of hertz, so it joins without a click.
            let second = tone::sine(hz.round(), TONE_LEVEL, SAMPLE_RATE as usize);
            Ok(Some(Player::endless(EncodedPrompt::from_pcm(&second))))
        }
        Voice::Wav { file } => {
            let path = file.clone();
            let read = tokio::task::spawn_blocking(move || wav::read_file(&path)).await;
            let audio = read
                .map_err(|error| LineError::Sip(error.to_string()))?
                .map_err(|error| LineError::Sip(format!("voice {}: {error}", file.display())))?;
            let prompt: Arc<EncodedPrompt> = EncodedPrompt::from_pcm(&audio.samples);
            Ok(Some(Player::endless(prompt)))
        }
    }
}
