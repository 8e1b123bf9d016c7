//! No new calls for a time: before an upgrade, or while something else is mended.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::StatusCode;

use super::Control;
use crate::front::ToFront;

/// New calls get 503 with Retry-After from now on, by SIP and through the API; those that run go on.
pub(super) async fn begin(State(control): State<Arc<Control>>) -> StatusCode {
    set(&control, true).await
}

/// New calls are taken again.
pub(super) async fn end(State(control): State<Arc<Control>>) -> StatusCode {
    set(&control, false).await
}

async fn set(control: &Control, on: bool) -> StatusCode {
    control.draining.store(on, Ordering::Relaxed);
    let front = &control.front;
    front.order(|holds| ToFront::Drain { on, holds }).await;
    tracing::info!(on, "drain");
    StatusCode::NO_CONTENT
}
