//! The communication profile of a unit (facts D5): what the originator of a PBX's call is named by.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use skillcall_protocol::communication::PBX_SCOPE;

use super::provisioner::Provisioner;
use super::{refusal, text_of, trouble};
use crate::alexa::{Alexa, lock};
use crate::trouble::Place;

/// `GET /v1/communications/profile?entity.type=UNIT&entity.id=…`.
pub(super) async fn of_unit(
    State(alexa): State<Arc<Alexa>>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    if let Some(fault) = alexa.orders.take(Place::CommunicationProfile)
        && let Some(response) = trouble::in_place_of_answer(&fault, &alexa.stopping).await
    {
        return response;
    }
    let authorization = text_of(&headers, header::AUTHORIZATION);
    if let Err(error) = alexa.login.is_skill(authorization, PBX_SCOPE)
        && Provisioner::of(&alexa, &headers).is_err()
    {
        return refusal(StatusCode::UNAUTHORIZED, "BadToken", error.to_string());
    }
    let (kind, id) = (query.get("entity.type"), query.get("entity.id"));
    let (Some("UNIT"), Some(id)) = (kind.map(String::as_str), id) else {
        return refusal(
            StatusCode::BAD_REQUEST,
            "InvalidInput",
            "expected entity.type=UNIT and entity.id",
        );
    };
    let profile = lock(&alexa.customers)
        .iter()
        .find(|customer| customer.persistent_unit_id.as_ref() == Some(id))
        .and_then(|customer| customer.communication_profile.clone());
    match profile {
        Some(profile) => Json(json!({"profileId": {"profileId": profile}})).into_response(),
        None => refusal(
            StatusCode::NOT_FOUND,
            "NotFound",
            "the unit has no communication profile",
        ),
    }
}
