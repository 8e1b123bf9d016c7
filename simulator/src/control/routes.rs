//! The control API's routes.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Control;
use crate::alexa::{SayError, Told};
use crate::line::{LineError, Side};
use crate::trouble::Trouble;

/// An error as problem+json (RFC 9457).
pub(super) fn problem(status: StatusCode, detail: impl Into<String>) -> Response {
    let title = status.canonical_reason().unwrap_or("Error");
    let body = json!({"title": title, "status": status.as_u16(), "detail": detail.into()});
    (
        status,
        [("content-type", "application/problem+json")],
        body.to_string(),
    )
        .into_response()
}

pub(super) fn bad_body(error: &JsonRejection) -> Response {
    problem(error.status(), error.body_text())
}

pub(super) async fn health(State(control): State<Arc<Control>>) -> Response {
    Json(json!({
        "status": "ok",
        "apiEndpoint": control.alexa.api_endpoint,
        "chainUrl": control.alexa.authority.chain().url(),
        "phone": control.phone.as_ref().map(|phone| phone.address().to_string()),
    }))
    .into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Say {
    utterance: String,
    device: Option<String>,
}

pub(super) async fn say(
    State(control): State<Arc<Control>>,
    body: Result<Json<Say>, JsonRejection>,
) -> Response {
    let Json(say) = match body {
        Ok(body) => body,
        Err(error) => return bad_body(&error),
    };
    match control
        .alexa
        .say(&say.utterance, say.device.as_deref())
        .await
    {
        Ok(said) => Json(said).into_response(),
        Err(error @ SayError::NoSuchDevice(_)) => problem(StatusCode::NOT_FOUND, error.to_string()),
        Err(error @ SayError::TooLong) => problem(StatusCode::BAD_REQUEST, error.to_string()),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    request: serde_json::Value,
    device: Option<String>,
}

pub(super) async fn ask(
    State(control): State<Arc<Control>>,
    body: Result<Json<Ask>, JsonRejection>,
) -> Response {
    match body {
        Err(error) => bad_body(&error),
        Ok(Json(Ask { request, device })) => {
            told(control.alexa.ask(request, device.as_deref()).await)
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ToGrant {
    device: Option<String>,
}

pub(super) async fn grant(
    State(control): State<Arc<Control>>,
    body: Result<Json<ToGrant>, JsonRejection>,
) -> Response {
    match body {
        Err(error) => bad_body(&error),
        Ok(Json(ToGrant { device })) => told(control.alexa.accept_grant(device.as_deref()).await),
    }
}

fn told(told: Result<Told, SayError>) -> Response {
    match told {
        Ok(told) => Json(told).into_response(),
        Err(error @ SayError::NoSuchDevice(_)) => problem(StatusCode::NOT_FOUND, error.to_string()),
        Err(error @ SayError::NoType) => problem(StatusCode::BAD_REQUEST, error.to_string()),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

pub(super) async fn login(State(control): State<Arc<Control>>) -> Response {
    Json(control.alexa.login.figures()).into_response()
}

#[derive(Serialize)]
struct Calls<T> {
    calls: T,
}

pub(super) async fn calls(State(control): State<Arc<Control>>) -> Response {
    Json(Calls {
        calls: control.alexa.book.all(),
    })
    .into_response()
}

pub(super) async fn call(State(control): State<Arc<Control>>, Path(id): Path<String>) -> Response {
    match control.alexa.book.get(&id) {
        Some(call) => Json(call).into_response(),
        None => no_such_call(&id),
    }
}

fn no_such_call(id: &str) -> Response {
    problem(StatusCode::NOT_FOUND, format!("there is no call {id:?}"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Digits {
    digits: String,
}

pub(super) async fn digits(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    body: Result<Json<Digits>, JsonRejection>,
) -> Response {
    match body {
        Ok(Json(body)) => order(control.press(&id, &body.digits).await, &id),
        Err(error) => bad_body(&error),
    }
}

pub(super) async fn hang_up(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Response {
    order(control.hang_up(&id).await, &id)
}

pub(super) async fn answer(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Response {
    order(control.answer(&id).await, &id)
}

fn order(result: Result<(), LineError>, id: &str) -> Response {
    match result {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(LineError::NoSuchCall) => no_such_call(id),
        Err(error @ LineError::Digits(_)) => problem(StatusCode::BAD_REQUEST, error.to_string()),
        Err(error) => problem(StatusCode::CONFLICT, error.to_string()),
    }
}

pub(super) async fn traces(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Response {
    Json(json!({"records": control.alexa.trace.find(&id)})).into_response()
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TroubleList {
    trouble: Vec<Trouble>,
}

pub(super) async fn trouble(State(control): State<Arc<Control>>) -> Response {
    Json(TroubleList {
        trouble: control.alexa.orders.list(),
    })
    .into_response()
}

pub(super) async fn set_trouble(
    State(control): State<Arc<Control>>,
    body: Result<Json<TroubleList>, JsonRejection>,
) -> Response {
    match body {
        Err(error) => bad_body(&error),
        Ok(Json(list)) => match control.alexa.orders.replace(list.trouble) {
            Ok(()) => StatusCode::NO_CONTENT.into_response(),
            Err(error) => problem(StatusCode::BAD_REQUEST, error.to_string()),
        },
    }
}

impl Control {
    /// Presses digits in a call of a device or the phone.
    pub(crate) async fn press(&self, id: &str, digits: &str) -> Result<(), LineError> {
        self.line_of(id)?.press(id, digits).await
    }

    /// Hangs up a call of a device or the phone.
    pub(crate) async fn hang_up(&self, id: &str) -> Result<(), LineError> {
        self.line_of(id)?.hang_up(id).await
    }

    /// Answers a call that rings at the phone.
    pub(crate) async fn answer(&self, id: &str) -> Result<(), LineError> {
        self.line_of(id)?.answer(id).await
    }

    fn line_of(&self, id: &str) -> Result<&crate::line::Line, LineError> {
        match self.alexa.book.get(id).ok_or(LineError::NoSuchCall)?.side {
            Side::Device => Ok(self.alexa.devices.line()),
            Side::Phone => self
                .phone
                .as_ref()
                .map(crate::phone::Phone::line)
                .ok_or(LineError::NoSuchCall),
        }
    }
}
