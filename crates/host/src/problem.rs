//! The host's own answers, for when the component has none (RFC 9457).

use crate::skill::ServeError;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Full};
use wasmtime_wasi_http::WasiBody;

/// The answer that `error` is turned into. It names what happened, and nothing of the inside.
pub(crate) fn response(error: &ServeError) -> Response<WasiBody> {
    let (status, detail) = match error {
        ServeError::Busy => (
            StatusCode::SERVICE_UNAVAILABLE,
            "All instances are busy. Try again in a second.",
        ),
        ServeError::Deadline => (
            StatusCode::GATEWAY_TIMEOUT,
            "The skill did not answer in time.",
        ),
        ServeError::BadRequest(_) => (
            StatusCode::BAD_REQUEST,
            "The request names no host, or has a header that cannot be read.",
        ),
        ServeError::NoExport(_)
        | ServeError::Trap(_)
        | ServeError::NoReply
        | ServeError::Refused(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "The skill failed. The host's log says why.",
        ),
    };
    let mut response = plain(status, detail);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let second = HeaderValue::from_static("1");
        response.headers_mut().insert(RETRY_AFTER, second);
    }
    response
}

/// A problem document with `status` and `detail`.
pub(crate) fn plain(status: StatusCode, detail: &str) -> Response<WasiBody> {
    let document = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": detail,
    });
    let body = Full::new(Bytes::from(document.to_string()));
    let mut response = Response::new(body.map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    let media_type = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}
