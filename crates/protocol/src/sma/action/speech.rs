//! Speak, and the speech of SpeakAndGetDigits (facts F6).

use serde::Serialize;

use super::Parameters;
use super::types::LegSelector;
use crate::sma::error_type::ErrorType;
use crate::sma::fields::{FieldError, Fields};

/// Longest text, in characters.
pub const MAX_TEXT_CHARS: usize = 1000;

/// `Engine`: how the voice is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// The default.
    Standard,
    /// The better one.
    Neural,
}

/// `TextType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TextType {
    /// Plain text, the default.
    Text,
    /// Speech Synthesis Markup Language.
    Ssml,
}

/// What to say and how: Speak's own parameters, and `SpeechParameters` of SpeakAndGetDigits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SpeechParameters {
    /// 1 to 1000 characters.
    pub text: String,
    /// Absent: standard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<Engine>,
    /// A language tag such as `en-US`; absent: the voice's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language_code: Option<String>,
    /// Absent: text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_type: Option<TextType>,
    /// Absent: Joanna.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice_id: Option<String>,
}

impl SpeechParameters {
    /// Plain text with the defaults.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// SSML with the defaults.
    pub fn ssml(ssml: impl Into<String>) -> Self {
        Self {
            text: ssml.into(),
            text_type: Some(TextType::Ssml),
            ..Self::default()
        }
    }

    /// Amazon's name for the voice, with the default applied.
    pub fn voice(&self) -> &str {
        self.voice_id.as_deref().unwrap_or("Joanna")
    }

    /// Whether the text is SSML.
    pub fn is_ssml(&self) -> bool {
        self.text_type == Some(TextType::Ssml)
    }

    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, FieldError> {
        let expected = "a text of 1 to 1000 characters";
        let text = fields.required_text("Text", expected)?;
        let length = text.chars().count();
        if length > MAX_TEXT_CHARS {
            // Facts F6 (SpeakAndGetDigits): an over-long text is told as a missing one.
            let mut error = fields.invalid("Text", expected);
            error.found = format!("{length} characters long");
            error.error_type = ErrorType::MissingRequiredActionParameter;
            return Err(error);
        }
        let engine = match fields.text("Engine", "standard or neural")?.as_deref() {
            None => None,
            Some(name) if name.eq_ignore_ascii_case("standard") => Some(Engine::Standard),
            Some(name) if name.eq_ignore_ascii_case("neural") => Some(Engine::Neural),
            Some(_) => return Err(fields.invalid("Engine", "standard or neural")),
        };
        let text_type = match fields.text("TextType", "text or ssml")?.as_deref() {
            None => None,
            Some(name) if name.eq_ignore_ascii_case("text") => Some(TextType::Text),
            Some(name) if name.eq_ignore_ascii_case("ssml") => Some(TextType::Ssml),
            Some(_) => return Err(fields.invalid("TextType", "text or ssml")),
        };
        Ok(Self {
            text,
            engine,
            language_code: name(fields, "LanguageCode", "a language tag such as en-US")?,
            text_type,
            voice_id: name(fields, "VoiceId", "the name of a voice, such as Joanna")?,
        })
    }

    /// The failure speech: what it leaves out is as in the main speech (facts F6).
    pub(super) fn or_as_in(mut self, main: &Self) -> Self {
        self.engine = self.engine.or(main.engine);
        self.language_code = self.language_code.or_else(|| main.language_code.clone());
        self.text_type = self.text_type.or(main.text_type);
        self.voice_id = self.voice_id.or_else(|| main.voice_id.clone());
        self
    }
}

/// A tag or name that goes to a speech engine: letters, digits and hyphens only, so that it cannot become an option
/// or a path there.
fn name(fields: &Fields<'_>, key: &str, expected: &str) -> Result<Option<String>, FieldError> {
    match fields.text(key, expected)? {
        Some(text)
            if text.len() > 64
                || text.starts_with('-')
                || !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') =>
        {
            Err(fields.invalid(key, expected))
        }
        name => Ok(name),
    }
}

/// Speak: say a text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Speak {
    /// What and how.
    #[serde(flatten)]
    pub speech: SpeechParameters,
    /// To whom. Amazon's page requires CallId, handlers leave it out; so may ours.
    #[serde(flatten)]
    pub leg: LegSelector,
}

impl Speak {
    /// Says plain text on the leg that triggered the event.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            speech: SpeechParameters::text(text),
            leg: LegSelector::default(),
        }
    }
}

impl Parameters for Speak {
    fn read(fields: &Fields<'_>) -> Result<Self, FieldError> {
        Ok(Self {
            speech: SpeechParameters::read(fields)?,
            leg: LegSelector::read(fields)?,
        })
    }
}
