//! The errors of StartCommunicationSession (facts D2).

use serde::{Deserialize, Serialize};

/// The body of a refusal (facts D2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommunicationError {
    /// Which error it is.
    #[serde(default)]
    pub code: ErrorCode,
    /// Alexa's words for developers.
    #[serde(default)]
    pub message: String,
}

/// The codes of facts D2. Read with or without `Exception` behind them, as the documents differ;
/// written without.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ErrorCode {
    /// 400: malformed, a parameter missing, or a restriction broken.
    InvalidInput,
    /// 401: the token is expired or invalid.
    BadToken,
    /// 403: the token lacks the permission, or the customer has not enabled calling.
    AccessDenied,
    /// 404: the endpoint of a region without skill calling.
    NotFound,
    /// 429: too many requests.
    Throttling,
    /// 500: an error of the service.
    InternalServerError,
    /// No code, or one that this version does not know.
    #[default]
    Unknown,
    /// A code that this version does not know.
    Other(String),
}

impl ErrorCode {
    /// The code as it stands on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::InvalidInput => "InvalidInput",
            Self::BadToken => "BadToken",
            Self::AccessDenied => "AccessDenied",
            Self::NotFound => "NotFound",
            Self::Throttling => "Throttling",
            Self::InternalServerError => "InternalServerError",
            Self::Unknown => "",
            Self::Other(code) => code,
        }
    }

    /// The HTTP status that carries the code (facts D2); 500 for codes that are not there.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::InvalidInput => 400,
            Self::BadToken => 401,
            Self::AccessDenied => 403,
            Self::NotFound => 404,
            Self::Throttling => 429,
            Self::InternalServerError | Self::Unknown | Self::Other(_) => 500,
        }
    }

    /// The code that a status stands for when the body does not tell (facts D2).
    #[must_use]
    pub fn from_status(status: u16) -> Self {
        match status {
            400 => Self::InvalidInput,
            401 => Self::BadToken,
            403 => Self::AccessDenied,
            404 => Self::NotFound,
            429 => Self::Throttling,
            500..=599 => Self::InternalServerError,
            _ => Self::Unknown,
        }
    }
}

impl From<String> for ErrorCode {
    fn from(code: String) -> Self {
        match code.strip_suffix("Exception").unwrap_or(&code) {
            "InvalidInput" => Self::InvalidInput,
            "BadToken" => Self::BadToken,
            "AccessDenied" => Self::AccessDenied,
            "NotFound" | "ResourceNotFound" => Self::NotFound,
            "Throttling" => Self::Throttling,
            "InternalServerError" | "InternalServer" => Self::InternalServerError,
            "" => Self::Unknown,
            _ => Self::Other(code),
        }
    }
}

impl From<ErrorCode> for String {
    fn from(code: ErrorCode) -> Self {
        code.as_str().to_owned()
    }
}

impl CommunicationError {
    /// Reads a refusal: the body's code if it has one, else what the status stands for. Bodies
    /// that are no JSON are no error here.
    #[must_use]
    pub fn read(status: u16, body: &[u8]) -> Self {
        let read: Option<Self> = serde_json::from_slice(body).ok();
        match read {
            Some(error) if error.code != ErrorCode::Unknown => error,
            other => Self {
                code: ErrorCode::from_status(status),
                message: other.map(|error| error.message).unwrap_or_default(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_with_and_without_exception() {
        for (text, code) in [
            ("InvalidInput", ErrorCode::InvalidInput),
            ("InvalidInputException", ErrorCode::InvalidInput),
            ("BadTokenException", ErrorCode::BadToken),
            ("InternalServerException", ErrorCode::InternalServerError),
            ("Strange", ErrorCode::Other("Strange".to_owned())),
        ] {
            assert_eq!(ErrorCode::from(text.to_owned()), code);
        }
    }

    #[test]
    fn the_status_stands_in_for_a_missing_code() {
        let error = CommunicationError::read(429, b"<html>");
        assert_eq!(error.code, ErrorCode::Throttling);
        let error = CommunicationError::read(403, br#"{"message":"no"}"#);
        assert_eq!(
            (error.code, error.message.as_str()),
            (ErrorCode::AccessDenied, "no")
        );
        let error = CommunicationError::read(400, br#"{"code":"BadToken","message":"x"}"#);
        assert_eq!(error.code, ErrorCode::BadToken);
    }
}
