//! The answers to Alexa's requests (facts A).

mod call;
mod can_fulfill;
mod choice;
mod dialog;
mod events;
mod grant;
mod intents;
mod opening;
mod speech;

use serde::Serialize;
use skillcall_plan::{DecodeError, Plan, TextKey};
use skillcall_protocol::alexa::{Envelope, GrantAnswer, Kind, ResponseEnvelope};

use crate::host::{Deadline, Host};
use crate::settings::Settings;
use crate::trace::Recorder;

pub(crate) use speech::Speech;

/// What a request is served with.
pub struct Serving<'s, H> {
    /// The outside.
    pub host: &'s H,
    /// The settings.
    pub settings: &'s Settings,
    /// The call plan.
    pub plan: &'s Plan<'s>,
    /// The request's trace.
    pub recorder: &'s Recorder,
    /// Until when the answer must be out.
    pub deadline: Deadline,
}

/// What a request is answered with.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// The response envelope of a custom skill (facts A3).
    Response(Box<ResponseEnvelope>),
    /// The event that answers a grant (facts G7).
    Grant(GrantAnswer),
}

/// Answers a verified request. What this version does not serve is answered with an empty response, as facts A2 wants.
///
/// # Errors
/// When the plan is damaged.
pub fn answer<H: Host>(
    serving: &Serving<'_, H>,
    envelope: &Envelope,
) -> Result<Answer, DecodeError> {
    let speech = Speech::of(serving.plan, envelope);
    let response = match envelope.request.kind() {
        Kind::Launch => {
            if let Some(task) = envelope.request.task_name() {
                let note = format!("opened with the task {task:?}, which the plan does not know");
                serving.recorder.note(serving.host, &note);
            }
            speech.ask(TextKey::Welcome)?
        }
        Kind::Intent(intent) => intents::answer(serving, envelope, intent, &speech)?,
        Kind::CanFulfillIntent(intent) => can_fulfill::answer(serving, envelope, intent)?,
        Kind::AuthorizationGrant => {
            return Ok(Answer::Grant(grant::answer(serving, envelope)));
        }
        _ => {
            events::note(serving, envelope);
            ResponseEnvelope::empty()
        }
    };
    Ok(Answer::Response(Box::new(within_limits(serving, response))))
}

/// The response as Alexa takes it (facts A4).
fn within_limits<H: Host>(
    serving: &Serving<'_, H>,
    mut response: ResponseEnvelope,
) -> ResponseEnvelope {
    let cuts = response.keep_within_limits();
    if !cuts.is_empty() {
        let warning = format!("the answer is longer than Alexa takes, so it was cut: {cuts:?}");
        serving.recorder.warn(serving.host, &warning);
    }
    response
}

#[cfg(test)]
mod tests;
