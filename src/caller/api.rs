//! The APIs of a request's region, and the token for them.

use skillcall_protocol::alexa::System;
use skillcall_protocol::ids::ApiAccessToken;

use crate::settings::Settings;

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
