//! Calls: shown, updated and ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::Control;
use super::problem::Problem;
use crate::worker::{CallView, ToWorker};

#[derive(Serialize)]
pub(super) struct Calls {
    calls: Vec<CallView>,
}

async fn all(control: &Control) -> Vec<CallView> {
    let mut calls = Vec::new();
    for worker in &control.workers {
        let (reply, waiting) = oneshot::channel();
        worker.send(ToWorker::List { reply });
        // A worker that has ended has no calls.
        calls.extend(waiting.await.unwrap_or_default());
    }
    calls
}

/// All calls.
pub(super) async fn list(State(control): State<Arc<Control>>) -> Json<Calls> {
    Json(Calls {
        calls: all(&control).await,
    })
}

/// One call, by its TransactionId, a CallId or its client session id.
pub(super) async fn show(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<Json<CallView>, Problem> {
    all(&control)
        .await
        .into_iter()
        .find(|call| call.has_id(&id))
        .map(Json)
        .ok_or_else(no_call)
}

/// Ends a call: BYE on its legs, HANGUP to the handler.
pub(super) async fn end(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    for worker in &control.workers {
        let (reply, waiting) = oneshot::channel();
        worker.send(ToWorker::Terminate {
            id: id.clone(),
            reply,
        });
        if waiting.await.unwrap_or(false) {
            return Ok(StatusCode::ACCEPTED);
        }
    }
    Err(no_call())
}

/// `Arguments` of UpdateSipMediaApplicationCall (facts F10).
#[derive(Deserialize)]
pub(super) struct Update {
    #[serde(rename = "Arguments", alias = "arguments")]
    arguments: BTreeMap<String, String>,
}

/// Asks the handler for new actions: CALL_UPDATE_REQUESTED (facts F8).
pub(super) async fn update(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    update: Result<Json<Update>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let Json(update) =
        update.map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
    if update.arguments.len() > 20 {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "Arguments: at most 20 (facts F10)",
        ));
    }
    if control.update(&id, &update.arguments).await {
        Ok(StatusCode::ACCEPTED)
    } else {
        Err(no_call())
    }
}

impl Control {
    /// Asks the handler of a call for new actions. Whether there is such a call.
    pub(super) async fn update(&self, id: &str, arguments: &BTreeMap<String, String>) -> bool {
        for worker in &self.workers {
            let (reply, waiting) = oneshot::channel();
            worker.send(ToWorker::Update {
                id: id.to_owned(),
                arguments: arguments.clone(),
                reply,
            });
            if waiting.await.unwrap_or(false) {
                return true;
            }
        }
        false
    }
}

fn no_call() -> Problem {
    Problem::not_found("no running call has this id; GET /v1/traces/{id} knows those that ended")
}
