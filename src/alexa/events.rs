//! What Alexa only tells (facts A2): it is noted, and answered with an empty response.

use skillcall_protocol::alexa::{Envelope, Fault, Kind};

use super::Serving;
use crate::host::Host;
use crate::tokens;

pub(super) fn note<H: Host>(serving: &Serving<'_, H>, envelope: &Envelope) {
    let (host, recorder, request) = (serving.host, serving.recorder, &envelope.request);
    match request.kind() {
        Kind::SessionEnded => {
            let ended = request.session_ended();
            match &ended.error {
                Some(error) => recorder.warn(
                    host,
                    &format!(
                        "Alexa ended the session ({}): {}",
                        ended.reason,
                        told(error)
                    ),
                ),
                None => recorder.note(host, &format!("the session ended: {}", ended.reason)),
            }
        }
        Kind::ExceptionEncountered => {
            let exception = request.exception();
            recorder.warn(
                host,
                &format!(
                    "Alexa could not carry out the answer to {}: {}",
                    exception.cause.request_id,
                    told(&exception.error)
                ),
            );
        }
        Kind::ConnectionsResponse => {
            let done = request.task_done();
            let name = done.name.unwrap_or_default();
            recorder.note(
                host,
                &format!(
                    "the task {name:?} came back with {} {}",
                    done.status.code, done.status.message
                ),
            );
        }
        Kind::SessionResumed => {
            let done = request.resumed_by();
            recorder.note(
                host,
                &format!(
                    "the session was resumed with {} {}",
                    done.status.code, done.status.message
                ),
            );
        }
        Kind::MessageReceived => {
            let message = request.message().message;
            let names: Vec<&str> = message.keys().map(String::as_str).collect();
            recorder.note(host, &format!("a message with {} came", names.join(", ")));
        }
        Kind::SkillEvent(event) => {
            let accepted = request.accepted_permissions();
            let scopes: Vec<&str> = accepted
                .accepted_permissions
                .iter()
                .chain(&accepted.accepted_person_permissions)
                .map(|permission| permission.scope.as_str())
                .collect();
            recorder.note(host, &format!("skill event {event}: {}", scopes.join(", ")));
            if event == "SkillDisabled"
                && let Some(user) = envelope.user()
                && let Err(error) = tokens::forget(host, &user.user_id)
            {
                recorder.warn(
                    host,
                    &format!("the customer's tokens are still there: {error}"),
                );
            }
        }
        Kind::ConnectionsRequest | Kind::CallSignaling(_) | Kind::Other(_) => {
            recorder.note(host, &format!("{} is not served", request.type_name));
        }
        Kind::Launch | Kind::Intent(_) | Kind::CanFulfillIntent(_) | Kind::AuthorizationGrant => {}
    }
}

fn told(error: &Fault) -> String {
    format!("{}: {}", error.kind, error.message)
}
