//! PlayAudio (facts F6).

use serde::Serialize;

use super::Parameters;
use super::types::{DigitSet, LegSelector, S3Object};
use crate::sma::fields::{FieldError, Fields};

/// PlayAudio: play a WAV file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PlayAudio {
    /// The file.
    pub audio_source: S3Object,
    /// Digits that stop playback and repeats.
    #[serde(skip_serializing_if = "DigitSet::is_empty")]
    pub playback_terminators: DigitSet,
    /// How often it is played, 1 or more; absent: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat: Option<u32>,
    /// To whom.
    #[serde(flatten)]
    pub leg: LegSelector,
}

impl PlayAudio {
    /// How often it is played, with the default applied.
    pub fn times(&self) -> u32 {
        self.repeat.unwrap_or(1)
    }
}

pub(super) const AUDIO_SOURCE: &str = "an object {Type: \"S3\", BucketName, Key}";

impl Parameters for PlayAudio {
    fn read(fields: &Fields<'_>) -> Result<Self, FieldError> {
        Ok(Self {
            audio_source: S3Object::read(&fields.required_object("AudioSource", AUDIO_SOURCE)?)?,
            playback_terminators: DigitSet::read(fields, "PlaybackTerminators")?
                .unwrap_or_default(),
            repeat: fields.number("Repeat", 1, u32::MAX)?,
            leg: LegSelector::read(fields)?,
        })
    }
}
