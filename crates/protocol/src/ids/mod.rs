//! Identifiers as types: each is checked once, where it enters, and is then trusted.
//!
//! All of them are strings on the wire (`serde` transparent). Those that are secret or personal hide their value from
//! `Debug`; [`ApiAccessToken`] and [`AccessToken`] cannot be printed at all.

mod alexa;
mod call;

pub use alexa::{
    AccessToken, ApiAccessToken, ClientSessionId, DeviceId, LwaClientId, RequestId, SessionId,
    SkillId, UserId,
};
pub use call::{CallId, TransactionId};

/// Why a text is not an identifier of the wanted kind.
///
/// The text itself is never part of the message: it may be a secret or a phone number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {problem}; expected {expected}")]
pub struct IdError {
    /// The kind of identifier that was wanted, by the name of its type.
    pub what: &'static str,
    /// What was wrong with the text.
    pub problem: IdProblem,
    /// What would have been right, in words.
    pub expected: &'static str,
}

/// What was wrong with a text that should have been an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdProblem {
    /// The text has no character.
    #[error("it is empty")]
    Empty,
    /// The text has too many characters.
    #[error("it has {found} characters, more than {limit}")]
    TooLong {
        /// Characters found.
        found: usize,
        /// Characters allowed.
        limit: usize,
    },
    /// A character that may not stand in it.
    #[error("character {character:?} at position {position} may not stand in it")]
    Character {
        /// The character.
        character: char,
        /// Its place, counted in characters from 0.
        position: usize,
    },
    /// The text does not begin as it must.
    #[error("it does not begin with {0:?}")]
    Prefix(&'static str),
    /// The text is not of the required form.
    #[error("it is not of that form")]
    Form,
}

/// Visible ASCII only, between one and `limit` characters.
fn visible_ascii(text: &str, limit: usize) -> Result<(), IdProblem> {
    within(text, limit)?;
    match text
        .chars()
        .enumerate()
        .find(|(_, c)| !c.is_ascii_graphic())
    {
        Some((position, character)) => Err(IdProblem::Character {
            character,
            position,
        }),
        None => Ok(()),
    }
}

/// Between one and `limit` characters of any kind but controls.
fn printable(text: &str, limit: usize) -> Result<(), IdProblem> {
    within(text, limit)?;
    match text.chars().enumerate().find(|(_, c)| c.is_control()) {
        Some((position, character)) => Err(IdProblem::Character {
            character,
            position,
        }),
        None => Ok(()),
    }
}

fn within(text: &str, limit: usize) -> Result<(), IdProblem> {
    if text.is_empty() {
        return Err(IdProblem::Empty);
    }
    // Bytes bound characters, so the usual short text is never counted.
    if text.len() > limit {
        let found = text.chars().count();
        if found > limit {
            return Err(IdProblem::TooLong { found, limit });
        }
    }
    Ok(())
}

/// The last characters of a personal identifier: enough to tell two apart in a log, too few to use.
pub(crate) fn tail(text: &str, keep: usize) -> &str {
    match text.char_indices().rev().nth(keep.saturating_sub(1)) {
        Some((start, _)) if keep > 0 => text.get(start..).unwrap_or_default(),
        _ => "",
    }
}

/// Declares a string newtype with its rule. `plain` shows its value, `personal` shows its tail in `Debug`, `secret` is never printed.
macro_rules! id {
    (@type $(#[$meta:meta])* $name:ident, $expected:literal, $check:expr) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// Checks `text` and takes it.
            ///
            /// # Errors
            /// When the text breaks the rule that the type's documentation gives.
            pub fn parse(text: impl Into<String>) -> Result<Self, $crate::ids::IdError> {
                let text = text.into();
                let check: fn(&str) -> Result<(), $crate::ids::IdProblem> = $check;
                match check(&text) {
                    Ok(()) => Ok(Self(text.into_boxed_str())),
                    Err(problem) => {
                        Err($crate::ids::IdError { what: stringify!($name), problem, expected: $expected })
                    }
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::ids::IdError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.into_string()
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::ids::IdError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "description": $expected })
            }
        }
    };
    (@open $name:ident) => {
        impl $name {
            /// The identifier's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
    (plain $(#[$meta:meta])* $name:ident, $expected:literal, $check:expr) => {
        $crate::ids::id!(@type $(#[$meta])* $name, $expected, $check);
        $crate::ids::id!(@open $name);
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($name)).field(&&*self.0).finish()
            }
        }
    };
    (personal $(#[$meta:meta])* $name:ident, $expected:literal, $check:expr) => {
        $crate::ids::id!(@type $(#[$meta])* $name, $expected, $check);
        $crate::ids::id!(@open $name);
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "(***{})"), $crate::ids::tail(&self.0, 4))
            }
        }
    };
    (secret $(#[$meta:meta])* $name:ident, $expected:literal, $check:expr) => {
        $crate::ids::id!(@type $(#[$meta])* $name, $expected, $check);
        impl $name {
            /// The secret itself, for the one place that sends or compares it.
            #[must_use]
            pub fn expose(&self) -> &str {
                &self.0
            }
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(hidden)"))
            }
        }
    };
}
pub(crate) use id;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lwa_client_id_follows_the_pattern_of_d6() {
        let good = "amzn1.application-oa2-client.0123456789abcdefABCDEF0123456789";
        assert_eq!(LwaClientId::parse(good).unwrap().as_str(), good);
        for bad in [
            "",
            "amzn1.application-oa2-client.",
            "amzn1.application-oa2-client.0123456789abcdefABCDEF012345678",
            "amzn1.application-oa2-client.0123456789abcdefABCDEF01234567890",
            "amzn1.application-oa2-client.g123456789abcdefABCDEF0123456789",
            "Amzn1.application-oa2-client.0123456789abcdefABCDEF0123456789",
            "amzn1.ask.skill.0123456789abcdefABCDEF0123456789",
        ] {
            let error = LwaClientId::parse(bad).unwrap_err().to_string();
            assert!(
                error.contains("LwaClientId") && error.contains("32 hexadecimal digits"),
                "{error}"
            );
        }
    }

    #[test]
    fn client_session_id_counts_characters_not_bytes() {
        assert!(ClientSessionId::parse("ä".repeat(100)).is_ok());
        assert_eq!(
            ClientSessionId::parse("ä".repeat(101)).unwrap_err().problem,
            IdProblem::TooLong {
                found: 101,
                limit: 100
            }
        );
        assert_eq!(
            ClientSessionId::parse("").unwrap_err().problem,
            IdProblem::Empty
        );
        assert_eq!(
            ClientSessionId::parse("a\nb").unwrap_err().problem,
            IdProblem::Character {
                character: '\n',
                position: 1
            }
        );
    }

    #[test]
    fn secrets_and_personal_ids_do_not_print() {
        let token = ApiAccessToken::parse("eyJhbGciOi.secret.part").unwrap();
        assert_eq!(format!("{token:?}"), "ApiAccessToken(hidden)");
        assert_eq!(token.expose(), "eyJhbGciOi.secret.part");
        let user = UserId::parse("amzn1.ask.account.ABCDEFGH").unwrap();
        assert_eq!(format!("{user:?}"), "UserId(***EFGH)");
        let device = DeviceId::parse("Ä").unwrap();
        assert_eq!(format!("{device:?}"), "DeviceId(***)");
    }

    #[test]
    fn errors_never_repeat_the_value() {
        let error = ApiAccessToken::parse("top secret").unwrap_err();
        assert!(
            !error.to_string().contains("secret part") && !error.to_string().contains("top"),
            "{error}"
        );
    }

    #[test]
    fn wire_form_is_the_bare_string() {
        let id: TransactionId = serde_json::from_str("\"6b1f\"").unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"6b1f\"");
        let error = serde_json::from_str::<TransactionId>("\"\"")
            .unwrap_err()
            .to_string();
        assert!(error.contains("TransactionId: it is empty"), "{error}");
    }
}
