//! The certificate chains (facts B).

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::{refusal, trouble};
use crate::alexa::Alexa;
use crate::trouble::Place;

pub(super) async fn chain(State(alexa): State<Arc<Alexa>>, Path(file): Path<String>) -> Response {
    if let Some(fault) = alexa.orders.take(Place::Chain)
        && let Some(response) = trouble::in_place_of_answer(&fault, &alexa.stopping).await
    {
        return response;
    }
    let chain = file
        .strip_prefix("echo-api-cert-")
        .and_then(|rest| rest.strip_suffix(".pem"))
        .and_then(|number| number.parse().ok())
        .and_then(|number| alexa.authority.chain_at(number));
    match chain {
        Some(chain) => (
            [("content-type", "application/x-pem-file")],
            chain.pem().to_owned(),
        )
            .into_response(),
        None => refusal(
            StatusCode::NOT_FOUND,
            "NoSuchKey",
            format!("there is no chain {file:?}"),
        ),
    }
}
