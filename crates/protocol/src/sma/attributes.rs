//! TransactionAttributes: the handler's own notes on a call (facts F4).

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::fields::describe;

/// Most pairs that are accepted (facts F4: the text says 100, an example's error says 10; we accept the larger).
pub const MAX_PAIRS: usize = 100;
/// Most pairs that a handler of ours writes (facts F4, the smaller figure).
pub const MAX_PAIRS_WRITTEN: usize = 10;
/// Most bytes of keys and values together that are accepted (facts F4: 20 KB).
pub const MAX_BYTES: usize = 20 * 1024;

/// The attributes of a call: strings by name.
pub type TransactionAttributes = BTreeMap<String, String>;

/// What a reply says about the attributes: nothing, or a map (facts F4).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AttributeUpdate {
    /// `null` or absent: they stay as they are.
    #[default]
    Keep,
    /// `{}` clears; any other map replaces (see [`merge`]).
    Set(TransactionAttributes),
}

/// Why a reply's attributes are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttributeError {
    /// More pairs than [`MAX_PAIRS`] or more bytes than [`MAX_BYTES`].
    #[error(
        "TransactionAttributes has {pairs} pairs of {bytes} bytes in all; expected at most {MAX_PAIRS} pairs and {MAX_BYTES} bytes"
    )]
    TooLarge {
        /// Pairs found.
        pairs: usize,
        /// Bytes of all keys and values.
        bytes: usize,
    },
    /// Not a JSON object.
    #[error("TransactionAttributes is {found}; expected an object of strings, or null")]
    NotAnObject {
        /// What was found, shortened.
        found: String,
    },
    /// A value that is no string, number or boolean.
    #[error("TransactionAttributes[{key:?}] is {found}; expected a string")]
    NotAString {
        /// The attribute's name.
        key: String,
        /// What was found, shortened.
        found: String,
    },
}

/// Reads a reply's attributes. Numbers and booleans become strings, because handlers send them (facts F5);
/// a `null` value counts as absent.
///
/// # Errors
/// [`AttributeError`] when they are no such map, or too large.
pub fn read(value: Option<&Value>) -> Result<AttributeUpdate, AttributeError> {
    let map = match value {
        None | Some(Value::Null) => return Ok(AttributeUpdate::Keep),
        Some(Value::Object(map)) => map,
        Some(other) => {
            return Err(AttributeError::NotAnObject {
                found: describe(other),
            });
        }
    };
    let mut attributes = TransactionAttributes::new();
    for (key, value) in map {
        let value = match value {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            Value::Array(_) | Value::Object(_) => {
                return Err(AttributeError::NotAString {
                    key: key.clone(),
                    found: describe(value),
                });
            }
        };
        attributes.insert(key.clone(), value);
    }
    let bytes = attributes
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    if attributes.len() > MAX_PAIRS || bytes > MAX_BYTES {
        return Err(AttributeError::TooLarge {
            pairs: attributes.len(),
            bytes,
        });
    }
    Ok(AttributeUpdate::Set(attributes))
}

/// The attributes after a reply (facts F4): absent or `null` keeps them, `{}` clears them, the same set of keys
/// updates the values, and another set of keys replaces the whole map. The last three are one rule: what the reply
/// says is what holds.
pub fn merge(present: TransactionAttributes, update: &AttributeUpdate) -> TransactionAttributes {
    match update {
        AttributeUpdate::Keep => present,
        AttributeUpdate::Set(attributes) => attributes.clone(),
    }
}

impl Serialize for AttributeUpdate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Keep => serializer.serialize_none(),
            Self::Set(attributes) => attributes.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for AttributeUpdate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Option::<Value>::deserialize(deserializer)?;
        read(value.as_ref()).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(pairs: &[(&str, &str)]) -> TransactionAttributes {
        pairs
            .iter()
            .map(|(k, v)| (String::from(*k), String::from(*v)))
            .collect()
    }

    #[test]
    fn attributes_merge_as_facts_f4_says() {
        let before = map(&[("a", "1"), ("b", "2")]);
        for (said, after) in [
            (None, map(&[("a", "1"), ("b", "2")])),
            (Some(json!(null)), map(&[("a", "1"), ("b", "2")])),
            (Some(json!({})), map(&[])),
            (
                Some(json!({"a": "9", "b": "8"})),
                map(&[("a", "9"), ("b", "8")]),
            ),
            (
                Some(json!({"a": "9", "c": 3, "d": true})),
                map(&[("a", "9"), ("c", "3"), ("d", "true")]),
            ),
            (Some(json!({"c": null})), map(&[])),
        ] {
            let update = read(said.as_ref()).unwrap();
            assert_eq!(merge(before.clone(), &update), after, "{said:?}");
        }
    }

    #[test]
    fn what_is_no_map_of_strings_or_too_large_is_refused_by_name() {
        assert!(
            read(Some(&json!([1])))
                .unwrap_err()
                .to_string()
                .contains("expected an object")
        );
        assert!(
            read(Some(&json!({"k": {}})))
                .unwrap_err()
                .to_string()
                .contains("[\"k\"]")
        );
        let many: Value = (0..101)
            .map(|n| (n.to_string(), json!("x")))
            .collect::<serde_json::Map<_, _>>()
            .into();
        assert!(matches!(
            read(Some(&many)),
            Err(AttributeError::TooLarge { pairs: 101, .. })
        ));
        let hundred: Value = (0..100)
            .map(|n| (n.to_string(), json!("x")))
            .collect::<serde_json::Map<_, _>>()
            .into();
        assert!(read(Some(&hundred)).is_ok());
        assert!(matches!(
            read(Some(&json!({"k": "x".repeat(20 * 1024)}))),
            Err(AttributeError::TooLarge { .. })
        ));
        assert!(read(Some(&json!({"k": "x".repeat(20 * 1024 - 1)}))).is_ok());
    }
}
