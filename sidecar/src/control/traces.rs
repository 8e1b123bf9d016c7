//! The trace: read with the token, written by other parts with a signature.

use std::sync::{Arc, PoisonError};
use std::time::SystemTime;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use skillcall_protocol::signing::{
    KeyRing, RequestParts, SignedReply, SignedRequest, sign_reply, verify_request,
};
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
    let (keys, signed) = match verified(&control, &uri, &headers, &body) {
        Ok(verified) => verified,
        Err(problem) => return problem.into_response(),
    };
    let response = match stored(&control, &body) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(problem) => return problem.into_response(),
    };
    let reply = SignedReply {
        status: StatusCode::NO_CONTENT.as_u16(),
        nonce: &signed.nonce,
        body: b"",
    };
    (sign_reply(keys, reply, unix_seconds()), response).into_response()
}

fn verified<'a>(
    control: &'a Control,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(&'a KeyRing, SignedRequest), Problem> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let parts = RequestParts {
        method: "POST",
        path_and_query: path,
        body,
    };
    let lookup = |name: &str| {
        let mut values = headers.get_all(name).iter();
        values
            .next()
            .filter(|_| values.next().is_none())
            .and_then(|value| value.to_str().ok())
    };
    let now = unix_seconds();
    let mut last = None;
    for keys in control.applications.key_rings() {
        match verify_request(keys, parts, &lookup, now) {
            Ok(signed) => {
                let mut nonces = control
                    .nonces
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                if !nonces.accept(&signed.nonce, now) {
                    return Err(Problem::new(
                        StatusCode::UNAUTHORIZED,
                        "the nonce was used before",
                    ));
                }
                return Ok((keys, signed));
            }
            Err(error) => last = Some(error),
        }
    }
    let why = last.map_or_else(
        || "no [[application]] has keys".to_owned(),
        |error| error.to_string(),
    );
    Err(Problem::new(StatusCode::UNAUTHORIZED, why))
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

fn unix_seconds() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        })
}
