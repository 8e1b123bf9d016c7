//! Placing a call: who stands in while the destination is closed, the caller, the session, and what the customer hears.

use skillcall_plan::compiled::{Address, Destination};
use skillcall_plan::{DecodeError, TextKey};
use skillcall_protocol::alexa::{Card, Envelope, ResponseEnvelope};
use skillcall_protocol::communication::{
    Callee, ErrorCode, IdType, Originator, PROVIDER_PBX, ParticipantId, StartSession,
};
use skillcall_protocol::ids::{ClientSessionId, DeviceId, RequestId};

use super::speech::{About, Speech, joined};
use super::{Serving, choice, opening};
use crate::caller::{Api, CallerError, Search};
use crate::host::Host;
use crate::limits;
use crate::session::{self, Session, StartError};

/// Places a call to a destination and says what became of it.
pub(super) fn place<H: Host>(
    serving: &Serving<'_, H>,
    envelope: &Envelope,
    wanted: &Destination<'_>,
    speech: &Speech<'_>,
) -> Result<ResponseEnvelope, DecodeError> {
    let Some(destination) = open_now(serving, envelope, wanted)? else {
        let note = format!("no call: {} is closed", wanted.id);
        serving.recorder.note(serving.host, &note);
        return closed(serving, wanted, speech);
    };
    match try_to_place(serving, envelope, &destination, speech.locale) {
        Ok(()) => {
            let announcement = speech.announcement(&destination)?;
            Ok(ResponseEnvelope::tell(if destination.id == wanted.id {
                announcement
            } else {
                let about = About {
                    destination: Some(wanted),
                    ..About::default()
                };
                joined(&speech.text(TextKey::ClosedInstead, about)?, &announcement)
            }))
        }
        Err(trouble) => {
            serving
                .recorder
                .warn(serving.host, &format!("no call: {}", trouble.why));
            let response = speech.tell_about(trouble.said, &destination)?;
            Ok(match trouble.card {
                Some(card) => response.with_card(card),
                None => response,
            })
        }
    }
}

/// That it is closed, and when it opens.
fn closed<H: Host>(
    serving: &Serving<'_, H>,
    wanted: &Destination<'_>,
    speech: &Speech<'_>,
) -> Result<ResponseEnvelope, DecodeError> {
    let about = About {
        destination: Some(wanted),
        ..About::default()
    };
    let told = speech.text(TextKey::Closed, about)?;
    let opening = serving.plan.next_opening(wanted.hours, now_s(serving))?;
    let words =
        opening.and_then(|opening| opening::words(opening, serving.plan.locale_for(speech.locale)));
    Ok(ResponseEnvelope::tell(match words {
        Some(opens) => {
            let about = About {
                opens: &opens,
                ..about
            };
            joined(&told, &speech.text(TextKey::Opens, about)?)
        }
        None => told,
    }))
}

fn now_s<H: Host>(serving: &Serving<'_, H>) -> i64 {
    i64::try_from(serving.host.now_ms() / 1000).unwrap_or(i64::MAX)
}

/// The destination, or the first of those in its place that is open and may be called.
fn open_now<'p, H: Host>(
    serving: &Serving<'p, H>,
    envelope: &Envelope,
    wanted: &Destination<'p>,
) -> Result<Option<Destination<'p>>, DecodeError> {
    let now = now_s(serving);
    let plan = serving.plan;
    let mut destination = wanted.clone();
    // A plan whose rows lead back to their beginning is never compiled.
    for _ in 0..=plan.destination_count() {
        if plan.is_open(destination.hours, now)? {
            return Ok(Some(destination));
        }
        let Some(place) = destination.fallback.map(usize::from) else {
            return Ok(None);
        };
        match plan.destination(place)? {
            Some(next) if plan.allows(&choice::asking(envelope), place)? => destination = next,
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// Why a call was not placed, what the customer hears, and which card goes with it.
struct Trouble {
    said: TextKey,
    why: String,
    card: Option<Card>,
}

fn trouble(said: TextKey, why: impl ToString) -> Trouble {
    Trouble {
        said,
        why: why.to_string(),
        card: None,
    }
}

fn try_to_place<H: Host>(
    serving: &Serving<'_, H>,
    envelope: &Envelope,
    destination: &Destination<'_>,
    locale: &str,
) -> Result<(), Trouble> {
    let (host, recorder) = (serving.host, serving.recorder);
    let failed = |error: &dyn ToString| trouble(TextKey::CallFailed, error.to_string());
    let system = &envelope.context.system;
    let api = Api::of(system, serving.settings).map_err(|error| failed(&error))?;
    let device = system
        .device
        .as_ref()
        .ok_or_else(|| failed(&"the request names no device in context.System"))?;
    let csi = session_id(serving, &envelope.request.request_id)?;
    recorder.csi(host, &csi);
    let search = Search {
        host,
        recorder,
        plan: serving.plan,
        envelope,
        api: &api,
        deadline: serving.deadline,
    };
    let originator = search
        .originator(&destination.caller)
        .map_err(caller_trouble)?;
    let start = start_session(serving, destination, originator, &device.device_id, &csi);
    if let Err(broken) = start.validate() {
        let rules: Vec<String> = broken.iter().map(ToString::to_string).collect();
        return Err(failed(&rules.join("; ")));
    }
    let customer = envelope
        .user()
        .map_or(device.device_id.as_str(), |user| user.user_id.as_str());
    if let Some(most) = serving.plan.calls_per_hour
        && !limits::count(host, customer, &csi, most).map_err(|error| failed(&error))?
    {
        return Err(trouble(
            TextKey::TooManyCalls,
            format!("the customer has placed {most} calls within an hour"),
        ));
    }
    // The call may come in before Alexa's answer does, so the session is there first.
    let mut session = Session {
        destination: destination.id.to_owned(),
        locale: locale.to_owned(),
        request: envelope.request.request_id.as_str().to_owned(),
        session: None,
    };
    session::remember(host, &csi, &session).map_err(|error| failed(&error))?;
    let started = session::start(host, recorder, &api, &start, serving.deadline);
    // After any other failure the call may have begun all the same.
    if let (Err(StartError::Refused { status: ..500, .. }), Some(_)) =
        (&started, serving.plan.calls_per_hour)
        && let Err(error) = limits::uncount(host, customer, &csi)
    {
        recorder.warn(host, &format!("the call still counts: {error}"));
    }
    let started = started.map_err(start_trouble)?;
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

/// The `clientSessionId` of a request. While keys are being changed, a request whose call was begun with the former key keeps
/// the id that it had, so that one call comes of it.
fn session_id<H: Host>(
    serving: &Serving<'_, H>,
    request: &RequestId,
) -> Result<ClientSessionId, Trouble> {
    let failed = |why: String| trouble(TextKey::CallFailed, why);
    if let Some(former) = &serving.settings.former_session_key
        && let Some(csi) = session::client_session_id(former, request)
        && session::recall(serving.host, &csi)
            .map_err(|error| failed(error.to_string()))?
            .is_some()
    {
        return Ok(csi);
    }
    session::client_session_id(&serving.settings.session_key, request)
        .ok_or_else(|| failed("no clientSessionId could be derived".to_owned()))
}

fn start_session<H: Host>(
    serving: &Serving<'_, H>,
    destination: &Destination<'_>,
    originator: Originator,
    device: &DeviceId,
    csi: &ClientSessionId,
) -> StartSession {
    let (kind, value, usual) = match destination.address {
        Address::Number(number) => (
            IdType::PhoneNumber,
            number,
            serving.plan.communication_provider_id,
        ),
        Address::Extension(extension) => (IdType::RawAddress, extension, PROVIDER_PBX),
        Address::Profile(profile) => (IdType::CommunicationProfileId, profile, PROVIDER_PBX),
    };
    let callee = Callee {
        id: ParticipantId {
            kind,
            value: value.to_owned(),
        },
        provider: destination.provider.unwrap_or(usual).to_owned(),
    };
    StartSession::between(originator, device, callee, csi)
}

/// Facts C1, C2: each failure leads somewhere else.
fn caller_trouble(error: CallerError) -> Trouble {
    let (said, card) = match &error {
        CallerError::NotGranted(scopes) => {
            let permissions = scopes.iter().map(|scope| (*scope).to_owned()).collect();
            let card = Card::AskForPermissionsConsent { permissions };
            (TextKey::NumberPermission, Some(card))
        }
        CallerError::NotLinked(_) => (TextKey::LinkAccount, Some(Card::LinkAccount)),
        CallerError::NotStored(_) => (TextKey::NumberMissing, None),
        CallerError::Malformed(_) => (TextKey::NumberMalformed, None),
        CallerError::BadToken => (TextKey::AskAgain, None),
        CallerError::Throttled => (TextKey::Busy, None),
        CallerError::NotRecognised => (TextKey::NotRecognised, None),
        CallerError::UnknownPlace => (TextKey::NumberUnknownHere, None),
        CallerError::Failed(_) => (TextKey::NumberUnavailable, None),
        CallerError::Plan(_) => (TextKey::CallFailed, None),
    };
    Trouble {
        card,
        ..trouble(said, error)
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
