//! Bans: shown and lifted.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;

use super::Control;
use super::problem::Problem;
use crate::guard::{BanView, locked};

#[derive(Serialize)]
pub(super) struct Listed {
    bans: Vec<BanView>,
}

/// All bans that hold, the one that ends first before the others.
pub(super) async fn list(State(control): State<Arc<Control>>) -> Json<Listed> {
    Json(Listed {
        bans: locked(&control.bans).list(Instant::now()),
    })
}

/// Lifts a ban; what was counted against the address is forgotten.
pub(super) async fn lift(
    State(control): State<Arc<Control>>,
    Path(address): Path<String>,
) -> Result<StatusCode, Problem> {
    let address: IpAddr = address.parse().map_err(|_| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            format!("{address:?} is no address; expected one of GET /v1/bans"),
        )
    })?;
    if locked(&control.bans).lift(address, Instant::now()) {
        tracing::info!(%address, "the ban is lifted");
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found(
            "this address is not banned; GET /v1/bans lists those that are",
        ))
    }
}
