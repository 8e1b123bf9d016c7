//! Trunks and whether their targets live.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::Control;
use crate::trunks::{HealthState, Trunk};

#[derive(Serialize)]
pub(super) struct TrunkList {
    trunks: Vec<TrunkView>,
}

#[derive(Serialize)]
struct TrunkView {
    name: String,
    targets: Vec<TargetView>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TargetView {
    address: String,
    priority: u16,
    weight: u16,
    #[serde(flatten)]
    health: HealthState,
}

fn view(trunk: &Arc<Trunk>) -> TrunkView {
    let targets = trunk.places.iter().map(|place| TargetView {
        address: place.config.address.clone(),
        priority: place.priority,
        weight: place.weight,
        health: place.health.now(),
    });
    TrunkView {
        name: trunk.name().to_owned(),
        targets: targets.collect(),
    }
}

/// All trunks, in the file's order.
pub(super) async fn list(State(control): State<Arc<Control>>) -> Json<TrunkList> {
    Json(TrunkList {
        trunks: control.trunks.now().all().iter().map(view).collect(),
    })
}
