//! Who may use the control API.

use std::sync::Arc;
use std::time::SystemTime;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use super::exception::Exception;
use super::problem::Problem;
use super::sigv4::{self, Signed};
use super::{Control, MOST_BODY};

/// Refuses requests that a page in a browser could have been made to send: another `Host` means that a name was bound to
/// our address (DNS rebinding), another `Origin` that a foreign page asks.
pub(super) async fn browser(
    State(control): State<Arc<Control>>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let known = |authority: &str| {
        control
            .hosts
            .iter()
            .any(|host| host.eq_ignore_ascii_case(authority))
    };
    let host = single(headers, header::HOST.as_str());
    if !host.is_some_and(known) {
        return Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "the Host header names another host; use the listener's address, or add the name to [control] hosts",
        )
        .into_response();
    }
    if headers.contains_key(header::ORIGIN) {
        let own = single(headers, header::ORIGIN.as_str())
            .and_then(|origin| {
                origin
                    .strip_prefix("http://")
                    .or_else(|| origin.strip_prefix("https://"))
            })
            .is_some_and(known);
        if !own {
            return Problem::new(
                StatusCode::FORBIDDEN,
                "a page of another origin may not use this API",
            )
            .into_response();
        }
    }
    next.run(request).await
}

/// Wants the bearer token, or a signature as the AWS SDKs make it.
pub(super) async fn token(
    State(control): State<Arc<Control>>,
    request: Request,
    next: Next,
) -> Response {
    if sigv4::is_signed(request.headers()) {
        return signed(&control, request, next).await;
    }
    let given = single(request.headers(), header::AUTHORIZATION.as_str())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    let right = match (&control.token, given) {
        (Some(token), Some(given)) => bool::from(token.as_bytes().ct_eq(given.as_bytes())),
        _ => false,
    };
    if right {
        next.run(request).await
    } else {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "expected `Authorization: Bearer TOKEN` with the token of [control] token-file",
        )
        .into_response()
    }
}

async fn signed(control: &Control, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MOST_BODY).await else {
        return Exception::bad_request("the body cannot be read, or is too long").into_response();
    };
    let signed = Signed {
        method: &parts.method,
        uri: &parts.uri,
        headers: &parts.headers,
        body: &body,
    };
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        });
    match sigv4::verify(&control.access_keys, &signed, now) {
        Ok(()) => next.run(Request::from_parts(parts, Body::from(body))).await,
        Err(why) => Exception::new(StatusCode::UNAUTHORIZED, "UnauthorizedClientException", why)
            .into_response(),
    }
}

/// A header that stands there once, as text.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() {
        None
    } else {
        value.to_str().ok()
    }
}
