//! What is wrong in the text of a file before it is a configuration.

use toml::de::DeValue;

use super::locate::{Located, line_and_column};
use super::{Finding, Origin, Severity};

/// Keys that would hold a secret, with the key that names its file instead.
const SECRET_KEYS: [(&str, &str); 7] = [
    ("token", "token-file"),
    ("control-token", "token-file"),
    ("bearer-token", "token-file"),
    ("key", "keys-file"),
    ("keys", "keys-file"),
    ("secret", "keys-file"),
    ("password", "keys-file"),
];

pub(super) fn literal_secret(origin: &Origin) -> Option<Finding> {
    let located = Located::new(origin);
    let is_secret = |name: &str, value: &DeValue<'_>| {
        SECRET_KEYS.iter().any(|(key, _)| *key == name)
            && matches!(value, DeValue::String(_) | DeValue::Array(_))
    };
    let (name, offset) = located.find_key(is_secret)?;
    let (line, column) = line_and_column(&origin.text, offset);
    let file_key = SECRET_KEYS
        .iter()
        .find(|(key, _)| *key == name)
        .map_or("", |(_, file)| file);
    Some(Finding {
        severity: Severity::Error,
        file: origin.file.clone(),
        line,
        column,
        what: format!("`{name}` stands in the file: secrets do not"),
        remedy: format!(
            "write it to a file of mode 0600 and name that: {file_key} = \"secrets/…\""
        ),
    })
}

pub(super) fn syntax(origin: &Origin, error: &toml::de::Error) -> Finding {
    let offset = error.span().map_or(0, |span| span.start);
    let (line, column) = line_and_column(&origin.text, offset);
    Finding {
        severity: Severity::Error,
        file: origin.file.clone(),
        line,
        column,
        what: error.message().to_owned(),
        remedy: "see docs/settings.md for the keys and their forms".into(),
    }
}
