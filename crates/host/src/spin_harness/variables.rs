//! Spin's variables and the templates that name them.

use super::manifest::Variable;
use std::collections::BTreeMap;

/// What is wrong with a variable, in Spin's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum VariableError {
    #[error("invalid variable name: {0}")]
    InvalidName(String),
    #[error("invalid variable template: {0}")]
    InvalidTemplate(String),
    #[error("no provider resolved required variable {0:?}")]
    Unresolved(String),
}

/// Whether `name` may name a variable.
pub(super) fn check_name(name: &str) -> Result<(), VariableError> {
    let invalid = |reason: &str| Err(VariableError::InvalidName(format!("{name:?}: {reason}")));
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty() {
        return invalid("must not be empty");
    }
    if let Some(bad) = name.chars().find(|c| !allowed(*c)) {
        return invalid(&format!(
            "invalid character {bad:?}. Variable names may contain only lower-case letters, numbers, and underscores."
        ));
    }
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return invalid("must start with a lowercase ASCII letter");
    }
    if name.ends_with('_') {
        return invalid("must end with a lowercase ASCII letter or digit");
    }
    if name.contains("__") {
        return invalid("must not contain multiple consecutive underscores");
    }
    Ok(())
}

/// The application's variables with their values.
#[derive(Debug)]
pub(super) struct Resolved(BTreeMap<String, String>);

impl Resolved {
    /// Gives each declared variable its value: the given one, or its default.
    pub(super) fn new(
        declared: &BTreeMap<String, Variable>,
        given: &BTreeMap<String, String>,
    ) -> Result<Self, VariableError> {
        let mut values = BTreeMap::new();
        for (name, variable) in declared {
            check_name(name)?;
            let value = given.get(name).or(variable.default.as_ref());
            let value = value.ok_or_else(|| VariableError::Unresolved(name.clone()))?;
            values.insert(name.clone(), value.clone());
        }
        Ok(Self(values))
    }

    /// `text` with each `{{ name }}` replaced.
    pub(super) fn fill(&self, text: &str) -> Result<String, VariableError> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once("{{") {
            filled.push_str(literal);
            let (name, after) = after.split_once("}}").ok_or_else(|| {
                VariableError::InvalidTemplate("unmatched '{{' in template".into())
            })?;
            let name = name.trim();
            let value = self.0.get(name).ok_or_else(|| {
                VariableError::InvalidTemplate(format!("unknown variable {name:?}"))
            })?;
            filled.push_str(value);
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved() -> Resolved {
        let values = [("host", "127.0.0.1"), ("port", "7080")];
        Resolved(
            values
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        )
    }

    #[test]
    fn templates_are_filled() {
        let filled = resolved().fill("http://{{ host }}:{{port}}/");
        assert_eq!(filled.as_deref(), Ok("http://127.0.0.1:7080/"));
        assert_eq!(resolved().fill("plain").as_deref(), Ok("plain"));
    }

    #[test]
    fn bad_templates_are_named() {
        let unknown = resolved().fill("{{ hots }}").expect_err("unknown");
        assert!(
            unknown.to_string().contains("unknown variable \"hots\""),
            "{unknown}"
        );
        assert!(resolved().fill("{{ host").is_err());
    }

    #[test]
    fn names_are_spins() {
        for good in ["a", "abc", "a1b2c3", "a_1", "a_1_b_3"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", "aX", "1bc", "_x", "x.y", "x_", "a__b", "x-y"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
