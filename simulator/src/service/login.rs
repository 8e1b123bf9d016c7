//! Login with Amazon: the token endpoint (facts H), and what it says of a customer (facts C2).

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::{About, text_of, trouble};
use crate::alexa::Alexa;
use crate::login::{Form, LoginRefusal};
use crate::trouble::{Fault, Place};

/// `POST /auth/o2/token`.
pub(super) async fn token(
    State(alexa): State<Arc<Alexa>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(fault) = alexa.orders.take(Place::Login) {
        let response = match &fault {
            Fault::Answer {
                status,
                code,
                message,
            } => Some(ordered(*status, code.as_deref(), message.as_deref())),
            other => trouble::in_place_of_answer(other, &alexa.stopping).await,
        };
        if let Some(response) = response {
            return response;
        }
    }
    let tokens = Form::read(text_of(&headers, header::CONTENT_TYPE), &body)
        .and_then(|form| alexa.login.token(&form));
    match tokens {
        // RFC 6749 §5.1: what holds tokens is stored nowhere.
        Ok(tokens) => ([(header::CACHE_CONTROL, "no-store")], Json(tokens)).into_response(),
        Err(LoginRefusal {
            status,
            error,
            description,
        }) => refusal(status, error, &description),
    }
}

fn refusal(status: u16, error: &str, description: &str) -> Response {
    let body = json!({
        "error": error,
        "error_description": description,
        "request_id": uuid::Uuid::new_v4().to_string(),
    });
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response();
    response.extensions_mut().insert(About {
        problems: vec![format!("{error}: {description}")],
        ..About::default()
    });
    response
}

fn ordered(status: u16, code: Option<&str>, message: Option<&str>) -> Response {
    let usual = match status {
        401 => "invalid_client",
        400..=499 => "invalid_request",
        _ => "ServerError",
    };
    refusal(
        status,
        code.unwrap_or(usual),
        message.unwrap_or("trouble, as ordered"),
    )
}
