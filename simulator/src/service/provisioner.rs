//! Who may provision, and what they send: what each route of [`super::provisioning`] takes from its request.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::Value;
use skillcall_protocol::provisioning::SCOPE;

use super::{is_json, refusal, text_of};
use crate::alexa::Alexa;
use crate::login::Holder;

/// What is answered instead.
pub(super) struct Refused(Box<Response>);

impl Refused {
    pub(super) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self(Box::new(refusal(status, code, message)))
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidInput", message)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// A token that may provision: the organisation's own for the scope, or one that an account has granted.
pub(super) struct Provisioner;

impl Provisioner {
    /// By the request's headers.
    pub(super) fn of(alexa: &Alexa, headers: &HeaderMap) -> Result<Self, Refused> {
        match alexa.login.holder(text_of(headers, header::AUTHORIZATION)) {
            Ok(Holder::Customer(_)) => Ok(Self),
            Ok(Holder::Skill(scope)) if scope == SCOPE => Ok(Self),
            Ok(Holder::Skill(scope)) => Err(Refused::new(
                StatusCode::FORBIDDEN,
                "AccessDenied",
                format!("the token is for {scope}; expected {SCOPE}"),
            )),
            Err(error) => Err(Refused::new(
                StatusCode::UNAUTHORIZED,
                "BadToken",
                error.to_string(),
            )),
        }
    }
}

impl FromRequestParts<Arc<Alexa>> for Provisioner {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, alexa: &Arc<Alexa>) -> Result<Self, Refused> {
        Self::of(alexa, &parts.headers)
    }
}

/// A body whose members are known by name.
pub(super) trait Members: DeserializeOwned {
    /// Each of them.
    const MEMBERS: &'static [&'static str];
}

/// A JSON body with no member beside the known ones.
pub(super) struct Strict<T>(pub(super) T);

impl<T: Members> FromRequest<Arc<Alexa>> for Strict<T> {
    type Rejection = Response;

    async fn from_request(request: Request, alexa: &Arc<Alexa>) -> Result<Self, Response> {
        let is_json = is_json(request.headers());
        let body = Bytes::from_request(request, alexa)
            .await
            .map_err(IntoResponse::into_response)?;
        read(is_json, &body)
            .map(Self)
            .map_err(IntoResponse::into_response)
    }
}

fn read<T: Members>(is_json: bool, body: &[u8]) -> Result<T, Refused> {
    if !is_json {
        return Err(Refused::invalid("Content-Type must be application/json"));
    }
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| Refused::invalid(format!("the body is no JSON: {error}")))?;
    let unknown = value
        .as_object()
        .into_iter()
        .flatten()
        .find(|(name, _)| !T::MEMBERS.contains(&name.as_str()));
    if let Some((name, _)) = unknown {
        let known = T::MEMBERS;
        return Err(Refused::invalid(format!("{name:?} is none of {known:?}")));
    }
    serde_json::from_value(value).map_err(|error| Refused::invalid(error.to_string()))
}
