//! A message of Alexa's (facts G2): checked, stored, answered. It is forwarded once the answer is out.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use skillcall_protocol::alexa::{Envelope, ResponseEnvelope};
use skillcall_protocol::signaling::{Forward, Message, Operation, OperationName};

use super::{allowed, kept};
use crate::host::{Host, HostError};
use crate::http::{Problem, Response};
use crate::settings::{DeferredForm, Settings};
use crate::trace::Recorder;

/// Why a message is not taken.
#[derive(Debug, thiserror::Error)]
enum Refused {
    /// It breaks a rule: the sender is told.
    #[error("{0}")]
    Rule(String),
    /// It cannot be stored.
    #[error("the message could not be stored: {0}")]
    State(#[from] HostError),
}

/// Whether this version knows the operation, and Alexa sends it: others are noted as any unknown request is.
pub(crate) fn is_known(operation: &str) -> bool {
    OperationName::from_name(operation).is_some_and(OperationName::comes_from_alexa)
}

/// Takes a message. Its answer is the empty response: no speech, no session; for InitiateOutboundCall the form that the
/// installation wants (facts G6).
pub(crate) fn receive<H: Host>(
    host: &H,
    settings: &Settings,
    recorder: &Recorder,
    envelope: &Envelope,
    body: &[u8],
) -> Response {
    match take(host, settings, envelope, body) {
        Ok(message) => {
            recorder.note(
                host,
                &format!("{} of a session is taken", message.operation.name()),
            );
            Response::json(200, answer(host, settings, &message))
        }
        Err(Refused::Rule(why)) => {
            recorder.warn(host, &format!("the message is refused: {why}"));
            Problem::refused(why).into()
        }
        Err(refused @ Refused::State(_)) => {
            recorder.warn(host, &refused.to_string());
            Problem::failed().into()
        }
    }
}

fn take<H: Host>(
    host: &H,
    settings: &Settings,
    envelope: &Envelope,
    body: &[u8],
) -> Result<Message, Refused> {
    let rule = |why: &str| Refused::Rule(why.to_owned());
    whole(body).map_err(Refused::Rule)?;
    let message =
        Message::of_request(&envelope.request).map_err(|error| Refused::Rule(error.to_string()))?;
    let Some(user) = envelope.user() else {
        return Err(rule(
            "context.System.user.userId is missing; expected the account whose device the session has",
        ));
    };
    let Some(api_endpoint) = allowed(settings, envelope.context.system.api_endpoint.as_deref())
    else {
        return Err(rule(
            "context.System.apiEndpoint is not among the setting api_hosts, so nothing is said to it",
        ));
    };
    let forward = Forward {
        request_id: envelope.request.request_id.clone(),
        timestamp: envelope.request.timestamp.clone().unwrap_or_default(),
        account: user.user_id.clone(),
        api_endpoint,
        message,
    };
    let kept = serde_json::to_vec(&forward).map_err(|error| Refused::Rule(error.to_string()))?;
    if kept.len() > kept::MAX_BYTES {
        return Err(rule("the message has more than 60,000 bytes"));
    }
    kept::keep(host, &forward.request_id, &kept)?;
    Ok(forward.message)
}

/// The SPI: all requests include `version`, `context` and `request`; of `session`, which the page names too, facts K17.
fn whole(body: &[u8]) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Whole {
        version: Option<String>,
        context: Option<Context>,
    }
    #[derive(Deserialize)]
    struct Context {
        #[serde(rename = "System")]
        system: Option<IgnoredAny>,
    }
    let whole: Whole =
        serde_json::from_slice(body).map_err(|error| format!("the body: {error}"))?;
    match whole.version.as_deref() {
        Some("1.0") => {}
        None => return Err("version is missing; expected \"1.0\"".to_owned()),
        Some(other) => {
            let other: String = other.chars().take(20).collect();
            return Err(format!("version is {other:?}; expected \"1.0\""));
        }
    }
    if whole.context.and_then(|context| context.system).is_none() {
        return Err("context.System is missing; expected account and apiEndpoint in it".to_owned());
    }
    Ok(())
}

fn answer<H: Host>(host: &H, settings: &Settings, message: &Message) -> Vec<u8> {
    let deferred = matches!(message.operation, Operation::InitiateOutboundCall { .. });
    let form = if deferred {
        settings.deferred_response
    } else {
        DeferredForm::Empty
    };
    let answer: Value = match form {
        // A struct of strings always becomes JSON.
        DeferredForm::Empty => {
            return serde_json::to_vec(&ResponseEnvelope::empty()).unwrap_or_default();
        }
        DeferredForm::Directive => json!({
            "version": "1.0",
            "response": {"directives": [{
                "type": message.type_name(),
                "providerSessionId": message.session_id,
            }]},
        }),
        DeferredForm::Deferred => {
            let mut id = [0; 16];
            host.random(&mut id);
            json!({"event": {
                "header": {
                    "namespace": "Alexa",
                    "name": "DeferredResponse",
                    "messageId": hex::encode(id),
                    "payloadVersion": "3",
                },
                "payload": {"estimatedDeferralInSeconds": ESTIMATED_S},
            }})
        }
    };
    answer.to_string().into_bytes()
}

/// How long a call usually takes to ring, in seconds (our choice).
const ESTIMATED_S: u32 = 5;
