//! Amazon's interaction model, and how an utterance becomes a request (facts A2).
//!
//! | module | what |
//! |---|---|
//! | [`document`] | the JSON format of the developer console and SMAPI |
//! | [`check`] | what makes a document unusable, each finding with its place |
//! | `language` | the words of each language: articles, numbers, how one asks for a skill |
//! | `words`, `sample` | utterances and samples as comparable words |
//! | `matching` | an utterance to an intent with slot values |

pub mod check;
pub mod document;
mod language;
mod matching;
mod sample;
mod words;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use self::check::Finding;
use self::document::Document;
pub use self::matching::{Heard, SlotValue};
use self::sample::Sample;
use self::words::Words;

/// Why a file is no usable interaction model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file could not be read.
    #[error("interaction model {path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file's name is no locale.
    #[error("interaction model {path}: the file must be named after its locale, such as en-US.json", path = path.display())]
    Locale {
        /// The file.
        path: PathBuf,
    },
    /// No JSON, or not the shape of an interaction model.
    #[error("interaction model: line {line}, column {column}: {message}")]
    Json {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What was wrong.
        message: String,
    },
    /// The document breaks rules of interaction models.
    #[error("interaction model: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Rules(Vec<Finding>),
}

/// What an entity resolution found for a slot (facts A2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// `amzn1.er-authority.echo-sdk.<skill>.<type>` is made of this type's name.
    pub slot_type: String,
    /// Matching values as (name, id); empty is `ER_SUCCESS_NO_MATCH`.
    pub values: Vec<(String, String)>,
}

/// A checked interaction model in one locale, ready to match.
#[derive(Debug)]
pub struct Model {
    locale: String,
    language: &'static language::Language,
    document: Document,
    invocation: Words,
    samples: Vec<Sample>,
}

impl Model {
    /// Reads `<locale>.json`.
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        let locale = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .filter(|stem| is_locale(stem))
            .ok_or_else(|| ModelError::Locale {
                path: path.to_owned(),
            })?;
        let text = std::fs::read_to_string(path).map_err(|source| ModelError::File {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, locale)
    }

    /// Reads a model's JSON; `locale` is such as `en-US`.
    pub fn parse(json: &str, locale: &str) -> Result<Self, ModelError> {
        let document: Document = serde_json::from_str(json).map_err(|error| ModelError::Json {
            line: error.line(),
            column: error.column(),
            message: error.to_string(),
        })?;
        let findings = check::check(&document);
        if !findings.is_empty() {
            return Err(ModelError::Rules(findings));
        }
        let language = language::of_locale(locale);
        let invocation = Words::of(&document.interaction_model.language_model.invocation_name);
        let samples = sample::all(&document, language);
        Ok(Self {
            locale: locale.to_owned(),
            language,
            document,
            invocation,
            samples,
        })
    }

    /// The locale that requests carry, such as `en-US`.
    pub fn locale(&self) -> &str {
        &self.locale
    }

    /// What the customer calls the skill.
    pub fn invocation_name(&self) -> &str {
        &self
            .document
            .interaction_model
            .language_model
            .invocation_name
    }

    /// What Alexa would make of `utterance`.
    ///
    /// A device of the simulator hears only this skill; an utterance without the skill's name is therefore taken as
    /// meant for it outside a session too, where real Alexa would want the name.
    pub fn hear(&self, utterance: &str) -> Heard {
        matching::hear(self, utterance)
    }

    /// Whether `intent` has a dialog model, so that its requests carry a `dialogState`.
    pub(crate) fn has_dialog(&self, intent: &str) -> bool {
        self.document
            .interaction_model
            .dialog
            .as_ref()
            .is_some_and(|dialog| dialog.intents.iter().any(|one| one.name == intent))
    }

    /// The value of an intent's slot when `utterance` is the answer to a question for it; none when there is no such slot or
    /// the words do not fit.
    pub(crate) fn slot_value(
        &self,
        intent: &str,
        slot: &str,
        utterance: &str,
    ) -> Option<SlotValue> {
        matching::slot_value(self, intent, slot, utterance)
    }

    /// Whether an utterance means yes or no.
    pub(crate) fn confirmation(&self, utterance: &str) -> Option<bool> {
        matching::confirmation(self.language, utterance)
    }

    fn declares(&self, intent: &str) -> bool {
        self.document
            .interaction_model
            .language_model
            .intents
            .iter()
            .any(|one| one.name == intent)
    }
}

fn is_locale(text: &str) -> bool {
    let bytes = text.as_bytes();
    matches!(bytes, [a, b, b'-', c, d]
        if a.is_ascii_lowercase() && b.is_ascii_lowercase() && c.is_ascii_uppercase() && d.is_ascii_uppercase())
}
