//! A message to Alexa (facts G3), with the token of the account whose device the session has (facts G7).

use std::time::Duration;

use skillcall_protocol::ids::{AccessToken, UserId};
use skillcall_protocol::signaling::{Message, Outcome, PATH, Refusal, SignalingException};

use crate::host::{Deadline, Host, OutboundReply, OutboundRequest, SendError};
use crate::settings::Settings;
use crate::tokens::{TokenError, Tokens};
use crate::trace::Recorder;

const LIMIT: Duration = Duration::from_millis(3000);
const MAX_REPLY: usize = 16 * 1024;

/// Why Alexa was not reached.
#[derive(Debug, thiserror::Error)]
pub(super) enum DeliverError {
    /// The plan.
    #[error("{0}")]
    Plan(String),
    /// There is no token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The message breaks a rule of its own.
    #[error("the message cannot be written: {0}")]
    Message(String),
    /// There is no answer: Alexa may have acted on it.
    #[error("the signaling endpoint: {0}")]
    NoAnswer(#[from] SendError),
}

/// Says something to Alexa. Where the token is refused (401, or 403, which facts G5 also gives for a wrong token), a new one is
/// asked for and tried, once; all other answers are the caller's to judge.
///
/// # Errors
/// When there is no answer of Alexa's.
pub(super) fn deliver<H: Host>(
    host: &H,
    settings: &Settings,
    recorder: &Recorder,
    account: &UserId,
    origin: &str,
    message: &Message,
    deadline: Deadline,
) -> Result<Outcome, DeliverError> {
    let body =
        serde_json::to_vec(message).map_err(|error| DeliverError::Message(error.to_string()))?;
    let plan = settings.plan().map_err(DeliverError::Plan)?;
    let tokens = Tokens::of(host, recorder, plan.lwa_client_id, deadline)?;
    let send = |token: &AccessToken| {
        let request = OutboundRequest {
            method: "POST",
            url: format!("{origin}{PATH}"),
            headers: vec![
                ("authorization", format!("Bearer {}", token.expose())),
                ("content-type", "application/json".to_owned()),
            ],
            body: body.clone(),
            timeout: deadline.at_most(host, LIMIT),
            max_reply: MAX_REPLY,
        };
        recorder.send(host, request)
    };
    let token = match tokens.user(account) {
        Ok(token) => token,
        Err(TokenError::NotGranted) => return Ok(not_granted()),
        Err(error) => return Err(error.into()),
    };
    let reply = send(&token)?;
    if !matches!(reply.status, 401 | 403) {
        return Ok(outcome(&reply));
    }
    match tokens.user_instead_of(account, &token) {
        Ok(fresh) => Ok(outcome(&send(&fresh)?)),
        // Without a new token the answer to the old one stands.
        Err(error) => {
            recorder.warn(
                host,
                &format!("Alexa refused the account's token, and there is no new one: {error}"),
            );
            Ok(match error {
                TokenError::NotGranted => not_granted(),
                _ => outcome(&reply),
            })
        }
    }
}

fn outcome(reply: &OutboundReply) -> Outcome {
    if (200..300).contains(&reply.status) {
        return Outcome::taken(reply.status);
    }
    Refusal::read(reply.status, &reply.body).into()
}

/// What Alexa would say to no token at all, so that whoever ordered it knows one case less (our choice).
fn not_granted() -> Outcome {
    let exception = SignalingException::AccessDenied;
    Outcome {
        status: exception.status(),
        exception: Some(exception.name().to_owned()),
        message: Some(
            "the account has given the skill no grant, or has taken it back: it must be linked again"
                .to_owned(),
        ),
    }
}
