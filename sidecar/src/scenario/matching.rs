//! Whether something is what was expected.

use std::fmt;

use regex_lite::Regex;
use serde_json::Value;

/// A text that is expected: words, a whole text, or an expression as `/…/`.
#[derive(Debug, Clone)]
pub(super) enum Pattern {
    /// These words stand in it; case, punctuation and white space do not matter.
    Words { words: String, written: String },
    /// The whole text.
    Exact(String),
    /// The expression is found in it.
    Regex(Regex, String),
}

impl Pattern {
    /// Words, or `/expression/`.
    pub(super) fn words(text: &str) -> Result<Self, String> {
        if let Some(regex) = expression(text)? {
            return Ok(regex);
        }
        let words = plain_words(text);
        if words.is_empty() {
            return Err(format!("{text:?} holds no word"));
        }
        Ok(Self::Words {
            words,
            written: text.to_owned(),
        })
    }

    /// A whole text, or `/expression/`.
    pub(super) fn exact(text: &str) -> Result<Self, String> {
        Ok(expression(text)?.unwrap_or_else(|| Self::Exact(text.to_owned())))
    }

    pub(super) fn fits(&self, text: &str) -> bool {
        match self {
            Self::Words { words, .. } => {
                format!(" {} ", plain_words(text)).contains(&format!(" {words} "))
            }
            Self::Exact(exact) => exact == text,
            Self::Regex(regex, _) => regex.is_match(text),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words { written, .. } => write!(f, "{written:?}"),
            Self::Exact(exact) => write!(f, "{exact:?}"),
            Self::Regex(_, written) => f.write_str(written),
        }
    }
}

fn expression(text: &str) -> Result<Option<Pattern>, String> {
    let inner = text
        .strip_prefix('/')
        .and_then(|text| text.strip_suffix('/'))
        .filter(|inner| !inner.is_empty());
    let Some(inner) = inner else { return Ok(None) };
    let regex =
        Regex::new(inner).map_err(|error| format!("{text} is no regular expression: {error}"))?;
    Ok(Some(Pattern::Regex(regex, text.to_owned())))
}

fn plain_words(text: &str) -> String {
    text.split(|c: char| !c.is_alphanumeric() && c != '\'')
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase()
}

/// Where `found` does not hold what `expected` does: objects may hold more, lists may be longer, a number may be a text
/// (facts F5), and `"/…/"` is an expression. None when it does.
pub(super) fn difference(expected: &Value, found: &Value, path: &str) -> Option<String> {
    let differs = || {
        let found = match found {
            Value::Null => "nothing".to_owned(),
            found => found.to_string(),
        };
        Some(format!("{path} is {found}; expected {expected}"))
    };
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            expected.iter().find_map(|(key, value)| {
                let found = found.get(key).unwrap_or(&Value::Null);
                difference(value, found, &format!("{path}.{key}"))
            })
        }
        (Value::Array(expected), Value::Array(found)) => {
            expected.iter().enumerate().find_map(|(index, value)| {
                let found = found.get(index).unwrap_or(&Value::Null);
                difference(value, found, &format!("{path}[{index}]"))
            })
        }
        (Value::String(text), Value::String(found)) => match Pattern::exact(text) {
            Ok(pattern) if pattern.fits(found) => None,
            _ => differs(),
        },
        (Value::String(text), Value::Number(number))
        | (Value::Number(number), Value::String(text)) => {
            if *text == number.to_string() {
                None
            } else {
                differs()
            }
        }
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => None,
        (a, b) if a == b => None,
        _ => differs(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words_are_found_whatever_stands_between_them() {
        let pattern = Pattern::words("press 1, for the desk").unwrap();
        assert!(pattern.fits("Press 1 for the Desk. Or wait."));
        assert!(!pattern.fits("press 1 for the desks"));
        assert!(Pattern::words("/^Press [12]/").unwrap().fits("Press 2"));
        assert!(Pattern::words("/(/").is_err());
        assert!(Pattern::words("...").is_err());
        assert!(Pattern::exact("a/b.wav").unwrap().fits("a/b.wav"));
        assert!(!Pattern::exact("b.wav").unwrap().fits("a/b.wav"));
    }

    #[test]
    fn differences_are_told_by_their_place() {
        let found = json!({"ActionData": {"Type": "Speak", "ReceivedDigits": "1", "n": 20},
            "list": [{"a": 1, "b": 2}, 3]});
        for fits in [
            json!({"ActionData": {"ReceivedDigits": 1, "n": "20"}}),
            json!({"ActionData": {"Type": "/^Sp/"}, "list": [{"a": 1}]}),
            json!({}),
        ] {
            assert_eq!(difference(&fits, &found, "event"), None);
        }
        let other = json!({"ActionData": {"ReceivedDigits": "2"}});
        assert_eq!(
            difference(&other, &found, "event").unwrap(),
            "event.ActionData.ReceivedDigits is \"1\"; expected \"2\""
        );
        let absent = json!({"list": [{}, 3, 4]});
        assert_eq!(
            difference(&absent, &found, "event").unwrap(),
            "event.list[2] is nothing; expected 4"
        );
    }
}
