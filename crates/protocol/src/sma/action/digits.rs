//! The actions that collect and send digits (facts F6).

use std::time::Duration;

use serde::Serialize;

use super::Parameters;
use super::audio::AUDIO_SOURCE;
use super::speech::SpeechParameters;
use super::types::{Digit, DigitSet, LegSelector, S3Object};
use crate::sma::fields::{FieldError, Fields};

/// Most digits that are collected (facts F6: MaxNumberOfDigits' default).
pub const MAX_DIGITS: u32 = 128;
/// Longest InputDigitsRegex, in bytes (our bound).
pub const MAX_REGEX_BYTES: usize = 512;

/// The rules of PlayAudioAndGetDigits and SpeakAndGetDigits (facts F6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DigitRules {
    /// Searched for in the digits, not matched against all of them (facts F5). Compiled where it is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_digits_regex: Option<String>,
    /// Absent: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_number_of_digits: Option<u32>,
    /// At least MinNumberOfDigits and 1, at most 128; absent: 128.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_number_of_digits: Option<u32>,
    /// Absent: `#`; an empty list: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminator_digits: Option<DigitSet>,
    /// Milliseconds between digits, 1 or more; absent: as RepeatDurationInMilliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_between_digits_duration_in_milliseconds: Option<u32>,
    /// Attempts in all, 1 or more; absent: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat: Option<u32>,
    /// Milliseconds for each attempt, 1 or more; required.
    pub repeat_duration_in_milliseconds: u32,
}

impl Default for DigitRules {
    fn default() -> Self {
        Self {
            input_digits_regex: None,
            min_number_of_digits: None,
            max_number_of_digits: None,
            terminator_digits: None,
            in_between_digits_duration_in_milliseconds: None,
            repeat: None,
            repeat_duration_in_milliseconds: 10_000,
        }
    }
}

impl DigitRules {
    /// Fewest digits, with the default applied.
    pub fn min(&self) -> usize {
        self.min_number_of_digits.unwrap_or(0) as usize
    }

    /// Most digits, with the default applied.
    pub fn max(&self) -> usize {
        self.max_number_of_digits.unwrap_or(MAX_DIGITS) as usize
    }

    /// Whether this digit ends the input.
    pub fn is_terminator(&self, digit: Digit) -> bool {
        match &self.terminator_digits {
            Some(set) => set.contains(digit),
            None => digit.as_char() == '#',
        }
    }

    /// Attempts in all, with the default applied.
    pub fn attempts(&self) -> u32 {
        self.repeat.unwrap_or(1)
    }

    /// The time for an attempt.
    pub fn attempt_time(&self) -> Duration {
        Duration::from_millis(self.repeat_duration_in_milliseconds.into())
    }

    /// The time between two digits, with the default applied.
    pub fn gap(&self) -> Duration {
        let millis = self.in_between_digits_duration_in_milliseconds;
        Duration::from_millis(
            millis
                .unwrap_or(self.repeat_duration_in_milliseconds)
                .into(),
        )
    }

    fn read(fields: &Fields<'_>) -> Result<Self, FieldError> {
        let rules = Self {
            input_digits_regex: read_regex(fields)?,
            min_number_of_digits: fields.number("MinNumberOfDigits", 0, MAX_DIGITS)?,
            max_number_of_digits: fields.number("MaxNumberOfDigits", 1, MAX_DIGITS)?,
            terminator_digits: DigitSet::read(fields, "TerminatorDigits")?,
            in_between_digits_duration_in_milliseconds: fields.number(
                "InBetweenDigitsDurationInMilliseconds",
                1,
                u32::MAX,
            )?,
            repeat: fields.number("Repeat", 1, u32::MAX)?,
            repeat_duration_in_milliseconds: fields.required_number(
                "RepeatDurationInMilliseconds",
                1,
                u32::MAX,
            )?,
        };
        // The page says "greater than", samples send equal ones and work (facts F6).
        if rules.max() < rules.min() {
            let expected = format!("at least MinNumberOfDigits, which is {}", rules.min());
            return Err(fields.invalid("MaxNumberOfDigits", expected));
        }
        Ok(rules)
    }
}

fn read_regex(fields: &Fields<'_>) -> Result<Option<String>, FieldError> {
    match fields.text("InputDigitsRegex", "a regular expression")? {
        Some(regex) if regex.len() > MAX_REGEX_BYTES => Err(fields.invalid(
            "InputDigitsRegex",
            format!("a regular expression of at most {MAX_REGEX_BYTES} bytes"),
        )),
        regex => Ok(regex),
    }
}

/// PlayAudioAndGetDigits: play a file and collect digits.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PlayAudioAndGetDigits {
    /// The question.
    pub audio_source: S3Object,
    /// What is played after a failed attempt.
    pub failure_audio_source: S3Object,
    /// What counts as an answer.
    #[serde(flatten)]
    pub rules: DigitRules,
    /// To whom.
    #[serde(flatten)]
    pub leg: LegSelector,
}

impl Parameters for PlayAudioAndGetDigits {
    fn read(fields: &Fields<'_>) -> Result<Self, FieldError> {
        Ok(Self {
            audio_source: S3Object::read(&fields.required_object("AudioSource", AUDIO_SOURCE)?)?,
            failure_audio_source: S3Object::read(
                &fields.required_object("FailureAudioSource", AUDIO_SOURCE)?,
            )?,
            rules: DigitRules::read(fields)?,
            leg: LegSelector::read(fields)?,
        })
    }
}

/// SpeakAndGetDigits: say a text and collect digits.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SpeakAndGetDigits {
    /// The question.
    pub speech_parameters: SpeechParameters,
    /// What is said after a failed attempt; absent: nothing, because handlers leave it out (facts F6 lists it, and
    /// marks only its Text as required).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_speech_parameters: Option<SpeechParameters>,
    /// What counts as an answer.
    #[serde(flatten)]
    pub rules: DigitRules,
    /// To whom.
    #[serde(flatten)]
    pub leg: LegSelector,
}

impl Parameters for SpeakAndGetDigits {
    fn read(fields: &Fields<'_>) -> Result<Self, FieldError> {
        let expected = "an object {Text, Engine?, LanguageCode?, TextType?, VoiceId?}";
        let main = SpeechParameters::read(&fields.required_object("SpeechParameters", expected)?)?;
        let failure = match fields.object("FailureSpeechParameters", expected)? {
            None => None,
            Some(object) => Some(SpeechParameters::read(&object)?.or_as_in(&main)),
        };
        Ok(Self {
            speech_parameters: main,
            failure_speech_parameters: failure,
            rules: DigitRules::read(fields)?,
            leg: LegSelector::read(fields)?,
        })
    }
}

/// ReceiveDigits: arm a listener.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ReceiveDigits {
    /// Searched for in the digits when the time between digits has passed.
    pub input_digits_regex: String,
    /// Milliseconds, 1 or more.
    pub in_between_digits_duration_in_milliseconds: u32,
    /// Milliseconds from the first digit, 1 or more; then the digits are sent whatever they are.
    pub flush_digits_duration_in_milliseconds: u32,
    /// On which leg.
    #[serde(flatten)]
    pub leg: LegSelector,
}

impl Parameters for ReceiveDigits {
    fn read(fields: &Fields<'_>) -> Result<Self, FieldError> {
        Ok(Self {
            input_digits_regex: read_regex(fields)?
                .ok_or_else(|| fields.missing("InputDigitsRegex", "a regular expression"))?,
            in_between_digits_duration_in_milliseconds: fields.required_number(
                "InBetweenDigitsDurationInMilliseconds",
                1,
                u32::MAX,
            )?,
            flush_digits_duration_in_milliseconds: fields.required_number(
                "FlushDigitsDurationInMilliseconds",
                1,
                u32::MAX,
            )?,
            leg: LegSelector::read(fields)?,
        })
    }
}

/// SendDigits: send tones.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SendDigits {
    /// 1 to 50 of 0-9 `*` `#` A-D and `,` (half a second of silence).
    pub digits: String,
    /// Milliseconds, 50 to 24000; absent: 250.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tone_duration_in_milliseconds: Option<u32>,
    /// To whom.
    #[serde(flatten)]
    pub leg: LegSelector,
}

impl SendDigits {
    /// How long each digit sounds, with the default applied.
    pub fn tone(&self) -> Duration {
        Duration::from_millis(self.tone_duration_in_milliseconds.unwrap_or(250).into())
    }
}

impl Parameters for SendDigits {
    fn read(fields: &Fields<'_>) -> Result<Self, FieldError> {
        let expected = "1 to 50 of 0-9, *, #, A-D and the comma";
        let digits = fields.required_text("Digits", expected)?;
        if digits.chars().count() > 50
            || !digits.chars().all(|c| c == ',' || Digit::new(c).is_some())
        {
            return Err(fields.invalid("Digits", expected));
        }
        Ok(Self {
            digits,
            tone_duration_in_milliseconds: fields.number(
                "ToneDurationInMilliseconds",
                50,
                24_000,
            )?,
            leg: LegSelector::read(fields)?,
        })
    }
}
