//! StartBotConversation (facts F6).

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::Parameters;
use super::types::LegSelector;
use crate::sma::fields::{FieldError, Fields};

/// Largest `Configuration`, in bytes of JSON.
pub const MAX_CONFIGURATION_BYTES: usize = 10 * 1024;

/// StartBotConversation: talk to a bot.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct StartBotConversation {
    /// Which bot.
    pub bot_alias_arn: String,
    /// Absent: `en_US`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale_id: Option<String>,
    /// How it starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration: Option<BotConfiguration>,
    /// LEG-A only.
    #[serde(flatten)]
    pub leg: LegSelector,
}

/// `Configuration` of a bot conversation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct BotConfiguration {
    /// The bot's state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_state: Option<BotSessionState>,
    /// Said first; needs the dialog action ElicitIntent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub welcome_messages: Vec<WelcomeMessage>,
}

/// `SessionState` of a bot conversation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct BotSessionState {
    /// Names and values for the bot.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub session_attributes: BTreeMap<String, String>,
    /// Who speaks first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dialog_action: Option<BotDialogAction>,
}

/// `DialogAction` of a bot conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "Type")]
pub enum BotDialogAction {
    /// The bot decides.
    Delegate,
    /// The caller is asked what they want.
    ElicitIntent,
}

/// One of `WelcomeMessages`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "ContentType", content = "Content")]
pub enum WelcomeMessage {
    /// Plain text.
    PlainText(String),
    /// Speech Synthesis Markup Language.
    #[serde(rename = "SSML")]
    Ssml(String),
}

impl Parameters for StartBotConversation {
    fn read(fields: &Fields<'_>) -> Result<Self, FieldError> {
        let expected = "an object of at most 10 KB: {SessionState?, WelcomeMessages?}";
        let configuration = match fields.object("Configuration", expected)? {
            None => None,
            Some(_)
                if fields
                    .get("Configuration")
                    .is_some_and(|it| it.to_string().len() > MAX_CONFIGURATION_BYTES) =>
            {
                return Err(fields.invalid("Configuration", expected));
            }
            Some(object) => Some(BotConfiguration::read(&object)?),
        };
        Ok(Self {
            bot_alias_arn: fields.required_text("BotAliasArn", "the ARN of a bot's alias")?,
            locale_id: fields.text("LocaleId", "a locale such as en_US")?,
            configuration,
            leg: LegSelector::read(fields)?,
        })
    }
}

impl BotConfiguration {
    fn read(fields: &Fields<'_>) -> Result<Self, FieldError> {
        let session_state = match fields.object(
            "SessionState",
            "an object {SessionAttributes?, DialogAction?}",
        )? {
            None => None,
            Some(state) => Some(BotSessionState::read(&state)?),
        };
        let expected = "a list of objects {Content, ContentType}";
        let mut welcome_messages = Vec::new();
        for message in fields
            .objects("WelcomeMessages", expected)?
            .unwrap_or_default()
        {
            let content = message.required_text("Content", "a text")?;
            welcome_messages.push(
                match message
                    .required_text("ContentType", "PlainText or SSML")?
                    .as_str()
                {
                    "PlainText" => WelcomeMessage::PlainText(content),
                    "SSML" => WelcomeMessage::Ssml(content),
                    _ => return Err(message.invalid("ContentType", "PlainText or SSML")),
                },
            );
        }
        let elicits = session_state.as_ref().and_then(|state| state.dialog_action)
            == Some(BotDialogAction::ElicitIntent);
        if !welcome_messages.is_empty() && !elicits {
            return Err(fields.invalid(
                "WelcomeMessages",
                "SessionState.DialogAction.Type ElicitIntent beside it",
            ));
        }
        Ok(Self {
            session_state,
            welcome_messages,
        })
    }
}

impl BotSessionState {
    fn read(fields: &Fields<'_>) -> Result<Self, FieldError> {
        let mut session_attributes = BTreeMap::new();
        if let Some(map) = fields.object("SessionAttributes", "a map of strings")? {
            for (name, value) in map.entries() {
                let value = match value {
                    Value::Null => continue,
                    Value::String(text) => text.clone(),
                    Value::Number(number) => number.to_string(),
                    _ => return Err(map.invalid(name, "a string")),
                };
                session_attributes.insert(name.clone(), value);
            }
        }
        let types = "Delegate or ElicitIntent";
        let dialog_action = match fields.object("DialogAction", "an object {Type}")? {
            None => None,
            Some(action) => Some(match action.required_text("Type", types)?.as_str() {
                "Delegate" => BotDialogAction::Delegate,
                "ElicitIntent" => BotDialogAction::ElicitIntent,
                _ => return Err(action.invalid("Type", types)),
            }),
        };
        Ok(Self {
            session_attributes,
            dialog_action,
        })
    }
}
