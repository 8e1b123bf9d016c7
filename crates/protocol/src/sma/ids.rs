//! Names of a call and of its legs.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps an id. Amazon's are UUIDs; any text is taken, because peers compare them and nothing else.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// The id as it is written on the wire.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                Self(id.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(id: String) -> Self {
                Self(id)
            }
        }
    };
}

id! {
    /// `TransactionId`: the whole call, all its legs (facts E2).
    TransactionId
}
id! {
    /// `CallId`: one leg of a call (facts E2).
    CallId
}

/// `ParticipantTag`: the role of a leg (facts E2).
///
/// Read without regard to case, because one of Amazon's own pages writes `Leg-A`; written in capitals.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum ParticipantTag {
    /// `LEG-A`: the first leg.
    #[default]
    LegA,
    /// `LEG-B`: the bridged leg, or a meeting's.
    LegB,
    /// A tag that this version does not know.
    Other(String),
}

impl ParticipantTag {
    /// The tag as it is written on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::LegA => "LEG-A",
            Self::LegB => "LEG-B",
            Self::Other(tag) => tag,
        }
    }
}

impl From<&str> for ParticipantTag {
    fn from(tag: &str) -> Self {
        if tag.eq_ignore_ascii_case("LEG-A") {
            Self::LegA
        } else if tag.eq_ignore_ascii_case("LEG-B") {
            Self::LegB
        } else {
            Self::Other(tag.to_owned())
        }
    }
}

impl fmt::Display for ParticipantTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ParticipantTag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ParticipantTag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from(String::deserialize(deserializer)?.as_str()))
    }
}
