//! The configuration, read again.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::Control;
use super::problem::Problem;
use crate::sidecar::Reloaded;

/// Takes up what the file says now; 422 when something is wrong with it, and then the old one holds on.
pub(super) async fn run(State(control): State<Arc<Control>>) -> Result<Json<Reloaded>, Problem> {
    let reloaded = control.reload.run().await;
    reloaded
        .map(Json)
        .map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))
}
