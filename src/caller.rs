//! The caller's own number, from the customer's profile (facts C1).

use std::time::Duration;

use skillcall_protocol::alexa::System;
use skillcall_protocol::e164::E164;
use skillcall_protocol::ids::ApiAccessToken;
use skillcall_protocol::profile::{Answer, MOBILE_NUMBER, MobileNumber};

use crate::host::{Deadline, Host, OutboundRequest, SendError};
use crate::settings::Settings;
use crate::trace::Recorder;

const LIMIT: Duration = Duration::from_millis(2000);
const MAX_REPLY: usize = 16 * 1024;

/// Where the request's region has its APIs, and the token for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api<'r> {
    /// The origin, one of the setting `api_hosts`.
    pub origin: String,
    /// The token of this request.
    pub token: &'r ApiAccessToken,
}

/// Why the request's APIs cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// No endpoint or no token in the request.
    #[error("the request has no {0} in context.System")]
    Missing(&'static str),
    /// The token may not go there.
    #[error("apiEndpoint {0:?} is not among the setting api_hosts, so no token goes there")]
    Foreign(String),
}

impl<'r> Api<'r> {
    /// The APIs of a request. The endpoint is taken from the request (facts A6), but only if the installation allows it,
    /// because the token goes there.
    ///
    /// # Errors
    /// When the request names none, or a foreign one.
    pub fn of(system: &'r System, settings: &Settings) -> Result<Self, ApiError> {
        let endpoint = system
            .api_endpoint
            .as_deref()
            .ok_or(ApiError::Missing("apiEndpoint"))?;
        let token = system
            .api_access_token
            .as_ref()
            .ok_or(ApiError::Missing("apiAccessToken"))?;
        let origin = endpoint.trim_end_matches('/').to_ascii_lowercase();
        if !settings.api_hosts.contains(&origin) {
            return Err(ApiError::Foreign(endpoint.chars().take(100).collect()));
        }
        Ok(Self { origin, token })
    }

    /// The header that carries the token.
    #[must_use]
    pub fn authorization(&self) -> (&'static str, String) {
        ("authorization", format!("Bearer {}", self.token.expose()))
    }
}

/// Why the caller's number is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallerError {
    /// 403: the customer has not granted the permission.
    #[error("the customer has not granted the permission to read the number")]
    NotGranted,
    /// 204, or a number that is none.
    #[error("the customer's profile has no number: {0}")]
    NotStored(String),
    /// 401.
    #[error("the profile API refuses the token")]
    BadToken,
    /// 429.
    #[error("the profile API is throttled")]
    Throttled,
    /// Another status, or no answer.
    #[error("the profile API failed: {0}")]
    Failed(String),
}

/// Asks the profile API for the customer's mobile number.
///
/// # Errors
/// What the API answers (facts C1), or that it does not.
pub fn from_profile<H: Host>(
    host: &H,
    recorder: &Recorder,
    api: &Api<'_>,
    deadline: Deadline,
) -> Result<E164, CallerError> {
    let request = OutboundRequest {
        method: "GET",
        url: format!("{}{MOBILE_NUMBER}", api.origin),
        headers: vec![
            api.authorization(),
            ("accept", "application/json".to_owned()),
        ],
        body: Vec::new(),
        timeout: deadline.at_most(host, LIMIT),
        max_reply: MAX_REPLY,
    };
    let reply = recorder
        .send(host, request)
        .map_err(|error: SendError| CallerError::Failed(error.to_string()))?;
    match Answer::of(reply.status) {
        Answer::Value => {
            let number: MobileNumber = serde_json::from_slice(&reply.body)
                .map_err(|_| CallerError::Failed("its answer is no phone number".to_owned()))?;
            number
                .e164()
                .map_err(|error| CallerError::NotStored(error.to_string()))
        }
        Answer::NotStored => Err(CallerError::NotStored("it is empty".to_owned())),
        Answer::BadToken => Err(CallerError::BadToken),
        Answer::NotGranted => Err(CallerError::NotGranted),
        Answer::Throttled => Err(CallerError::Throttled),
        Answer::Failed(status) => Err(CallerError::Failed(format!("status {status}"))),
    }
}
