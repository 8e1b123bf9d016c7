//! Trunks and whether their targets live.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::Control;
use crate::trunks::{HealthState, RegistrationState, Trunk};

#[derive(Serialize)]
pub(super) struct TrunkList {
    trunks: Vec<TrunkView>,
}

#[derive(Serialize)]
struct TrunkView {
    name: String,
    targets: Vec<TargetView>,
    /// How our registration with it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    registration: Option<RegistrationState>,
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

fn view(trunk: &Arc<Trunk>, registration: Option<RegistrationState>) -> TrunkView {
    let targets = trunk.places.iter().map(|place| TargetView {
        address: place.config.address.clone(),
        priority: place.priority,
        weight: place.weight,
        health: place.health.now(),
    });
    TrunkView {
        name: trunk.name().to_owned(),
        targets: targets.collect(),
        registration,
    }
}

/// All trunks, in the file's order.
pub(super) async fn list(State(control): State<Arc<Control>>) -> Json<TrunkList> {
    let registrations = control.trunks.registrations();
    let trunks = control.trunks.now();
    Json(TrunkList {
        trunks: trunks
            .all()
            .iter()
            .map(|trunk| view(trunk, registrations.of(trunk.name())))
            .collect(),
    })
}
