//! StartCommunicationSession (facts D).

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use skillcall_protocol::communication::{IdType, StartSession};

use super::{About, authorization, is_json, refusal, trouble};
use crate::alexa::{Alexa, CallOrder, lock};
use crate::customer::Region;
use crate::tokens::{Grant, TokenRefusal};
use crate::trouble::{Fault, Place};

pub(super) async fn start(
    State(alexa): State<Arc<Alexa>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fault = alexa.orders.take(Place::StartSession);
    if let Some(fault) = &fault
        && let Some(response) = trouble::in_place_of_answer(fault, &alexa.stopping).await
    {
        return response;
    }
    let accepted = match accept(&alexa, &headers, &body) {
        Ok(accepted) => accepted,
        Err(refusal) => return *refusal,
    };
    let Accepted { order, warnings } = accepted;
    let about = About {
        session_id: Some(order.session_id.clone()),
        csi: order.csi.clone(),
        problems: warnings,
    };
    let session_id = order.session_id.clone();
    if fault != Some(Fault::NoCall) {
        alexa.order_call(order);
    }
    let mut response = match fault {
        Some(Fault::StartedThenAnswer { status }) => trouble::answer(status, None, None),
        Some(Fault::StartedThenSilence) => trouble::silence(&alexa.stopping).await,
        Some(Fault::StartedThenClose) => trouble::close(),
        _ => Json(json!({"sessionId": session_id})).into_response(),
    };
    response.extensions_mut().insert(about);
    response
}

struct Accepted {
    order: CallOrder,
    warnings: Vec<String>,
}

fn accept(alexa: &Alexa, headers: &HeaderMap, body: &[u8]) -> Result<Accepted, Box<Response>> {
    let refuse =
        |status, code: &str, message: String| Err(Box::new(refusal(status, code, message)));
    let invalid =
        |message: String| Box::new(refusal(StatusCode::BAD_REQUEST, "InvalidInput", message));
    let bad_token = |error: TokenRefusal| {
        Box::new(refusal(
            StatusCode::UNAUTHORIZED,
            "BadToken",
            error.to_string(),
        ))
    };

    let grant = authorization(headers)
        .and_then(|header| alexa.mint.check(header, &alexa.skill_id))
        .map_err(bad_token)?;
    let customer = alexa
        .customer(Some(&grant.device_id))
        .ok_or_else(|| bad_token(TokenRefusal::OtherDevice))?;
    if customer.region != Region::Na {
        return refuse(
            StatusCode::NOT_FOUND,
            "NotFound",
            format!(
                "skill calling is not offered in region {:?}",
                customer.region
            ),
        );
    }
    if !lock(&alexa.manifest).may_call() {
        return refuse(
            StatusCode::FORBIDDEN,
            "AccessDenied",
            "the skill's manifest lacks the permission amazon_communication::calling".to_owned(),
        );
    }
    if !is_json(headers) {
        return Err(invalid("Content-Type must be application/json".to_owned()));
    }
    let request: StartSession = serde_json::from_slice(body)
        .map_err(|error| invalid(format!("the body cannot be read: {error}")))?;
    let valid = request.validate().map_err(|broken| {
        invalid(
            broken
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("; "),
        )
    })?;
    if valid.originator.endpoint_id.as_deref() != Some(grant.device_id.as_str()) {
        return Err(bad_token(TokenRefusal::OtherDevice));
    }
    let from = &valid.originator.id;
    if from.kind == IdType::PhoneNumber && !customer.owns(&from.value) {
        return Err(invalid(
            "the originator's number is not the customer's own".to_owned(),
        ));
    }
    if from.kind == IdType::CommunicationProfileId
        && customer.communication_profile.as_ref() != Some(&from.value)
    {
        return Err(invalid(
            "the originator's communication profile is not the one of the customer's unit"
                .to_owned(),
        ));
    }
    let csi = request
        .client_context
        .as_ref()
        .and_then(|context| context.client_session_id.clone());
    let mut warnings = Vec::new();
    if let Some(csi) = &csi
        && !alexa.note_csi(csi)
    {
        warnings.push(
            "warning: this clientSessionId was used before; it should be unique (facts D1)"
                .to_owned(),
        );
    }
    if !alexa.is_open(&grant.request_id) {
        warnings.push("warning: the token's request had been answered already".to_owned());
    }
    let order = order(
        grant,
        from.value.clone(),
        valid.callee.id.value.clone(),
        csi,
    );
    Ok(Accepted { order, warnings })
}

fn order(grant: Grant, from: String, to: String, csi: Option<String>) -> CallOrder {
    CallOrder {
        session_id: format!("amzn1.comms.session.{}", uuid::Uuid::new_v4()),
        request_id: grant.request_id,
        device_id: grant.device_id,
        from,
        to,
        csi,
    }
}
