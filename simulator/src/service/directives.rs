//! Progressive responses (facts A5).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::{authorization, is_json, refusal, trouble};
use crate::alexa::{Alexa, ProgressiveRefusal};
use crate::trouble::Place;

#[derive(Deserialize)]
struct Body {
    header: Header,
    directive: Directive,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    request_id: String,
}

#[derive(Deserialize)]
struct Directive {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    speech: String,
}

pub(super) async fn directive(
    State(alexa): State<Arc<Alexa>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(fault) = alexa.orders.take(Place::Directives)
        && let Some(response) = trouble::in_place_of_answer(&fault, &alexa.stopping).await
    {
        return response;
    }
    let invalid = |message: String| refusal(StatusCode::BAD_REQUEST, "InvalidDirective", message);
    let grant = match authorization(&headers)
        .and_then(|header| alexa.mint.check(header, &alexa.skill_id))
    {
        Ok(grant) => grant,
        Err(error) => return refusal(StatusCode::UNAUTHORIZED, "NotAuthorized", error.to_string()),
    };
    if !is_json(&headers) {
        return invalid("Content-Type must be application/json".to_owned());
    }
    let body: Body = match serde_json::from_slice(&body) {
        Ok(body) => body,
        Err(error) => return invalid(format!("the body is no directive: {error}")),
    };
    if body.directive.kind != "VoicePlayer.Speak" {
        return invalid(format!(
            "directive.type is {:?}; expected VoicePlayer.Speak",
            body.directive.kind
        ));
    }
    if body.directive.speech.is_empty() {
        return invalid("directive.speech is empty; expected text or SSML".to_owned());
    }
    if body.header.request_id != grant.request_id {
        return refusal(
            StatusCode::FORBIDDEN,
            "NotAllowed",
            "header.requestId is not the request of this token",
        );
    }
    let refused = |message| refusal(StatusCode::FORBIDDEN, "NotAllowed", message);
    match alexa.progress(&grant.request_id, &body.directive.speech) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(ProgressiveRefusal::NotOpen) => refused("the request has been answered already"),
        Err(ProgressiveRefusal::NotAllowed) => {
            refused("only LaunchRequest and IntentRequest take progressive responses")
        }
        Err(ProgressiveRefusal::TooMany) => {
            refused("too many progressive responses to this request")
        }
    }
}
