//! `POST /signaling`: the sidecar orders a message to Alexa.

use skillcall_protocol::signaling::Order;

use super::allowed;
use super::deliver::{DeliverError, deliver};
use crate::host::{Deadline, Host};
use crate::http::{Problem, Response};
use crate::settings::Settings;
use crate::tokens::TokenError;
use crate::trace::Recorder;

/// Serves a request that the sidecar has signed.
pub(crate) fn serve<H: Host>(
    host: &H,
    settings: &Settings,
    recorder: &Recorder,
    body: &[u8],
    deadline: Deadline,
) -> Response {
    let order: Order = match serde_json::from_slice(body) {
        Ok(order) => order,
        Err(error) => {
            return Problem::refused(format!(
                "the body is no order: {error}; expected {{account, apiEndpoint, message}}"
            ))
            .into();
        }
    };
    let name = order.message.operation.name();
    recorder.signaling(host, &order.message.session_id);
    recorder.order(&format!("POST /signaling {name}"), body);
    if !name.goes_to_alexa() {
        return Problem::refused(format!("message: {name} is not said to Alexa (facts G3)")).into();
    }
    let Some(origin) = allowed(settings, order.api_endpoint.as_deref()) else {
        return Problem::refused("apiEndpoint is not among the setting api_hosts").into();
    };
    let outcome = deliver(
        host,
        settings,
        recorder,
        &order.account,
        &origin,
        &order.message,
        deadline,
    );
    match outcome {
        Ok(outcome) => {
            // Strings and a number always become JSON.
            Response::json(200, serde_json::to_vec(&outcome).unwrap_or_default())
        }
        Err(error) => {
            recorder.warn(host, &format!("{name} was not said to Alexa: {error}"));
            match error {
                DeliverError::Token(TokenError::Settings(_) | TokenError::NoClient) => {
                    Problem::not_configured().into()
                }
                DeliverError::Token(TokenError::Host(_))
                | DeliverError::Plan(_)
                | DeliverError::Message(_) => Problem::failed().into(),
                DeliverError::Token(_) => {
                    Problem::upstream("Login with Amazon gave no token").into()
                }
                DeliverError::NoAnswer(_) => {
                    Problem::upstream("the signaling endpoint did not answer").into()
                }
            }
        }
    }
}
