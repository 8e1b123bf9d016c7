//! What Alexa answers when it refuses a message (facts G5).

use serde_json::Value;

/// The exceptions of facts G5.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SignalingException {
    /// 400: the call is neither in progress nor ringing.
    InvalidCallState,
    /// 400: the request is malformed or lacks a parameter.
    InvalidInput,
    /// 401: the token is missing or expired.
    BadToken,
    /// 403: the account may not, or it is another account's token.
    AccessDenied,
    /// 404: the session, a participant or the device does not exist.
    ResourceNotFound,
    /// 409: it clashes with a request that is being processed.
    ResourceConflict,
    /// 429: too many calls.
    Throttling,
    /// 500: the service failed.
    InternalServer,
    /// One that this version does not know, by its name.
    Other(String),
}

impl SignalingException {
    /// Those that are documented.
    pub const ALL: [Self; 8] = [
        Self::InvalidCallState,
        Self::InvalidInput,
        Self::BadToken,
        Self::AccessDenied,
        Self::ResourceNotFound,
        Self::ResourceConflict,
        Self::Throttling,
        Self::InternalServer,
    ];

    /// Its name (facts G5).
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::InvalidCallState => "InvalidCallStateException",
            Self::InvalidInput => "InvalidInputException",
            Self::BadToken => "BadTokenException",
            Self::AccessDenied => "AccessDeniedException",
            Self::ResourceNotFound => "ResourceNotFoundException",
            Self::ResourceConflict => "ResourceConflictException",
            Self::Throttling => "ThrottlingException",
            Self::InternalServer => "InternalServerException",
            Self::Other(name) => name,
        }
    }

    /// The HTTP status that comes with it (facts G5); 500 for one that this version does not know.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::InvalidCallState | Self::InvalidInput => 400,
            Self::BadToken => 401,
            Self::AccessDenied => 403,
            Self::ResourceNotFound => 404,
            Self::ResourceConflict => 409,
            Self::Throttling => 429,
            Self::InternalServer | Self::Other(_) => 500,
        }
    }

    /// The exception of that name, with or without `Exception` behind it, and with or without a name space before `#`.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        let bare = name.rsplit(['#', '.']).next().unwrap_or(name);
        let stem = bare.strip_suffix("Exception").unwrap_or(bare);
        Self::ALL
            .into_iter()
            .find(|known| known.name().strip_suffix("Exception") == Some(stem))
            .unwrap_or_else(|| Self::Other(bare.chars().take(100).collect()))
    }

    /// What a status stands for when the body does not tell: nothing for 400, which two exceptions share.
    #[must_use]
    pub fn from_status(status: u16) -> Option<Self> {
        match status {
            401 => Some(Self::BadToken),
            403 => Some(Self::AccessDenied),
            404 => Some(Self::ResourceNotFound),
            409 => Some(Self::ResourceConflict),
            429 => Some(Self::Throttling),
            500..=599 => Some(Self::InternalServer),
            _ => None,
        }
    }
}

/// A refusal of Alexa's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The exception; none when neither body nor status tells.
    pub exception: Option<SignalingException>,
    /// Alexa's words for developers.
    pub message: Option<String>,
}

impl Refusal {
    /// Reads a refusal. Which member names the exception is published nowhere (facts G5): `code`, `__type`, `errorCode`,
    /// `name`, `error` and `type` are tried in that order, then what the status stands for. A body that is no JSON is no error here.
    #[must_use]
    pub fn read(status: u16, body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| {
            let text = body.get(name).and_then(Value::as_str)?;
            Some(text).filter(|text| !text.is_empty())
        };
        let named = ["code", "__type", "errorCode", "name", "error", "type"]
            .into_iter()
            .find_map(text)
            .map(SignalingException::from_name);
        let message = ["message", "Message", "description"]
            .into_iter()
            .find_map(text)
            .map(|text| text.chars().take(1000).collect());
        Self {
            status,
            exception: named.or_else(|| SignalingException::from_status(status)),
            message,
        }
    }
}
