//! The counterpart of CallSignaling (facts G3, G5): messages of the skill's side.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use skillcall_protocol::signaling::{Message, OperationName, SignalingException};

use super::{About, authorization, is_json, refusal, trouble};
use crate::alexa::{Alexa, lock};
use crate::login::{AccessRefusal, Holder};
use crate::signaling::Refused;
use crate::trouble::{Fault, Place};

/// `POST /v1/communications/signaling`.
pub(super) async fn message(
    State(alexa): State<Arc<Alexa>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let read = Message::read(&body);
    let operation = read
        .as_ref()
        .map(|message| message.operation.name().as_str())
        .unwrap_or_default();
    let fault = alexa.orders.take_of(Place::Signaling, operation);
    let instead = match &fault {
        Some(Fault::Answer {
            status,
            code,
            message,
        }) => Some(ordered(*status, code.as_deref(), message.as_deref())),
        Some(fault) => trouble::in_place_of_answer(fault, &alexa.stopping).await,
        None => None,
    };
    if let Some(mut response) = instead {
        if let Ok(message) = &read {
            about(&mut response, message);
        }
        return response;
    }
    let taken = match user(&alexa, &headers) {
        Ok(_) if !is_json(&headers) => Err(Refused::new(
            SignalingException::InvalidInput,
            "Content-Type must be application/json",
        )),
        Ok(user) => match &read {
            Err(error) => Err(Refused::new(
                SignalingException::InvalidInput,
                error.to_string(),
            )),
            Ok(message) if message.operation.name() == OperationName::InitiateOutboundCall => {
                Err(Refused::new(
                    SignalingException::InvalidInput,
                    "InitiateOutboundCall is not taken here: devices begin such calls",
                ))
            }
            Ok(message) => alexa.take_message(message, &user),
        },
        Err(refused) => Err(refused),
    };
    let mut response = match (&taken, fault) {
        (Ok(()), Some(Fault::StartedThenAnswer { status })) => ordered(status, None, None),
        (Ok(()), Some(Fault::StartedThenSilence)) => trouble::silence(&alexa.stopping).await,
        (Ok(()), Some(Fault::StartedThenClose)) => trouble::close(),
        // The status and the empty body are our choice: none is published (facts K3).
        (Ok(()), _) => StatusCode::ACCEPTED.into_response(),
        (Err(refused), _) => refusal(
            StatusCode::from_u16(refused.exception.status())
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            refused.exception.name(),
            refused.message.clone(),
        ),
    };
    if let Ok(message) = &read {
        about(&mut response, message);
    }
    response
}

/// The trace knows the session.
fn about(response: &mut Response, message: &Message) {
    let mut about = response
        .extensions_mut()
        .remove::<About>()
        .unwrap_or_default();
    about.session_id = Some(message.session_id.as_str().to_owned());
    response.extensions_mut().insert(about);
}

/// The account whose token it is.
fn user(alexa: &Alexa, headers: &HeaderMap) -> Result<String, Refused> {
    let bad = |error: String| Refused::new(SignalingException::BadToken, error);
    let header = authorization(headers).map_err(|error| bad(error.to_string()))?;
    let holder = alexa.login.holder(header).map_err(|error| match error {
        AccessRefusal::OtherScope => {
            Refused::new(SignalingException::AccessDenied, error.to_string())
        }
        AccessRefusal::NotBearer | AccessRefusal::Unknown => bad(error.to_string()),
    })?;
    let Holder::Customer(user) = holder else {
        return Err(Refused::new(
            SignalingException::AccessDenied,
            "the token is the skill's own; expected one that a customer has granted",
        ));
    };
    if !lock(&alexa.manifest).may_call() {
        return Err(Refused::new(
            SignalingException::AccessDenied,
            "the skill's manifest lacks the permission amazon_communication::calling",
        ));
    }
    Ok(user)
}

/// An answer as ordered; without a code the one that the status stands for (facts G5), and none for 400.
fn ordered(status: u16, code: Option<&str>, message: Option<&str>) -> Response {
    let known = SignalingException::from_status(status);
    let code = code.map_or_else(
        || {
            known
                .as_ref()
                .map_or("", SignalingException::name)
                .to_owned()
        },
        str::to_owned,
    );
    refusal(
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        &code,
        message.unwrap_or("trouble, as ordered"),
    )
}
