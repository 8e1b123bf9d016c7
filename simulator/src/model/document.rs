//! The JSON document of an interaction model, as the developer console exports it.
//!
//! Members that matching does not need (`prompts`, `modelConfiguration`, validations) are accepted and left alone.

use serde::Deserialize;

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// The model proper.
    pub interaction_model: InteractionModel,
}

/// `interactionModel`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InteractionModel {
    /// What can be said.
    pub language_model: LanguageModel,
    /// Which intents have a dialog.
    pub dialog: Option<Dialog>,
}

/// `languageModel`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LanguageModel {
    /// What the customer calls the skill: lower-case words.
    pub invocation_name: String,
    /// What the skill understands.
    pub intents: Vec<Intent>,
    /// The skill's own slot types.
    #[serde(default)]
    pub types: Vec<SlotType>,
}

/// One intent.
#[derive(Debug, Clone, Deserialize)]
pub struct Intent {
    /// Its name; `AMAZON.…` for built-in ones.
    pub name: String,
    /// Its slots.
    #[serde(default)]
    pub slots: Vec<Slot>,
    /// Ways to say it, with slots as `{name}`.
    #[serde(default)]
    pub samples: Vec<String>,
}

/// One slot of an intent.
#[derive(Debug, Clone, Deserialize)]
pub struct Slot {
    /// Its name in the samples.
    pub name: String,
    /// A type of the model, or `AMAZON.…`.
    #[serde(rename = "type")]
    pub slot_type: String,
}

/// A slot type with its values.
#[derive(Debug, Clone, Deserialize)]
pub struct SlotType {
    /// Its name.
    pub name: String,
    /// Its values.
    #[serde(default)]
    pub values: Vec<Value>,
}

/// One value of a slot type.
#[derive(Debug, Clone, Deserialize)]
pub struct Value {
    /// What the skill calls it; a missing id is derived from the name.
    pub id: Option<String>,
    /// What people call it.
    pub name: ValueName,
}

/// The spoken forms of a value.
#[derive(Debug, Clone, Deserialize)]
pub struct ValueName {
    /// The canonical form.
    pub value: String,
    /// Other forms.
    #[serde(default)]
    pub synonyms: Vec<String>,
}

/// `dialog`.
#[derive(Debug, Clone, Deserialize)]
pub struct Dialog {
    /// Intents with a dialog.
    #[serde(default)]
    pub intents: Vec<DialogIntent>,
}

/// One intent of `dialog`.
#[derive(Debug, Clone, Deserialize)]
pub struct DialogIntent {
    /// The intent's name.
    pub name: String,
}
