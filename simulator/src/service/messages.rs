//! The Skill Messaging API (facts H): what is posted arrives at the skill as Messaging.MessageReceived.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};
use skillcall_protocol::lwa::SKILL_MESSAGING_SCOPE;

use super::{is_json, refusal, text_of, trouble};
use crate::alexa::{Alexa, lock};
use crate::trouble::Place;

/// How long a message may wait, in seconds (our choice, of the kind that Amazon's page has).
const EXPIRES: std::ops::RangeInclusive<u64> = 60..=604_800;
/// The most bytes of `data` (our choice, of the kind that Amazon's page has).
const MAX_DATA: usize = 6 * 1024;

/// `POST /v1/skillmessages/users/{user}`.
pub(super) async fn message(
    State(alexa): State<Arc<Alexa>>,
    Path(user): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(fault) = alexa.orders.take(Place::Messaging)
        && let Some(response) = trouble::in_place_of_answer(&fault, &alexa.stopping).await
    {
        return response;
    }
    let authorization = text_of(&headers, header::AUTHORIZATION);
    if let Err(error) = alexa.login.is_skill(authorization, SKILL_MESSAGING_SCOPE) {
        return refusal(StatusCode::FORBIDDEN, "AccessDenied", error.to_string());
    }
    let data = match read(&headers, &body) {
        Ok(data) => data,
        Err(message) => return refusal(StatusCode::BAD_REQUEST, "InvalidInput", message),
    };
    let customer = lock(&alexa.customers)
        .iter()
        .find(|customer| customer.user_id == user)
        .cloned();
    let Some(customer) = customer else {
        return refusal(
            StatusCode::NOT_FOUND,
            "NotFound",
            "no customer of this skill has this user id",
        );
    };
    tokio::spawn(async move {
        let request = json!({"type": "Messaging.MessageReceived", "message": data});
        // The skill's answer is nobody's concern; what went wrong stands in the trace.
        let _ = alexa.ask(request, Some(&customer.device_id)).await;
    });
    StatusCode::ACCEPTED.into_response()
}

fn read(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, String> {
    if !is_json(headers) {
        return Err("Content-Type must be application/json".to_owned());
    }
    let body: Value =
        serde_json::from_slice(body).map_err(|error| format!("the body is no JSON: {error}"))?;
    let object = body.as_object().ok_or("the body is no JSON object")?;
    if let Some(other) = object
        .keys()
        .find(|key| !["data", "expiresAfterSeconds"].contains(&key.as_str()))
    {
        return Err(format!("{other} is neither data nor expiresAfterSeconds"));
    }
    let data = object
        .get("data")
        .and_then(Value::as_object)
        .filter(|data| !data.is_empty())
        .ok_or("data is missing, empty or no object")?;
    if Value::from(data.clone()).to_string().len() > MAX_DATA {
        return Err(format!("data has more than {MAX_DATA} bytes"));
    }
    match object.get("expiresAfterSeconds") {
        None => {}
        Some(seconds) if seconds.as_u64().is_some_and(|s| EXPIRES.contains(&s)) => {}
        Some(seconds) => {
            return Err(format!(
                "expiresAfterSeconds is {seconds}; expected 60 to 604800"
            ));
        }
    }
    Ok(data.clone())
}
