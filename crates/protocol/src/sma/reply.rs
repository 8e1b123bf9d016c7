//! The handler's reply: a list of actions and the call's attributes (facts F1, F3, F4).

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::SCHEMA_VERSION;
use super::action::{Action, ActionError, MAX_ACTIONS};
use super::attributes::{self, AttributeError, AttributeUpdate, TransactionAttributes};
use super::error_type::ErrorType;
use super::fields::describe;

/// A reply (facts F1): `{SchemaVersion: "1.0", Actions, TransactionAttributes}`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reply {
    /// `None` (absent or `null`) and an empty list: what is left of the old list goes on. A list that is not empty
    /// replaces all after the running action.
    pub actions: Option<Vec<RequestedAction>>,
    /// What becomes of the call's attributes.
    pub transaction_attributes: AttributeUpdate,
}

/// One action of a reply: as it was asked for, and whether that can be.
///
/// A bad parameter does not spoil the reply: the actions before it run, and then it fails with ACTION_FAILED (facts F7).
#[derive(Debug, Clone, PartialEq)]
pub struct RequestedAction {
    /// `Type`, as it was sent.
    pub name: String,
    /// `Parameters`, as they were sent: events give them back.
    pub parameters: Map<String, Value>,
    /// What it means, or what is wrong with it.
    pub checked: Result<Action, ActionError>,
}

impl From<Action> for RequestedAction {
    fn from(action: Action) -> Self {
        let parameters = match action.parameters() {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        Self {
            name: action.name().to_owned(),
            parameters,
            checked: Ok(action),
        }
    }
}

impl Reply {
    /// A reply that asks for these actions and leaves the attributes.
    pub fn with(actions: impl IntoIterator<Item = Action>) -> Self {
        Self {
            actions: Some(actions.into_iter().map(RequestedAction::from).collect()),
            transaction_attributes: AttributeUpdate::Keep,
        }
    }

    /// The same reply with these attributes instead.
    #[must_use]
    pub fn attributes(mut self, attributes: TransactionAttributes) -> Self {
        self.transaction_attributes = AttributeUpdate::Set(attributes);
        self
    }

    /// The actions, whether absent or empty.
    pub fn requested(&self) -> &[RequestedAction] {
        self.actions.as_deref().unwrap_or_default()
    }
}

impl Serialize for Reply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut reply = serializer.serialize_map(None)?;
        reply.serialize_entry("SchemaVersion", SCHEMA_VERSION)?;
        if let Some(actions) = &self.actions {
            reply.serialize_entry("Actions", actions)?;
        }
        if let AttributeUpdate::Set(attributes) = &self.transaction_attributes {
            reply.serialize_entry("TransactionAttributes", attributes)?;
        }
        reply.end()
    }
}

impl Serialize for RequestedAction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut action = serializer.serialize_map(Some(2))?;
        action.serialize_entry("Type", &self.name)?;
        action.serialize_entry("Parameters", &self.parameters)?;
        action.end()
    }
}

/// Why a whole reply is refused: the handler is told by INVALID_LAMBDA_RESPONSE (facts E3).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// Nothing, or white space.
    #[error("the reply is empty; expected a JSON object {{SchemaVersion, Actions}}")]
    Blank,
    /// No JSON.
    #[error("the reply is no JSON (line {line}, column {column}: {message})")]
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What the parser says.
        message: String,
    },
    /// JSON in a JSON string (facts F1).
    #[error(
        "the reply is a string that holds JSON; expected the object itself: return it without serialising it a second time"
    )]
    Stringified,
    /// `{statusCode, body}`, as API Gateway wants it (facts F1).
    #[error(
        "the reply is wrapped in {{statusCode, body}}, as API Gateway wants it; expected the object in `body` alone"
    )]
    Wrapped,
    /// JSON of another kind.
    #[error("the reply is {found}; expected an object {{SchemaVersion, Actions}}")]
    NotAnObject {
        /// What was found, shortened.
        found: String,
    },
    /// `SchemaVersion` is missing or another.
    #[error("SchemaVersion is {found}; expected \"1.0\"")]
    SchemaVersion {
        /// What was found, shortened.
        found: String,
    },
    /// `Actions` is no list.
    #[error("Actions is {found}; expected a list of objects {{Type, Parameters}}, or null")]
    ActionsNotAList {
        /// What was found, shortened.
        found: String,
    },
    /// More actions than [`MAX_ACTIONS`].
    #[error("Actions has {found} actions; expected at most {MAX_ACTIONS}")]
    TooManyActions {
        /// How many.
        found: usize,
    },
    /// An action that is no object, or has a part of the wrong kind.
    #[error("action {}: {field} is {found}; expected {expected}", .index + 1)]
    ActionShape {
        /// Its place, from 0.
        index: usize,
        /// Which part.
        field: &'static str,
        /// What was found, shortened.
        found: String,
        /// What would be right.
        expected: &'static str,
    },
    /// An action of a type that does not exist.
    #[error("action {}: Type is {name:?}{}; expected one of {}", .index + 1, hint(.name), Action::TYPES.join(", "))]
    UnknownAction {
        /// Its place, from 0.
        index: usize,
        /// The type that was sent.
        name: String,
    },
    /// `TransactionAttributes`.
    #[error(transparent)]
    Attributes(#[from] AttributeError),
}

impl ReplyError {
    /// The event's ErrorType. Only SchemaVersionMismatch and TransactionAttributesInvalidMapSize are published (facts
    /// E3); whatever is no proper envelope counts as the former (facts F1).
    pub fn error_type(&self) -> ErrorType {
        match self {
            Self::Blank
            | Self::NotJson { .. }
            | Self::Stringified
            | Self::Wrapped
            | Self::NotAnObject { .. }
            | Self::SchemaVersion { .. } => ErrorType::SchemaVersionMismatch,
            Self::ActionsNotAList { .. } | Self::ActionShape { .. } => ErrorType::InvalidActionList,
            Self::TooManyActions { .. } => ErrorType::ActionsInvalidListSize,
            Self::UnknownAction { .. } => ErrorType::UnsupportedActionType,
            Self::Attributes(AttributeError::TooLarge { .. }) => {
                ErrorType::TransactionAttributesInvalidMapSize
            }
            Self::Attributes(_) => ErrorType::TransactionAttributesInvalidValue,
        }
    }
}

fn hint(name: &str) -> String {
    let plain = |text: &str| text.to_ascii_lowercase().trim_end_matches('s').to_owned();
    match Action::TYPES
        .iter()
        .find(|known| plain(known) == plain(name))
    {
        Some(known) => format!(" (did you mean {known:?}?)"),
        None => String::new(),
    }
}

/// Reads a handler's reply.
///
/// # Errors
/// [`ReplyError`] when the reply as a whole cannot be used; a bad parameter of one action is kept in
/// [`RequestedAction::checked`].
pub fn parse_reply(body: &[u8]) -> Result<Reply, ReplyError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(ReplyError::Blank);
    }
    let value: Value = serde_json::from_slice(body).map_err(|error| ReplyError::NotJson {
        line: error.line(),
        column: error.column(),
        message: error.to_string(),
    })?;
    read_reply(&value)
}

/// Reads a reply that is JSON already.
///
/// # Errors
/// As [`parse_reply`].
pub fn read_reply(value: &Value) -> Result<Reply, ReplyError> {
    let map = match value {
        Value::Object(map) => map,
        Value::String(text) if text.trim_start().starts_with('{') => {
            return Err(ReplyError::Stringified);
        }
        other => {
            return Err(ReplyError::NotAnObject {
                found: describe(other),
            });
        }
    };
    match map.get("SchemaVersion") {
        Some(Value::String(version)) if version == SCHEMA_VERSION => {}
        // Handlers write the number 1.0, which JavaScript sends as 1 (facts F5).
        Some(Value::Number(version)) if version.as_f64() == Some(1.0) => {}
        None if map.contains_key("statusCode") || map.contains_key("body") => {
            return Err(ReplyError::Wrapped);
        }
        found => {
            return Err(ReplyError::SchemaVersion {
                found: found.map_or_else(|| "missing".to_owned(), describe),
            });
        }
    }
    let actions = match map.get("Actions") {
        None | Some(Value::Null) => None,
        Some(Value::Array(list)) if list.len() > MAX_ACTIONS => {
            return Err(ReplyError::TooManyActions { found: list.len() });
        }
        Some(Value::Array(list)) => Some(
            list.iter()
                .enumerate()
                .map(|(index, action)| read_action(index, action))
                .collect::<Result<_, _>>()?,
        ),
        Some(other) => {
            return Err(ReplyError::ActionsNotAList {
                found: describe(other),
            });
        }
    };
    Ok(Reply {
        actions,
        transaction_attributes: attributes::read(map.get("TransactionAttributes"))?,
    })
}

fn read_action(index: usize, action: &Value) -> Result<RequestedAction, ReplyError> {
    let shape = |field, value: &Value, expected| ReplyError::ActionShape {
        index,
        field,
        found: describe(value),
        expected,
    };
    let Value::Object(map) = action else {
        return Err(shape("it", action, "an object {Type, Parameters}"));
    };
    let name = match map.get("Type") {
        Some(Value::String(name)) => name,
        other => {
            return Err(shape(
                "Type",
                other.unwrap_or(&Value::Null),
                "the name of an action",
            ));
        }
    };
    if !Action::TYPES.contains(&name.as_str()) {
        return Err(ReplyError::UnknownAction {
            index,
            name: name.chars().take(80).collect(),
        });
    }
    let parameters = match map.get("Parameters") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(parameters)) => parameters.clone(),
        Some(other) => return Err(shape("Parameters", other, "an object")),
    };
    let checked = Action::parse(index, name, &parameters);
    Ok(RequestedAction {
        name: name.clone(),
        parameters,
        checked,
    })
}

#[cfg(test)]
mod tests;
