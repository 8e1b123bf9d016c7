//! Placing a call: the caller's number, the session, and what the customer hears.

use skillcall_plan::compiled::{CallerSource, Destination};
use skillcall_plan::{DecodeError, TextKey};
use skillcall_protocol::alexa::{Card, Envelope, ResponseEnvelope};
use skillcall_protocol::communication::{ErrorCode, StartSession};
use skillcall_protocol::e164::E164;
use skillcall_protocol::profile::MOBILE_NUMBER_SCOPE;

use super::Serving;
use super::speech::Speech;
use crate::caller::{self, Api, CallerError};
use crate::host::Host;
use crate::session::{self, Session, StartError};

/// Places a call to a destination and says what became of it.
pub(super) fn place<H: Host>(
    serving: &Serving<'_, H>,
    envelope: &Envelope,
    destination: &Destination<'_>,
    speech: &Speech<'_>,
) -> Result<ResponseEnvelope, DecodeError> {
    match try_to_place(serving, envelope, destination, speech.locale) {
        Ok(()) => Ok(ResponseEnvelope::tell(speech.announcement(destination)?)),
        Err(trouble) => {
            serving
                .recorder
                .warn(serving.host, &format!("no call: {}", trouble.why));
            let response = speech.tell(trouble.said)?;
            Ok(match trouble.said {
                TextKey::NumberPermission => {
                    let permissions = vec![MOBILE_NUMBER_SCOPE.to_owned()];
                    response.with_card(Card::AskForPermissionsConsent { permissions })
                }
                _ => response,
            })
        }
    }
}

/// Why a call was not placed, and what the customer hears.
struct Trouble {
    said: TextKey,
    why: String,
}

fn trouble(said: TextKey, why: impl ToString) -> Trouble {
    Trouble {
        said,
        why: why.to_string(),
    }
}

fn try_to_place<H: Host>(
    serving: &Serving<'_, H>,
    envelope: &Envelope,
    destination: &Destination<'_>,
    locale: &str,
) -> Result<(), Trouble> {
    let (host, recorder) = (serving.host, serving.recorder);
    let system = &envelope.context.system;
    let api =
        Api::of(system, serving.settings).map_err(|error| trouble(TextKey::CallFailed, error))?;
    let device = system.device.as_ref().ok_or_else(|| {
        trouble(
            TextKey::CallFailed,
            "the request names no device in context.System",
        )
    })?;
    let csi =
        session::client_session_id(&serving.settings.session_key, &envelope.request.request_id)
            .ok_or_else(|| trouble(TextKey::CallFailed, "no clientSessionId could be derived"))?;
    recorder.csi(&csi);
    let caller = caller_number(serving, &api, destination)?;
    let dialled =
        E164::parse(destination.number).map_err(|error| trouble(TextKey::CallFailed, error))?;
    let mut start = StartSession::skill_call(&caller, &device.device_id, &dialled, &csi);
    for participant in &mut start.participants {
        if let Some(provider) = &mut participant.communication_provider_id {
            serving.plan.communication_provider_id.clone_into(provider);
        }
    }
    // The call may come in before Alexa's answer does, so the session is there first.
    let mut session = Session {
        destination: destination.id.to_owned(),
        locale: locale.to_owned(),
        request: envelope.request.request_id.as_str().to_owned(),
        trace: recorder.trace_id(),
        session: None,
    };
    session::remember(host, &csi, &session).map_err(|error| trouble(TextKey::CallFailed, error))?;
    let started =
        session::start(host, recorder, &api, &start, serving.deadline).map_err(start_trouble)?;
    recorder.session(&started);
    session.session = Some(started.as_str().to_owned());
    if let Err(error) = session::remember(host, &csi, &session) {
        // The call is placed; only its later records lack Alexa's id of the session.
        recorder.warn(
            host,
            &format!("the session's id could not be kept: {error}"),
        );
    }
    Ok(())
}

fn caller_number<H: Host>(
    serving: &Serving<'_, H>,
    api: &Api<'_>,
    destination: &Destination<'_>,
) -> Result<E164, Trouble> {
    let mut last = trouble(
        TextKey::CallFailed,
        "the plan names no source of the caller's number",
    );
    for source in &destination.caller {
        let found = match source {
            CallerSource::Profile => {
                caller::from_profile(serving.host, serving.recorder, api, serving.deadline)
            }
        };
        match found {
            Ok(number) => return Ok(number),
            Err(error) => last = trouble(caller_text(&error), error),
        }
    }
    Err(last)
}

fn caller_text(error: &CallerError) -> TextKey {
    match error {
        CallerError::NotGranted => TextKey::NumberPermission,
        CallerError::NotStored(_) => TextKey::NumberMissing,
        CallerError::BadToken => TextKey::AskAgain,
        CallerError::Throttled => TextKey::Busy,
        CallerError::Failed(_) => TextKey::NumberUnavailable,
    }
}

/// Facts D2: each status means something else for the customer.
fn start_trouble(error: StartError) -> Trouble {
    let said = match &error {
        StartError::Refused { status: 404, .. } => TextKey::CallingNotHere,
        StartError::Refused { code, .. } => match code {
            ErrorCode::InvalidInput => TextKey::CallRefused,
            ErrorCode::BadToken => TextKey::AskAgain,
            ErrorCode::AccessDenied => TextKey::CallingNotAllowed,
            ErrorCode::NotFound => TextKey::CallingNotHere,
            ErrorCode::Throttling => TextKey::Busy,
            ErrorCode::InternalServerError | ErrorCode::Unknown | ErrorCode::Other(_) => {
                TextKey::CallFailed
            }
        },
        StartError::Unknown(_) => TextKey::CallFailed,
    };
    trouble(said, error)
}
