//! Trunks and whether their targets live.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::Control;
use crate::guard::Source;
use crate::metrics::TrunkScrape;
use crate::trunks::{HealthState, Reach, RegistrationState, Trunk};

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

/// What the metrics say of all trunks.
pub(super) fn scrape(control: &Control) -> Vec<TrunkScrape> {
    let of = |trunk: &Arc<Trunk>| {
        let source = control.known.named(trunk.name());
        let targets = trunk.places.iter().map(|place| {
            let up = match place.health.now().state {
                Reach::Unknown => None,
                Reach::Up => Some(true),
                Reach::Down => Some(false),
            };
            (place.config.address.clone(), up)
        });
        let counts = control.trunks.counts().of(trunk.name());
        TrunkScrape {
            placed: counts.placed(),
            fates: counts.fates(),
            name: trunk.name().to_owned(),
            targets: targets.collect(),
            calls: source.as_ref().map_or(0, Source::calls),
            refused: source.as_ref().map_or(0, Source::refused),
        }
    };
    control.trunks.now().all().iter().map(of).collect()
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
