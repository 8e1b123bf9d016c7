//! RecordAudio and the recording of calls (facts F6).

use std::time::Duration;

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use super::Parameters;
use super::types::{DigitSet, LegSelector, is_bucket, is_safe_path, read_bucket, read_s3_type};
use crate::sma::fields::{FieldError, Fields};

/// Longest prefix of a recording's key, in characters (facts F6).
pub const MAX_PREFIX_CHARS: usize = 979;

/// RecordAudio: record what the caller says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RecordAudio {
    /// Digits that end the recording; required, may be empty.
    pub recording_terminators: DigitSet,
    /// Where it goes.
    pub recording_destination: RecordingDestination,
    /// Longest duration, 1 or more seconds; absent: no limit but the call's end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_in_seconds: Option<u32>,
    /// End after so many seconds of silence, 1 to 1000; absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence_duration_in_seconds: Option<u32>,
    /// What counts as silence, 1 to 1000, see [`SilenceDetection::threshold`]; absent: 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence_threshold: Option<u32>,
    /// Whom.
    #[serde(flatten)]
    pub leg: LegSelector,
}

/// When a recording ends because nobody speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SilenceDetection {
    /// So much silence ends it.
    pub duration: Duration,
    /// Noise level, 1 to 1000: 1 is about 30 dB, 100 about 40 to 50 dB, 200 about 60 dB, 1000 about 75 dB (facts F6).
    pub threshold: u32,
}

impl RecordAudio {
    /// Silence detection, if it is on, with the default applied.
    pub fn silence(&self) -> Option<SilenceDetection> {
        Some(SilenceDetection {
            duration: Duration::from_secs(self.silence_duration_in_seconds?.into()),
            threshold: self.silence_threshold.unwrap_or(200),
        })
    }

    /// Longest duration, if there is one.
    pub fn limit(&self) -> Option<Duration> {
        self.duration_in_seconds
            .map(|seconds| Duration::from_secs(seconds.into()))
    }
}

/// `RecordingDestination` of RecordAudio: a bucket and the beginning of the key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordingDestination {
    /// The bucket.
    pub bucket_name: String,
    /// The beginning of the key, up to 979 characters.
    pub prefix: Option<String>,
}

impl Serialize for RecordingDestination {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut place = serializer.serialize_struct(
            "RecordingDestination",
            2 + usize::from(self.prefix.is_some()),
        )?;
        place.serialize_field("Type", "S3")?;
        place.serialize_field("BucketName", &self.bucket_name)?;
        if let Some(prefix) = &self.prefix {
            place.serialize_field("Prefix", prefix)?;
        }
        place.end()
    }
}

/// Characters that Amazon calls safe in keys.
fn is_safe_prefix(prefix: &str) -> bool {
    prefix.len() <= MAX_PREFIX_CHARS
        && prefix
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!-_.*'()/ ".contains(&b))
        && is_safe_path(prefix.strip_suffix('/').unwrap_or(prefix))
}

const PREFIX: &str =
    "up to 979 characters of a-z A-Z 0-9 ! - _ . * ' ( ) / without empty, \".\" and \"..\" parts";

impl Parameters for RecordAudio {
    fn read(fields: &Fields<'_>) -> Result<Self, FieldError> {
        let place = fields.required_object(
            "RecordingDestination",
            "an object {Type: \"S3\", BucketName, Prefix?}",
        )?;
        read_s3_type(&place)?;
        let bucket_name = read_bucket(&place)?;
        let prefix = place.text("Prefix", PREFIX)?;
        if prefix
            .as_deref()
            .is_some_and(|prefix| !is_safe_prefix(prefix))
        {
            return Err(place.invalid("Prefix", PREFIX));
        }
        Ok(Self {
            recording_terminators: DigitSet::read(fields, "RecordingTerminators")?.ok_or_else(
                || fields.missing("RecordingTerminators", "a list of digits from 0-9, * and #"),
            )?,
            recording_destination: RecordingDestination {
                bucket_name,
                prefix,
            },
            duration_in_seconds: fields.number("DurationInSeconds", 1, u32::MAX)?,
            silence_duration_in_seconds: fields.number("SilenceDurationInSeconds", 1, 1000)?,
            silence_threshold: fields.number("SilenceThreshold", 1, 1000)?,
            leg: LegSelector::read(fields)?,
        })
    }
}

/// `Track`: which side of a leg is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Track {
    /// Both: stereo, incoming left, outgoing right.
    #[default]
    Both,
    /// What the leg says: mono.
    Incoming,
    /// What the leg hears: mono.
    Outgoing,
}

/// StartCallRecording: record a leg from now on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct StartCallRecording {
    /// Which side.
    pub track: Track,
    /// Where it goes.
    pub destination: CallRecordingDestination,
    /// Which leg. Amazon requires CallId; ParticipantTag and nothing are taken too.
    #[serde(flatten)]
    pub leg: LegSelector,
}

/// `Destination` of StartCallRecording.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallRecordingDestination {
    /// The bucket.
    pub bucket: String,
    /// The beginning of the key; absent: Amazon's (facts F6).
    pub prefix: Option<String>,
}

impl CallRecordingDestination {
    /// `Location`: the bucket, and the prefix after a slash.
    pub fn location(&self) -> String {
        match &self.prefix {
            Some(prefix) => format!("{}/{prefix}", self.bucket),
            None => self.bucket.clone(),
        }
    }
}

impl Serialize for CallRecordingDestination {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut place = serializer.serialize_struct("Destination", 2)?;
        place.serialize_field("Type", "S3")?;
        place.serialize_field("Location", &self.location())?;
        place.end()
    }
}

impl Parameters for StartCallRecording {
    fn read(fields: &Fields<'_>) -> Result<Self, FieldError> {
        let tracks = "BOTH, INCOMING or OUTGOING";
        let track = match fields
            .required_text("Track", tracks)?
            .to_ascii_uppercase()
            .as_str()
        {
            "BOTH" => Track::Both,
            "INCOMING" => Track::Incoming,
            "OUTGOING" => Track::Outgoing,
            _ => return Err(fields.invalid("Track", tracks)),
        };
        let place = fields.required_object("Destination", "an object {Type: \"S3\", Location}")?;
        read_s3_type(&place)?;
        let expected = "a bucket's name, with a prefix after a slash if wanted";
        let location = place.required_text("Location", expected)?;
        let (bucket, prefix) = match location.split_once('/') {
            None => (location.as_str(), None),
            Some((bucket, prefix)) => (
                bucket,
                Some(prefix.trim_end_matches('/')).filter(|prefix| !prefix.is_empty()),
            ),
        };
        if !is_bucket(bucket) || prefix.is_some_and(|prefix| !is_safe_prefix(prefix)) {
            return Err(place.invalid("Location", expected));
        }
        let destination = CallRecordingDestination {
            bucket: bucket.to_owned(),
            prefix: prefix.map(str::to_owned),
        };
        Ok(Self {
            track,
            destination,
            leg: LegSelector::read(fields)?,
        })
    }
}

macro_rules! leg_only {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        $($(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
        pub struct $name {
            /// Which leg.
            #[serde(flatten)]
            pub leg: LegSelector,
        }

        impl Parameters for $name {
            fn read(fields: &Fields<'_>) -> Result<Self, FieldError> {
                Ok(Self { leg: LegSelector::read(fields)? })
            }
        })+
    };
}

leg_only! {
    /// StopCallRecording: end the recording of a leg.
    StopCallRecording,
    /// PauseCallRecording: record silence until resumed.
    PauseCallRecording,
    /// ResumeCallRecording: go on recording.
    ResumeCallRecording,
}
