//! Messages of Alexa's for the gateway, as the component forwards them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use skillcall_protocol::signaling::{Forward, OperationName};

use super::Control;
use super::problem::Problem;
use crate::figures::count;
use crate::gateway::{Standing, Switchboard};
use crate::worker::ToWorker;

/// Takes a message: 202 once it is written down, and for each that came before.
pub(super) async fn take(
    State(control): State<Arc<Control>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(switchboard) = &control.switchboard else {
        let why = "there is no gateway here; [gateway] skill begins one";
        return Problem::not_found(why).into_response();
    };
    let signed = match control.verified(switchboard.keys(), &uri, &headers, &body) {
        Ok(signed) => signed,
        Err(problem) => return problem.into_response(),
    };
    if control.elder().is_some()
        && let Some(session) = session_of(&body)
        && let Some(answer) = control
            .ask_of_session(&session, &uri, &headers, &body)
            .await
    {
        return answer;
    }
    match control.take_signal(switchboard, &body).await {
        Ok(()) => signed.reply(StatusCode::ACCEPTED),
        Err(problem) => problem.into_response(),
    }
}

/// Whose a message is; none: it is no message.
fn session_of(body: &[u8]) -> Option<String> {
    let forward: Forward = serde_json::from_slice(body).ok()?;
    Some(forward.message.session_id.to_string())
}

impl Control {
    async fn take_signal(&self, switchboard: &Switchboard, body: &[u8]) -> Result<(), Problem> {
        let forward: Forward = serde_json::from_slice(body).map_err(|error| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                format!("no message of CallSignaling: {error}"),
            )
        })?;
        let name = forward.message.operation.name();
        if !name.comes_from_alexa() {
            let why = format!("{name} does not come from Alexa");
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why));
        }
        if name == OperationName::InitiateOutboundCall && self.draining.load(Ordering::Relaxed) {
            let why = "the sidecar goes down, and takes no new calls";
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, why));
        }
        let request = forward.request_id.to_string();
        let standing = switchboard.seen().begin(&request);
        match standing {
            Standing::Taken => return Ok(()),
            Standing::Being => {
                let why = "the same requestId is being taken just now";
                return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, why));
            }
            Standing::New => {}
        }
        let written = self.journal.forwarded(&forward).await;
        switchboard.seen().finish(&request, written);
        if !written {
            let why = "the journal cannot be written";
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, why));
        }
        count(&self.figures.signaling_received);
        let session = &forward.message.session_id;
        let worker = Switchboard::worker_of(session, self.workers.len());
        if let Some(worker) = self.workers.get(worker) {
            worker.send(ToWorker::Signal(Box::new(forward)));
        }
        Ok(())
    }
}
