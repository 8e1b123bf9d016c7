//! The names of settings, and what is known of each.

use super::SettingsError;
use std::fmt;

/// A setting's name: lower-case letters, digits and underscores.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SettingName(String);

impl SettingName {
    /// Checks and takes `text`.
    ///
    /// # Errors
    /// [`SettingsError::BadName`].
    pub fn new(text: &str) -> Result<Self, SettingsError> {
        let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if text.is_empty() || !text.bytes().all(good) {
            return Err(SettingsError::BadName);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The environment variable that overrides the setting: `SKILLCALL_` and the name in capitals.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("SKILLCALL_{}", self.0.to_ascii_uppercase())
    }

    /// Whether the setting is a secret, which no configuration file may hold itself.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        KNOWN
            .iter()
            .any(|known| known.name == self.0 && known.secret)
    }
}

impl fmt::Display for SettingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the host knows of a setting of the component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The name.
    pub name: &'static str,
    /// Whether it is a secret.
    pub secret: bool,
    /// Whether the component serves nothing without it.
    pub required: bool,
}

/// The component's settings. Others may be given: the host passes them on, and warns.
pub const KNOWN: &[Known] = &[
    required(known("plan")),
    required(secret("sidecar_keys")),
    required(secret("session_key")),
    known("sidecar_url"),
    known("api_hosts"),
    known("alexa_roots"),
    known("chain_origin"),
    known("tolerance_seconds"),
    secret("lwa_client_secrets"),
    secret("token_keys"),
    known("lwa_url"),
    known("deferred_response"),
];

const fn known(name: &'static str) -> Known {
    Known {
        name,
        secret: false,
        required: false,
    }
}

const fn secret(name: &'static str) -> Known {
    Known {
        secret: true,
        ..known(name)
    }
}

const fn required(known: Known) -> Known {
    Known {
        required: true,
        ..known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_with_underscores() {
        for good in ["plan", "sidecar_keys", "a1", "_x"] {
            assert_eq!(SettingName::new(good).expect(good).as_str(), good);
        }
        for bad in ["", "Plan", "a-b", "a b", "ä", "a\n"] {
            assert_eq!(
                SettingName::new(bad),
                Err(SettingsError::BadName),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn the_environment_variable_is_the_name_in_capitals() {
        let name = SettingName::new("sidecar_keys").expect("a name");
        assert_eq!(name.variable(), "SKILLCALL_SIDECAR_KEYS");
        assert!(name.is_secret());
        assert!(!SettingName::new("sidecar_url").expect("a name").is_secret());
    }
}
