//! Settings from Spin's variables, and bytes from its store.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The entry of the store `default` that holds the setting `name` as bytes.
#[must_use]
pub fn stored_key(name: &str) -> String {
    format!("settings/{name}")
}

/// Whether `name` is lower-case letters, digits and underscores.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    !name.is_empty() && name.bytes().all(good)
}

/// The bytes of the variable `name`, whose value is base64; line breaks in it do not matter.
///
/// # Errors
/// The text for the log: what is wrong with the value, not the value.
pub fn decode(name: &str, value: &str) -> Result<Vec<u8>, String> {
    let value: String = value.split_ascii_whitespace().collect();
    STANDARD
        .decode(value)
        .map_err(|error| format!("the variable {name} is not base64: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_may_be_wrapped() {
        assert_eq!(decode("plan", "AAEC\nAwQ=\n"), Ok(vec![0, 1, 2, 3, 4]));
        let refused = decode("plan", "no base64!").expect_err("is none");
        assert!(
            refused.contains("variable plan") && !refused.contains("no base64!"),
            "{refused}"
        );
    }

    #[test]
    fn names_are_those_of_the_interface() {
        assert!(is_name("session_key") && is_name("a1"));
        assert!(!is_name("") && !is_name("Session") && !is_name("a-b"));
    }
}
