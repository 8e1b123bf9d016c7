//! `[[bot]]` and `[recognizer]`: what stands behind StartBotConversation (facts F6).

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

/// A bot: an endpoint with the request shapes of Lex V2's runtime (RecognizeText, RecognizeUtterance).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BotConfig {
    /// `BotAliasArn` of the action, such as `arn:aws:lex:us-east-1:111122223333:bot-alias/ABCDEFGHIJ/TSTALIASID`.
    pub alias_arn: String,
    /// Where the bot is asked; `/bots/…` is added.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub url: Url,
    /// What becomes of speech; default `none`.
    #[serde(default)]
    pub speech: BotSpeech,
    /// The voice that says the bot's messages (a name of Polly's); default: the default voice of the speech engine for the
    /// bot's locale.
    #[serde(default)]
    pub voice: Option<String>,
    /// Seconds that the bot, and the recognizer, may each take, 1..60; default 10.
    #[serde(default = "timeout")]
    pub timeout_seconds: u16,
}

fn timeout() -> u16 {
    10
}

/// What becomes of what a caller says to a bot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum BotSpeech {
    /// Nothing: the bot gets digits only.
    #[default]
    None,
    /// The bot gets the audio (RecognizeUtterance), and recognises the speech itself.
    Audio,
    /// `[recognizer]` makes text of it, which the bot gets (RecognizeText).
    Text,
}

/// A speech recogniser with the request shape of OpenAI's `/v1/audio/transcriptions`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RecognizerConfig {
    /// Where audio is posted; default: nowhere, there is no recogniser.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub url: Option<Url>,
    /// `model` of the request; default `whisper-1`.
    pub model: String,
    /// File with the key (mode 0600) that is sent as a bearer token; or env `SKILLCALL_SIDECAR_RECOGNIZER_KEY`; default:
    /// none is sent.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub key_file: Option<PathBuf>,
}

impl Default for RecognizerConfig {
    fn default() -> Self {
        Self {
            url: None,
            model: "whisper-1".to_owned(),
            key_file: None,
        }
    }
}
