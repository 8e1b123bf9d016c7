//! The customer profile API (facts C1).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use skillcall_protocol::profile::{
    EMAIL_SCOPE, GIVEN_NAME_SCOPE, MOBILE_NUMBER_SCOPE, MobileNumber, NAME_SCOPE, PERSON_SCOPE,
};

use super::{authorization, refusal, trouble};
use crate::alexa::Alexa;
use crate::customer::Customer;
use crate::trouble::Place;

/// `/v2/accounts/~current/settings/{key}`.
pub(super) async fn of_account(
    State(alexa): State<Arc<Alexa>>,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Response {
    let scope = match key.as_str() {
        "Profile.mobileNumber" => MOBILE_NUMBER_SCOPE,
        "Profile.name" => NAME_SCOPE,
        "Profile.givenName" => GIVEN_NAME_SCOPE,
        "Profile.email" => EMAIL_SCOPE,
        _ => return unknown_key(&key),
    };
    answer(&alexa, &headers, &[scope], &key.replace("Profile.", "")).await
}

/// `/v2/persons/~current/profile/{key}`.
pub(super) async fn of_person(
    State(alexa): State<Arc<Alexa>>,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Response {
    let scope = match key.as_str() {
        "mobileNumber" => MOBILE_NUMBER_SCOPE,
        "name" => NAME_SCOPE,
        "givenName" => GIVEN_NAME_SCOPE,
        _ => return unknown_key(&key),
    };
    answer(&alexa, &headers, &[scope, PERSON_SCOPE], &key).await
}

fn unknown_key(key: &str) -> Response {
    refusal(
        StatusCode::BAD_REQUEST,
        "INVALID_KEY",
        format!("{key:?} is no setting of a customer"),
    )
}

async fn answer(alexa: &Alexa, headers: &HeaderMap, scopes: &[&str], field: &str) -> Response {
    if let Some(fault) = alexa.orders.take(Place::Profile)
        && let Some(response) = trouble::in_place_of_answer(&fault, &alexa.stopping).await
    {
        return response;
    }
    let grant = match authorization(headers)
        .and_then(|header| alexa.mint.check(header, &alexa.skill_id))
    {
        Ok(grant) => grant,
        Err(error) => return refusal(StatusCode::UNAUTHORIZED, "INVALID_TOKEN", error.to_string()),
    };
    let Some(customer) = alexa.customer(Some(&grant.device_id)) else {
        return refusal(
            StatusCode::UNAUTHORIZED,
            "INVALID_TOKEN",
            "the token's customer is no longer there",
        );
    };
    // What is granted counts now, not what was granted when the token was minted: a customer may take consent back.
    if let Some(scope) = scopes
        .iter()
        .find(|scope| !customer.granted.contains(**scope))
    {
        return refusal(
            StatusCode::FORBIDDEN,
            "ACCESS_DENIED",
            format!("the customer has not granted {scope}"),
        );
    }
    if scopes.contains(&PERSON_SCOPE) && customer.person_id.is_none() {
        return refusal(
            StatusCode::FORBIDDEN,
            "ACCESS_DENIED",
            "the speaker was not recognised",
        );
    }
    match value(&customer, field, scopes.contains(&PERSON_SCOPE)) {
        Some(value) => Json(value).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

fn value(customer: &Customer, field: &str, speaker: bool) -> Option<Value> {
    let own = customer.person_mobile_number.as_ref().filter(|_| speaker);
    let number = own.or(customer.mobile_number.as_ref());
    match field {
        "mobileNumber" => number.map(|number| {
            json!(MobileNumber {
                country_code: number.country_code.clone(),
                phone_number: number.phone_number.clone(),
            })
        }),
        "name" => customer.name.as_deref().map(Value::from),
        "givenName" => customer.given_name.as_deref().map(Value::from),
        _ => customer.email.as_deref().map(Value::from),
    }
}
