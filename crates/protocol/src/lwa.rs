//! Login with Amazon: the token endpoint's requests, answers and errors (facts H).
//!
//! Three kinds of tokens are kept apart: the `apiAccessToken` of one request, the customer's tokens that come of a grant
//! code, and the skill's own by client credentials.

use std::fmt;

use serde::Deserialize;

use crate::ids::AccessToken;

/// Where tokens are asked for (facts H).
pub const TOKEN_URL: &str = "https://api.amazon.com/auth/o2/token";

/// The media type of requests to the token endpoint (facts H).
pub const FORM: &str = "application/x-www-form-urlencoded";

/// The scope of tokens for the Skill Messaging API, with a single colon (facts H).
pub const SKILL_MESSAGING_SCOPE: &str = "alexa:skill_messaging";

/// How long before its end a token counts as used up, in seconds (facts H: the SDK's margin).
pub const MARGIN_SECONDS: u64 = 60;

/// What a token is asked for with (facts H).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Grant<'g> {
    /// `authorization_code`: the code of Alexa.Authorization.Grant; good for minutes.
    AuthorizationCode(&'g str),
    /// `refresh_token`: what came with an earlier token.
    RefreshToken(&'g str),
    /// `client_credentials`: the skill itself, for a scope.
    ClientCredentials(&'g str),
}

impl Grant<'_> {
    /// `grant_type`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::AuthorizationCode(_) => "authorization_code",
            Self::RefreshToken(_) => "refresh_token",
            Self::ClientCredentials(_) => "client_credentials",
        }
    }

    /// The body of the request (facts H): a form. It holds secrets.
    #[must_use]
    pub fn form(&self, client_id: &str, client_secret: &str) -> String {
        let (name, value) = match self {
            Self::AuthorizationCode(code) => ("code", *code),
            Self::RefreshToken(token) => ("refresh_token", *token),
            Self::ClientCredentials(scope) => ("scope", *scope),
        };
        let mut form = format!("grant_type={}", self.name());
        for (name, value) in [
            (name, value),
            ("client_id", client_id),
            ("client_secret", client_secret),
        ] {
            form.push('&');
            form.push_str(name);
            form.push('=');
            encode(value, &mut form);
        }
        form
    }
}

impl fmt::Debug for Grant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Percent-encodes all but what every form encoding leaves as it is (WHATWG URL §5.2).
fn encode(text: &str, form: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => {
                form.push(char::from(byte));
            }
            b' ' => form.push('+'),
            _ => {
                form.push('%');
                for nibble in [byte >> 4, byte & 15] {
                    let digit = char::from_digit(u32::from(nibble), 16).unwrap_or('0');
                    form.push(digit.to_ascii_uppercase());
                }
            }
        }
    }
}

/// A successful answer (facts H). Its `Debug` shows no token.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct TokenAnswer {
    /// The access token.
    pub access_token: AccessToken,
    /// The refresh token: of a code always, of a refresh token where it was replaced.
    #[serde(default)]
    pub refresh_token: Option<AccessToken>,
    /// Seconds that the access token lives; an hour when it is not said.
    #[serde(default = "an_hour")]
    pub expires_in: u64,
}

fn an_hour() -> u64 {
    3600
}

impl fmt::Debug for TokenAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenAnswer(for {} s)", self.expires_in)
    }
}

/// A refusal (facts H).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TokenError {
    /// Which error it is.
    #[serde(rename = "error", default)]
    pub code: TokenErrorCode,
    /// Amazon's words for developers.
    #[serde(rename = "error_description", default)]
    pub description: String,
}

/// The codes of facts H.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum TokenErrorCode {
    /// A parameter is missing or wrong.
    InvalidRequest,
    /// The client id or its secret is wrong.
    InvalidClient,
    /// The code or the refresh token is wrong, used up or revoked.
    InvalidGrant,
    /// The client may not ask for such tokens.
    UnauthorizedClient,
    /// No code.
    #[default]
    Unknown,
    /// Another code.
    Other(String),
}

impl TokenErrorCode {
    /// The code as it stands on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::Unknown => "",
            Self::Other(code) => code,
        }
    }
}

impl From<String> for TokenErrorCode {
    fn from(code: String) -> Self {
        match code.as_str() {
            "invalid_request" => Self::InvalidRequest,
            "invalid_client" => Self::InvalidClient,
            "invalid_grant" => Self::InvalidGrant,
            "unauthorized_client" => Self::UnauthorizedClient,
            "" => Self::Unknown,
            _ => Self::Other(code),
        }
    }
}

impl TokenError {
    /// Reads a refusal's body; one that is no JSON says nothing.
    #[must_use]
    pub fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or(Self {
            code: TokenErrorCode::Unknown,
            description: String::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_hold_what_facts_h_names() {
        assert_eq!(
            Grant::AuthorizationCode("a b&c").form("id", "s=ä"),
            "grant_type=authorization_code&code=a+b%26c&client_id=id&client_secret=s%3D%C3%A4"
        );
        assert_eq!(
            Grant::RefreshToken("Atzr|x").form("id", "s"),
            "grant_type=refresh_token&refresh_token=Atzr%7Cx&client_id=id&client_secret=s"
        );
        assert_eq!(
            Grant::ClientCredentials(SKILL_MESSAGING_SCOPE).form("id", "s"),
            "grant_type=client_credentials&scope=alexa%3Askill_messaging&client_id=id&client_secret=s"
        );
        assert_eq!(
            format!("{:?}", Grant::AuthorizationCode("secret")),
            "authorization_code"
        );
    }

    #[test]
    fn answers_and_refusals_are_read() {
        let answer: TokenAnswer = serde_json::from_str(
            r#"{"access_token":"Atza|1","refresh_token":"Atzr|2","expires_in":3600,"token_type":"bearer"}"#,
        )
        .unwrap();
        assert_eq!(answer.refresh_token.as_ref().unwrap().expose(), "Atzr|2");
        assert!(!format!("{answer:?}").contains("Atz"));
        let short: TokenAnswer = serde_json::from_str(r#"{"access_token":"Atc|1"}"#).unwrap();
        assert_eq!((short.expires_in, short.refresh_token), (3600, None));
        let error = TokenError::read(
            br#"{"error":"invalid_grant","error_description":"d","request_id":"r"}"#,
        );
        assert_eq!(
            (error.code, error.description.as_str()),
            (TokenErrorCode::InvalidGrant, "d")
        );
        assert_eq!(TokenError::read(b"<html>").code, TokenErrorCode::Unknown);
        assert_eq!(
            TokenError::read(br#"{"error":"ServerError"}"#)
                .code
                .as_str(),
            "ServerError"
        );
    }
}
