//! `POST /messages`: a message to a customer's skill (facts H, Skill Messaging), for whoever runs calls beside the component.

use std::time::Duration;

use serde::Deserialize;
use skillcall_protocol::ids::UserId;
use skillcall_protocol::lwa::SKILL_MESSAGING_SCOPE;
use skillcall_protocol::messaging::{self, SkillMessage};

use super::{Problem, Response};
use crate::host::{Deadline, Host, OutboundRequest, outcome};
use crate::settings::Settings;
use crate::tokens::{TokenError, Tokens};
use crate::trace::Recorder;

const LIMIT: Duration = Duration::from_millis(3000);
const MAX_REPLY: usize = 16 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Order {
    user_id: UserId,
    #[serde(default)]
    api_endpoint: Option<String>,
    message: SkillMessage,
}

/// Sends the message that a request's body orders.
pub(super) fn send<H: Host>(
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
                "the body is no message: {error}; expected {{userId, apiEndpoint, message: {{data, expiresAfterSeconds}}}}"
            ))
            .into();
        }
    };
    let origin = match &order.api_endpoint {
        None => settings.api_hosts.first().cloned(),
        Some(wanted) => {
            let origin = wanted.trim_end_matches('/').to_ascii_lowercase();
            settings.api_hosts.contains(&origin).then_some(origin)
        }
    };
    let Some(origin) = origin else {
        return Problem::refused("apiEndpoint is not among the setting api_hosts").into();
    };
    let token = settings.plan().map_err(Failure::Plan).and_then(|plan| {
        let tokens = Tokens::of(host, recorder, plan.lwa_client_id, deadline)?;
        Ok(tokens.client(SKILL_MESSAGING_SCOPE)?)
    });
    let token = match token {
        Ok(token) => token,
        Err(failure) => {
            recorder.warn(host, &format!("no message: {failure}"));
            return match failure {
                Failure::Token(TokenError::Settings(_) | TokenError::NoClient) => {
                    Problem::not_configured().into()
                }
                Failure::Token(TokenError::Host(_)) | Failure::Plan(_) => Problem::failed().into(),
                Failure::Token(_) => Problem::upstream("Login with Amazon gave no token").into(),
            };
        }
    };
    let request = OutboundRequest {
        method: "POST",
        url: format!("{origin}{}", messaging::path(&order.user_id)),
        headers: vec![
            ("authorization", format!("Bearer {}", token.expose())),
            ("content-type", "application/json".to_owned()),
        ],
        // What was read from JSON becomes JSON.
        body: serde_json::to_vec(&order.message).unwrap_or_default(),
        timeout: deadline.at_most(host, LIMIT),
        max_reply: MAX_REPLY,
    };
    let reply = host.send(&request);
    let outcome = outcome(&reply);
    recorder.note(host, &format!("the Skill Messaging API: {outcome}"));
    match reply {
        Ok(reply) if (200..300).contains(&reply.status) => Response::json(202, b"{}".to_vec()),
        Ok(reply) => {
            Problem::upstream(format!("the Skill Messaging API answered {}", reply.status)).into()
        }
        Err(_) => Problem::upstream("the Skill Messaging API did not answer").into(),
    }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Plan(String),
    #[error(transparent)]
    Token(#[from] TokenError),
}
