//! Refusals in the shape of Amazon's API, and the bodies that it takes.

use axum::Json;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::applications::Refusal;

/// An exception as the AWS SDKs read it: its name in a header and in `Code`.
#[derive(Debug, Clone)]
pub(super) struct Exception {
    status: StatusCode,
    name: &'static str,
    message: String,
}

impl Exception {
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequestException", message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFoundException", message)
    }

    pub(super) fn new(status: StatusCode, name: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            name,
            message: message.into(),
        }
    }
}

impl IntoResponse for Exception {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "Code": self.name, "Message": self.message });
        let mut response = (self.status, Json(body)).into_response();
        response
            .headers_mut()
            .insert("x-amzn-errortype", HeaderValue::from_static(self.name));
        response
    }
}

impl From<Refusal> for Exception {
    fn from(refusal: Refusal) -> Self {
        let (status, name) = match &refusal {
            Refusal::BadRequest(_) => (StatusCode::BAD_REQUEST, "BadRequestException"),
            Refusal::NotFound(_) => (StatusCode::NOT_FOUND, "NotFoundException"),
            Refusal::Conflict(_) => (StatusCode::CONFLICT, "ConflictException"),
            Refusal::Forbidden(_) => (StatusCode::FORBIDDEN, "ForbiddenException"),
            Refusal::Limit(_) => (StatusCode::BAD_REQUEST, "ResourceLimitExceededException"),
            Refusal::NotKept(_) => (StatusCode::INTERNAL_SERVER_ERROR, "ServiceFailureException"),
        };
        Self::new(status, name, refusal.to_string())
    }
}

/// A body that is a JSON object.
pub(super) fn object(body: &[u8]) -> Result<Map<String, Value>, Exception> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(Exception::bad_request("the body is no JSON object")),
        Err(error) => Err(Exception::bad_request(format!(
            "the body is no JSON: {error}"
        ))),
    }
}

/// A body of this shape; what it has more is left alone, as at Amazon.
pub(super) fn shape<T: DeserializeOwned>(body: &[u8]) -> Result<T, Exception> {
    serde_json::from_slice(body).map_err(|error| {
        Exception::bad_request(format!(
            "the body is not as the service model has it: {error}"
        ))
    })
}

/// A page of a list (`max-results`, `next-token`), and the token of the next one. The token is the number of entries
/// before the page.
pub(super) fn page<T>(
    entries: Vec<T>,
    query: &super::applications::Paging,
) -> Result<(Vec<T>, Option<String>), Exception> {
    const MOST: usize = 100;
    let size = match query.max_results.as_deref() {
        None => MOST,
        Some(text) => text
            .parse()
            .ok()
            .filter(|size| (1..=MOST).contains(size))
            .ok_or_else(|| {
                Exception::bad_request(format!("max-results is {text:?}; expected 1 to {MOST}"))
            })?,
    };
    let start: usize = match query.next_token.as_deref() {
        None => 0,
        Some(token) => token
            .parse()
            .map_err(|_| Exception::bad_request("next-token is none of ours"))?,
    };
    let end = start.saturating_add(size);
    let next = (end < entries.len()).then(|| end.to_string());
    Ok((entries.into_iter().skip(start).take(size).collect(), next))
}
