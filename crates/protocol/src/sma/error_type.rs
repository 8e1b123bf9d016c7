//! `ErrorType`: why an action failed or a reply was refused (facts E3, F7).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! error_types {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// `ErrorType` of ACTION_FAILED (facts F7) and of INVALID_LAMBDA_RESPONSE (facts E3, F4).
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum ErrorType {
            $($(#[$doc])* $name,)+
            /// A type that this version does not know.
            Other(String),
        }

        impl ErrorType {
            /// The type as it is written on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$name => stringify!($name),)+
                    Self::Other(name) => name,
                }
            }
        }

        impl From<&str> for ErrorType {
            fn from(name: &str) -> Self {
                match name {
                    $(stringify!($name) => Self::$name,)+
                    other => Self::Other(other.to_owned()),
                }
            }
        }
    };
}

error_types! {
    /// A parameter has a value that cannot be (facts F7: raised by all actions).
    InvalidActionParameter,
    /// A parameter that must be there is not, or Speak's text is too long (facts F6, F7).
    MissingRequiredActionParameter,
    /// The service could not do what was asked (facts F7).
    SystemException,
    /// A file to play is not there, or is no audio that can be played.
    InvalidAudioSource,
    /// The caller gave no digits, or not those that were asked for (facts F6, SpeakAndGetDigits).
    InvalidDigitsReceived,
    /// The bridged party did not answer.
    CallNotAnswered,
    /// The speech service refuses.
    AccessDenied,
    /// Too many requests of this kind.
    ActionExecutionThrottled,
    /// The bot does not exist.
    ResourceNotFound,
    /// The bot may not be used.
    ResourceAccessDenied,
    /// The place for a recording cannot be written.
    NoAccessToDestination,
    /// The meeting could not be joined.
    ErrorJoiningMeeting,
    /// The reply is no JSON object with `SchemaVersion` "1.0" (facts E3, F1).
    SchemaVersionMismatch,
    /// The reply's TransactionAttributes are too many or too large (facts F4).
    TransactionAttributesInvalidMapSize,
    /// The reply's TransactionAttributes are no map of strings. The name is ours: Amazon's is not published.
    TransactionAttributesInvalidValue,
    /// The reply's Actions are no list of objects. The name is ours: Amazon's is not published.
    InvalidActionList,
    /// The reply has more than 10 actions. The name is ours: Amazon's is not published.
    ActionsInvalidListSize,
    /// An action's Type is missing or not a known one. The name is ours: Amazon's is not published.
    UnsupportedActionType,
}

impl fmt::Display for ErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ErrorType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ErrorType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from(String::deserialize(deserializer)?.as_str()))
    }
}
