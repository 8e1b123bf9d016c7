//! Phones, and where they are registered.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;

use super::Control;

#[derive(Serialize)]
pub(super) struct PhoneList {
    phones: Vec<PhoneView>,
}

#[derive(Serialize)]
struct PhoneView {
    user: String,
    places: Vec<PlaceView>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlaceView {
    contact: String,
    source: String,
    transport: String,
    path: Vec<String>,
    until: Option<String>,
}

/// All phones, by user.
pub(super) async fn list(State(control): State<Arc<Control>>) -> Json<PhoneList> {
    let mut phones: BTreeMap<String, Vec<PlaceView>> = control
        .phones
        .accounts()
        .users()
        .map(|user| (user.to_owned(), Vec::new()))
        .collect();
    for (user, binding) in control.phones.all() {
        let until = i64::try_from(binding.expires_at).unwrap_or(i64::MAX);
        let place = PlaceView {
            contact: binding.contact,
            source: binding.source.to_string(),
            transport: binding.transport,
            path: binding.path,
            until: Timestamp::from_second(until)
                .ok()
                .map(|until| until.to_string()),
        };
        // Of those that are no phones any more nothing is said.
        if let Some(places) = phones.get_mut(&user) {
            places.push(place);
        }
    }
    Json(PhoneList {
        phones: phones
            .into_iter()
            .map(|(user, places)| PhoneView { user, places })
            .collect(),
    })
}
