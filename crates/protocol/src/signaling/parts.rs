//! What the operations are made of.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::communication::ParticipantId;

/// A session description and what it is (facts G2).
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct SdpDetails {
    /// Offer or answer.
    #[serde(rename = "type")]
    pub kind: SdpKind,
    /// The description (RFC 8866), 1 to [`super::SDP_MAX_BYTES`] bytes. It holds secrets: see [`crate::redact::sdp`].
    pub value: String,
}

impl SdpDetails {
    /// An offer.
    #[must_use]
    pub fn offer(value: impl Into<String>) -> Self {
        Self {
            kind: SdpKind::Offer,
            value: value.into(),
        }
    }

    /// An answer.
    #[must_use]
    pub fn answer(value: impl Into<String>) -> Self {
        Self {
            kind: SdpKind::Answer,
            value: value.into(),
        }
    }
}

impl std::fmt::Debug for SdpDetails {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, value } = self;
        write!(f, "SdpDetails({}, {} bytes)", kind.as_str(), value.len())
    }
}

/// What a session description is (facts G2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SdpKind {
    /// An offer (RFC 3264).
    Offer,
    /// An answer (RFC 3264).
    Answer,
}

impl SdpKind {
    /// The kind as it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offer => "OFFER",
            Self::Answer => "ANSWER",
        }
    }
}

/// One end of a call (facts G2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Participant {
    /// Who it is: a number, an address that is used as it is, or a communication profile.
    pub id: ParticipantId,
    /// Whether this one calls.
    pub is_originator: bool,
}

/// What a cloud gives along with a call to a device (facts G3: seen in one sample, documented nowhere).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomParams {
    /// The name that the device shows or says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_name: Option<String>,
    /// Members that this version does not know.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// How a call ended (facts G2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallResult {
    /// Why.
    pub code: ResultCode,
    /// The same in words, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl CallResult {
    /// A result with words for people.
    #[must_use]
    pub fn new(code: ResultCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: Some(message.into()),
        }
    }
}

/// Declares an enum of the words of a fixed set, and of those that this version does not know.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum $name {
            $($(#[$doc])* $variant,)*
            /// One that this version does not know: 1 to [`super::WORD_MAX_CHARS`] characters.
            Other(String),
        }

        impl $name {
            /// Those that are documented.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word as it stands on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)*
                    Self::Other(word) => word,
                }
            }
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                match word.as_str() {
                    $($word => Self::$variant,)*
                    _ => Self::Other(word),
                }
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> Self {
                word.as_str().to_owned()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// Why a call ended (facts G2).
    ResultCode {
        /// Something failed.
        InternalError = "INTERNAL_ERROR",
        /// The caller may not.
        Unauthorized = "UNAUTHORIZED",
        /// The callee speaks to somebody else, or does not want to.
        DeviceBusy = "DEVICE_BUSY",
        /// Nothing came in time.
        SessionTimeout = "SESSION_TIMEOUT",
        /// Somebody hung up.
        Success = "SUCCESS",
        /// The callee is not there.
        DeviceUnavailable = "DEVICE_UNAVAILABLE",
    }
}

words! {
    /// What a new offer is for (facts G2).
    RenegotiationKind {
        /// The call is put on hold.
        CallHold = "CALL_HOLD",
        /// The call is taken from hold.
        CallResume = "CALL_RESUME",
        /// Anything else: a change of the network, of the codec.
        CallUpdate = "CALL_UPDATE",
    }
}
