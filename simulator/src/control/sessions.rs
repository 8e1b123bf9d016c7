//! The control API's routes of CallSignaling sessions.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::json;
use skillcall_protocol::communication::ParticipantId;
use skillcall_protocol::signaling::RenegotiationKind;

use super::Control;
use super::routes::{bad_body, problem};
use crate::signaling::{SessionError, Wanted};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Begin {
    to: ParticipantId,
    device: Option<String>,
    sdp: Option<String>,
}

pub(super) async fn begin(
    State(control): State<Arc<Control>>,
    body: Result<Json<Begin>, JsonRejection>,
) -> Response {
    let Json(Begin { to, device, sdp }) = match body {
        Ok(body) => body,
        Err(error) => return bad_body(&error),
    };
    match control.alexa.begin_session(device.as_deref(), to, sdp) {
        Ok(id) => (StatusCode::CREATED, Json(json!({"sessionId": id}))).into_response(),
        Err(error) => refused(&error),
    }
}

pub(super) async fn all(State(control): State<Arc<Control>>) -> Response {
    Json(json!({"sessions": control.alexa.sessions.all()})).into_response()
}

pub(super) async fn one(State(control): State<Arc<Control>>, Path(id): Path<String>) -> Response {
    match control.alexa.sessions.get(&id) {
        Some(session) => Json(session).into_response(),
        None => refused(&SessionError::NoSuchSession(id)),
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Description {
    sdp: Option<String>,
}

pub(super) async fn act(
    State(control): State<Arc<Control>>,
    Path((id, what)): Path<(String, String)>,
    body: Option<Json<Description>>,
) -> Response {
    let sdp = body.and_then(|Json(body)| body.sdp);
    let wanted = match what.as_str() {
        "answer" => Wanted::Accept(sdp),
        "decline" => Wanted::Decline,
        "hangup" => Wanted::HangUp,
        "hold" => Wanted::Offer(RenegotiationKind::CallHold, sdp),
        "resume" => Wanted::Offer(RenegotiationKind::CallResume, sdp),
        "update" => Wanted::Offer(RenegotiationKind::CallUpdate, sdp),
        "respond" => match sdp {
            Some(sdp) => Wanted::Respond(sdp),
            None => return problem(StatusCode::BAD_REQUEST, "`respond` wants an sdp"),
        },
        other => {
            return problem(
                StatusCode::NOT_FOUND,
                format!(
                    "a session cannot {other:?}; expected answer, decline, hangup, hold, resume, update or respond"
                ),
            );
        }
    };
    match control.alexa.sessions.device(&id, wanted) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refused(&error),
    }
}

fn refused(error: &SessionError) -> Response {
    let status = match error {
        SessionError::NoSuchSession(_) | SessionError::NoSuchDevice(_) => StatusCode::NOT_FOUND,
        SessionError::Invalid(_) => StatusCode::BAD_REQUEST,
        SessionError::NotNow(_) => StatusCode::CONFLICT,
        SessionError::Device(_) => StatusCode::INTERNAL_SERVER_ERROR,
        SessionError::TooMany => StatusCode::SERVICE_UNAVAILABLE,
    };
    problem(status, error.to_string())
}
