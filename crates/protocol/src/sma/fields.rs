//! Reading parameters leniently (facts F5), refusing them by name.

use serde_json::{Map, Value};

use super::error_type::ErrorType;

/// What is wrong with one parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldError {
    /// The parameter's path below `Parameters`, such as `AudioSource.Key`.
    pub(crate) field: String,
    /// What was found, shortened.
    pub(crate) found: String,
    /// What would be right.
    pub(crate) expected: String,
    /// How an action with this parameter fails.
    pub(crate) error_type: ErrorType,
}

/// A JSON value in few words, for messages: what it is, and its beginning.
pub(crate) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Object(map) => {
            let keys: Vec<&str> = map.keys().take(4).map(String::as_str).collect();
            format!(
                "an object with the keys [{}{}]",
                keys.join(", "),
                if map.len() > 4 { ", …" } else { "" }
            )
        }
        Value::Array(list) => format!("a list of {}", list.len()),
        other => {
            let text = other.to_string();
            if text.chars().count() > 60 {
                format!("{}…", text.chars().take(60).collect::<String>())
            } else {
                text
            }
        }
    }
}

/// The parameters of one action, or of an object in them.
pub(crate) struct Fields<'a> {
    map: &'a Map<String, Value>,
    path: String,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(map: &'a Map<String, Value>) -> Self {
        Self {
            map,
            path: String::new(),
        }
    }

    fn field(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    pub(crate) fn invalid(&self, key: &str, expected: impl Into<String>) -> FieldError {
        let found = self
            .map
            .get(key)
            .map_or_else(|| "nothing".to_owned(), describe);
        FieldError {
            field: self.field(key),
            found,
            expected: expected.into(),
            error_type: ErrorType::InvalidActionParameter,
        }
    }

    pub(crate) fn missing(&self, key: &str, expected: impl Into<String>) -> FieldError {
        let found = self
            .map
            .keys()
            .find(|known| known.eq_ignore_ascii_case(key) && *known != key)
            .map_or_else(
                || {
                    self.map
                        .get(key)
                        .map_or_else(|| "nothing".to_owned(), describe)
                },
                |known| format!("only {known:?}, in another case"),
            );
        FieldError {
            field: self.field(key),
            found,
            expected: expected.into(),
            error_type: ErrorType::MissingRequiredActionParameter,
        }
    }

    /// The value, where `null` counts as absent.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// A text; numbers become text; absent, `null` and "" are all absent (facts F5).
    pub(crate) fn text(&self, key: &str, expected: &str) -> Result<Option<String>, FieldError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok((!text.is_empty()).then(|| text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(self.invalid(key, expected)),
        }
    }

    pub(crate) fn required_text(&self, key: &str, expected: &str) -> Result<String, FieldError> {
        self.text(key, expected)?
            .ok_or_else(|| self.missing(key, expected))
    }

    /// A whole number in a range; also as text, and as a float without fraction (facts F5).
    pub(crate) fn number(&self, key: &str, min: u32, max: u32) -> Result<Option<u32>, FieldError> {
        let expected = || match (min, max) {
            (0, u32::MAX) => "a whole number of 0 or more".to_owned(),
            (min, u32::MAX) => format!("a whole number of {min} or more"),
            (min, max) => format!("a whole number from {min} to {max}"),
        };
        let number = match self.get(key) {
            None => return Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() => return Ok(None),
            Some(Value::String(text)) => text.trim().parse::<u64>().ok(),
            Some(Value::Number(number)) => number.as_u64().or_else(|| {
                number
                    .as_f64()
                    .filter(|n| n.fract() == 0.0 && (0.0..=4e9).contains(n))
                    .map(|n| n as u64)
            }),
            Some(_) => None,
        };
        match number.and_then(|n| u32::try_from(n).ok()) {
            Some(n) if (min..=max).contains(&n) => Ok(Some(n)),
            _ => Err(self.invalid(key, expected())),
        }
    }

    pub(crate) fn required_number(&self, key: &str, min: u32, max: u32) -> Result<u32, FieldError> {
        self.number(key, min, max)?
            .ok_or_else(|| self.missing(key, format!("a whole number of {min} or more")))
    }

    pub(crate) fn boolean(&self, key: &str) -> Result<Option<bool>, FieldError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(truth)) => Ok(Some(*truth)),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(_) => Err(self.invalid(key, "true or false")),
        }
    }

    pub(crate) fn object(
        &self,
        key: &str,
        expected: &str,
    ) -> Result<Option<Fields<'a>>, FieldError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Fields {
                map,
                path: self.field(key),
            })),
            Some(_) => Err(self.invalid(key, expected)),
        }
    }

    pub(crate) fn required_object(
        &self,
        key: &str,
        expected: &str,
    ) -> Result<Fields<'a>, FieldError> {
        self.object(key, expected)?
            .ok_or_else(|| self.missing(key, expected))
    }

    /// A list; a single value that is no list counts as a list of one.
    pub(crate) fn list(&self, key: &str) -> Option<Vec<&'a Value>> {
        match self.get(key)? {
            Value::Array(list) => Some(list.iter().collect()),
            Value::String(text) if text.is_empty() => Some(Vec::new()),
            one => Some(vec![one]),
        }
    }

    /// A list of objects, each with its own path.
    pub(crate) fn objects(
        &self,
        key: &str,
        expected: &str,
    ) -> Result<Option<Vec<Fields<'a>>>, FieldError> {
        let Some(list) = self.list(key) else {
            return Ok(None);
        };
        list.into_iter()
            .enumerate()
            .map(|(n, value)| match value {
                Value::Object(map) => Ok(Fields {
                    map,
                    path: format!("{}[{n}]", self.field(key)),
                }),
                _ => Err(self.invalid(key, expected)),
            })
            .collect::<Result<_, _>>()
            .map(Some)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.map.iter()
    }
}
