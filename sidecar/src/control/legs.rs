//! Legs of calls: held, and taken off hold.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use tokio::sync::oneshot;

use super::Control;
use super::problem::Problem;
use crate::worker::{LegOrder, ToWorker};

/// The body of a hold.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hold {
    on: bool,
}

/// Puts a leg on hold, or takes it off, by re-INVITE.
pub(super) async fn hold(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    hold: Result<Json<Hold>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let Json(hold) =
        hold.map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
    control.order(&id, || LegOrder::Hold(hold.on)).await
}

/// The body of a transfer: exactly one of both.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TransferTo {
    to: Option<String>,
    leg: Option<String>,
}

/// Asks the party of a leg to call somebody else (REFER).
pub(super) async fn transfer(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    transfer: Result<Json<TransferTo>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let Json(transfer) =
        transfer.map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
    let order = match (transfer.to, transfer.leg) {
        (Some(to), None) => LegOrder::Transfer(to),
        (None, Some(leg)) => LegOrder::TransferTo(leg),
        _ => {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "exactly one of `to` (a SIP URI) and `leg` (a CallId)",
            ));
        }
    };
    control.order(&id, || order.clone()).await
}

impl Control {
    /// Hands an order to the worker that has the leg.
    async fn order(
        &self,
        call_id: &str,
        order: impl Fn() -> LegOrder,
    ) -> Result<StatusCode, Problem> {
        for worker in &self.workers {
            let (reply, waiting) = oneshot::channel();
            worker.send(ToWorker::Leg {
                call_id: call_id.to_owned(),
                order: order(),
                reply,
            });
            match waiting.await {
                Ok(Some(Ok(()))) => return Ok(StatusCode::ACCEPTED),
                Ok(Some(Err(why))) => return Err(Problem::new(StatusCode::CONFLICT, why)),
                // It has no such leg, or has ended.
                Ok(None) | Err(_) => {}
            }
        }
        Err(Problem::not_found(
            "no running call has a leg with this CallId",
        ))
    }
}
