//! A call's packets as a pcap file.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::Control;
use super::problem::Problem;
use crate::capture::Wanted;
use crate::worker::ToWorker;

/// What is to be captured: a running call, or the next one from or to a number.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Asked {
    call: Option<String>,
    number: Option<String>,
    #[serde(default)]
    rtp: bool,
    #[serde(default = "most_bytes")]
    max_bytes: usize,
}

fn most_bytes() -> usize {
    4 << 20
}

#[derive(Serialize)]
pub(super) struct Begun {
    id: String,
}

/// Begins a capture.
pub(super) async fn begin(
    State(control): State<Arc<Control>>,
    asked: Result<Json<Asked>, JsonRejection>,
) -> Result<(StatusCode, Json<Begun>), Problem> {
    let Json(asked) =
        asked.map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
    if asked.call.is_some() == asked.number.is_some() {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "expected either `call`, a running call's id, or `number`, from or to which the next call is captured",
        ));
    }
    let id = Uuid::new_v4().to_string();
    let wanted = Wanted {
        number: asked.number,
        rtp: asked.rtp,
        most_bytes: asked.max_bytes,
    };
    let Some(capture) = control.captures.add(id.clone(), wanted) else {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "there are as many captures as are kept; DELETE /v1/captures/{id} forgets one",
        ));
    };
    let Some(call) = asked.call else {
        return Ok((StatusCode::CREATED, Json(Begun { id })));
    };
    for worker in &control.workers {
        let (reply, waiting) = oneshot::channel();
        worker.send(ToWorker::Capture {
            id: call.clone(),
            capture: Arc::clone(&capture),
            reply,
        });
        if waiting.await.unwrap_or(false) {
            return Ok((StatusCode::CREATED, Json(Begun { id })));
        }
    }
    control.captures.remove(&id);
    Err(Problem::not_found(
        "no running call without a capture has this id",
    ))
}

/// Says how a capture stands: `waiting`, `running` or `over`.
const STATE: header::HeaderName = header::HeaderName::from_static("x-capture-state");

/// The file so far.
pub(super) async fn file(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let capture = control.captures.get(&id).ok_or_else(none)?;
    // Before the file is read: what is over has all its packets.
    let state = capture.state();
    let headers = [
        (header::CONTENT_TYPE, "application/vnd.tcpdump.pcap"),
        (STATE, state.name()),
    ];
    Ok((headers, capture.file()).into_response())
}

/// Ends a capture and forgets it.
pub(super) async fn end(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    if control.captures.remove(&id) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(none())
    }
}

fn none() -> Problem {
    Problem::not_found("no capture has this id")
}
