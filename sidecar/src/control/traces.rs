//! The trace: read with the token, written by other parts with a signature.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use skillcall_protocol::trace::Record;

use super::Control;
use super::problem::Problem;

#[derive(Serialize)]
pub(super) struct Found {
    records: Vec<Record>,
}

/// All records of the call with this id.
pub(super) async fn show(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<Json<Found>, Problem> {
    let records = control.traces.find(&id).await;
    if records.is_empty() {
        return Err(Problem::not_found(
            "no record has this id; ids are TransactionId, CallId, csi, sessionId, requestId or a trace id",
        ));
    }
    Ok(Json(Found { records }))
}

#[derive(Deserialize)]
struct Posted {
    records: Vec<serde_json::Value>,
}

/// Takes records of the component, or of another handler that has a key.
pub(super) async fn take(
    State(control): State<Arc<Control>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let rings = control.applications.key_rings();
    let signed = match control.verified(rings, &uri, &headers, &body) {
        Ok(signed) => signed,
        Err(problem) => return problem.into_response(),
    };
    match stored(&control, &body) {
        Ok(()) => signed.reply(StatusCode::NO_CONTENT),
        Err(problem) => problem.into_response(),
    }
}

fn stored(control: &Control, body: &[u8]) -> Result<(), Problem> {
    let posted: Posted = serde_json::from_slice(body).map_err(|error| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            format!("expected {{\"records\":[…]}}: {error}"),
        )
    })?;
    control.traces.take(&posted.records).map_err(|error| {
        let status = match error {
            crate::trace::NotTaken::NoRecord { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            crate::trace::NotTaken::Full => StatusCode::SERVICE_UNAVAILABLE,
        };
        Problem::new(status, error.to_string())
    })
}
