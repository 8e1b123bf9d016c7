//! The routes. `docs/http.md` describes them for those who call them.

mod health;
mod message;
mod messages;
mod problem;

use std::time::Duration;

use skillcall_plan::{Plan, TextKey};
use skillcall_protocol::alexa::{Envelope, Kind, ProgressiveResponse};
use skillcall_protocol::ids::ClientSessionId;
use skillcall_protocol::sma::{Event, InvocationEventType};

pub use message::{Body, JSON, MAX_BODY, PROBLEM, Request, Response, header};
pub use problem::Problem;

use crate::aftermath::Aftermath;
use crate::alexa::{self, Serving, Speech};
use crate::caller::Api;
use crate::custom_flow;
use crate::flow::{self, KnownSession};
use crate::handler;
use crate::host::{Deadline, Host};
use crate::once;
use crate::progressive::{Patient, Words};
use crate::session;
use crate::settings::{Settings, SettingsError};
use crate::sidecar_link;
use crate::signaling::{self, Courier};
use crate::trace::Recorder;
use crate::verify::{self, Refusal};

/// Alexa waits about 8 seconds (facts A4); what is left over is for the way there and back.
const ALEXA_LIMIT: Duration = Duration::from_millis(7000);

/// A handler that fails may lead to another one, but not for ever: the sidecar waits for the answer.
const MAX_HANDLERS: usize = 2;
/// What a message to a customer's skill may take.
const MESSAGE_LIMIT: Duration = Duration::from_millis(7000);
/// What a message of CallSignaling to Alexa may take, a new token included.
const SIGNALING_LIMIT: Duration = Duration::from_millis(9000);

/// A response, and what is left to do once it is out.
pub struct Served {
    /// The response.
    pub response: Response,
    /// What is left to do.
    pub aftermath: Aftermath,
}

impl Served {
    /// A response with nothing left to do.
    #[must_use]
    pub fn of(response: Response) -> Self {
        Self {
            response,
            aftermath: Aftermath::default(),
        }
    }
}

/// Serves a request.
pub fn serve<H: Host>(host: &H, request: &Request) -> Served {
    let (path, method) = (request.path(), request.method.as_str());
    let allowed = match path {
        "/alexa" | "/media/events" | "/messages" | "/signaling" => "POST",
        "/health" => "GET",
        _ => return Served::of(Problem::no_route(path).into()),
    };
    if method != allowed {
        return Served::of(Problem::method(method, allowed).into());
    }
    if request.body.len() > MAX_BODY {
        return Served::of(Problem::too_long(MAX_BODY).into());
    }
    let settings = match settings(host) {
        Ok(settings) => settings,
        Err(response) => return Served::of(response),
    };
    match path {
        "/alexa" => serve_alexa(host, &settings, request),
        "/media/events" | "/messages" | "/signaling" => serve_signed(host, &settings, request),
        _ => Served::of(health::report(&settings)),
    }
}

/// Serves a request of Alexa whose sender the host has authenticated.
pub fn serve_trusted<H: Host>(host: &H, body: &[u8]) -> Served {
    if body.len() > MAX_BODY {
        return Served::of(Problem::too_long(MAX_BODY).into());
    }
    let settings = match settings(host) {
        Ok(settings) => settings,
        Err(response) => return Served::of(response),
    };
    let deadline = Deadline::within(host, ALEXA_LIMIT);
    let recorder = Recorder::begin(host, None);
    let read = verify::read(host, &settings, body);
    let body = Body::of(body);
    answer(host, &settings, &recorder, read, &body, deadline)
}

fn settings<H: Host>(host: &H) -> Result<Settings, Response> {
    Settings::load(host).map_err(|error| {
        host.log(&error.to_string());
        match error {
            SettingsError::Host(_) => Problem::failed(),
            SettingsError::Missing(_) | SettingsError::Wrong { .. } => Problem::not_configured(),
        }
        .into()
    })
}

fn serve_alexa<H: Host>(host: &H, settings: &Settings, request: &Request) -> Served {
    let deadline = Deadline::within(host, ALEXA_LIMIT);
    let recorder = Recorder::begin(host, request.header("traceparent"));
    let body = Body::of(&request.body);
    let verified = verify::verify(host, settings, &recorder, &request.headers, &body, deadline);
    answer(host, settings, &recorder, verified, &body, deadline)
}

fn answer<H: Host>(
    host: &H,
    settings: &Settings,
    recorder: &Recorder,
    verified: Result<Envelope, Refusal>,
    body: &Body<'_>,
    deadline: Deadline,
) -> Served {
    let (response, courier) = match verified {
        Ok(envelope) => {
            let request_id = &envelope.request.request_id;
            let is_signaling = matches!(envelope.request.kind(), Kind::CallSignaling(name) if signaling::is_known(name));
            let session = signaling::session_of(&envelope.request).filter(|_| is_signaling);
            if let Some(session) = session {
                recorder.signaling(host, &session);
            } else if let Some(csi) = session::client_session_id(&settings.session_key, request_id)
            {
                recorder.within(host, &csi);
            }
            // The code of a grant is a secret.
            let traced: &[u8] = match envelope.request.kind() {
                Kind::AuthorizationGrant => b"",
                _ => body.bytes,
            };
            recorder.alexa_request(&envelope, traced);
            let response = answer_once(host, settings, recorder, &envelope, body, deadline);
            // A repeated request finds its message again if the sidecar does not have it.
            let courier = (is_signaling && response.status == 200)
                .then(|| Courier::new(settings, request_id));
            (response, courier)
        }
        Err(refusal) => {
            host.log(&format!("a request to /alexa was refused: {refusal}"));
            // Nothing of an unverified request goes into a trace: a stranger could fill it.
            return Served::of(Problem::refused(refusal.to_string()).into());
        }
    };
    recorder.response(host, &response);
    Served {
        response,
        aftermath: Aftermath::from(recorder.aftermath(host, settings)).with(courier),
    }
}

fn answer_once<H: Host>(
    host: &H,
    settings: &Settings,
    recorder: &Recorder,
    envelope: &Envelope,
    body: &Body<'_>,
    deadline: Deadline,
) -> Response {
    let id = envelope.request.request_id.as_str();
    let ttl = verify::repeatable_for(settings, envelope);
    let served = once::once(host, id, body, ttl, deadline, || {
        if let Kind::CallSignaling(name) = envelope.request.kind()
            && signaling::is_known(name)
        {
            return signaling::receive(host, settings, recorder, envelope, body.bytes);
        }
        let answered = settings.plan().and_then(|plan| {
            let patient = patient(host, settings, recorder, envelope, &plan);
            let serving = Serving {
                host: &patient,
                settings,
                plan: &plan,
                recorder,
                deadline,
            };
            alexa::answer(&serving, envelope).map_err(|error| error.to_string())
        });
        let body = answered
            .and_then(|answer| serde_json::to_vec(&answer).map_err(|error| error.to_string()));
        match body {
            Ok(body) => Response::json(200, body),
            Err(error) => {
                host.log(&format!("no answer: {error}"));
                Problem::failed().into()
            }
        }
    });
    served.unwrap_or_else(|error| {
        host.log(&format!("no answer: {error}"));
        Problem::failed().into()
    })
}

/// The outside while a request is answered: for launches and intents (facts A5) one that says a word when it takes long.
fn patient<'p, H: Host>(
    host: &'p H,
    settings: &Settings,
    recorder: &'p Recorder,
    envelope: &'p Envelope,
    plan: &Plan<'_>,
) -> Patient<'p, H> {
    let words = match envelope.request.kind() {
        Kind::Launch | Kind::Intent(_) => Api::of(&envelope.context.system, settings)
            .ok()
            .and_then(|api| {
                let speech = Speech::of(plan, envelope).plain(TextKey::OneMoment).ok()?;
                let response = ProgressiveResponse::speak(&envelope.request.request_id, speech);
                Some(Words { api, response })
            }),
        _ => None,
    };
    Patient::new(host, recorder, words)
}

/// Serves what the sidecar, or another media server, has signed.
fn serve_signed<H: Host>(host: &H, settings: &Settings, request: &Request) -> Served {
    let caller = match sidecar_link::verify(host, settings, request) {
        Ok(caller) => caller,
        Err(refusal) => {
            host.log(&format!(
                "a request to {} was refused: {refusal}",
                request.path()
            ));
            return Served::of(Problem::unsigned(refusal.to_string()).into());
        }
    };
    let recorder = Recorder::begin(host, request.header("traceparent"));
    let response = match request.path() {
        "/messages" => {
            let deadline = Deadline::within(host, MESSAGE_LIMIT);
            messages::send(host, settings, &recorder, &request.body, deadline)
        }
        "/signaling" => {
            let deadline = Deadline::within(host, SIGNALING_LIMIT);
            signaling::serve_order(host, settings, &recorder, &request.body, deadline)
        }
        _ => event_reply(host, settings, &recorder, request),
    };
    let response = sidecar_link::signed(host, &caller, response);
    recorder.response(host, &response);
    Served {
        response,
        aftermath: recorder.aftermath(host, settings).into(),
    }
}

fn event_reply<H: Host>(
    host: &H,
    settings: &Settings,
    recorder: &Recorder,
    request: &Request,
) -> Response {
    let event: Event = match serde_json::from_slice(&request.body) {
        Ok(event) => event,
        Err(error) => {
            return Problem::refused(format!(
                "the body is no SIP media application event: {error}"
            ))
            .into();
        }
    };
    recorder.event(&event, &request.body);
    let decided = settings.plan().and_then(|plan| {
        decide(host, settings, recorder, &plan, &event).map_err(|error| error.to_string())
    });
    let body = decided.and_then(|decision| {
        serde_json::to_vec(&decision.reply).map_err(|error| error.to_string())
    });
    match body {
        Ok(body) => Response::json(200, body),
        Err(error) => {
            host.log(&format!("no decision: {error}"));
            Problem::failed().into()
        }
    }
}

/// Decides what a call does next, with what the state knows of its session.
///
/// # Errors
/// When the plan or the event does not serve.
pub fn decide<H: Host>(
    host: &H,
    settings: &Settings,
    recorder: &Recorder,
    plan: &Plan<'_>,
    event: &Event,
) -> Result<flow::Decision, flow::FlowError> {
    if let Some(reply) = custom_flow::ask(host, recorder, event) {
        let csi = flow::csi_of(event);
        if let Some(csi) = &csi {
            if event.invocation_event_type == InvocationEventType::NewInboundCall {
                recall(host, recorder, csi);
            }
            recorder.csi(host, csi);
        }
        return Ok(flow::Decision {
            reply,
            note: custom_flow::DECIDED.to_owned(),
            csi,
            hand_over: None,
        });
    }
    let now_s = i64::try_from(host.now_ms() / 1000).unwrap_or(i64::MAX);
    let mut decision = flow::decide(plan, event, now_s, |csi| recall(host, recorder, csi))?;
    if let Some(csi) = &decision.csi {
        recorder.csi(host, csi);
    }
    recorder.note(host, &decision.note);
    let csi = decision.csi.clone();
    for _ in 0..MAX_HANDLERS {
        let Some(hand_over) = decision.hand_over.take() else {
            break;
        };
        match handler::ask(host, settings, recorder, event, &hand_over) {
            Ok(reply) => decision.reply = hand_over.taken(event, reply),
            Err(why) => {
                recorder.warn(host, &why);
                decision = hand_over.failed(plan, event, now_s, &why)?;
                recorder.note(host, &decision.note);
            }
        }
    }
    Ok(flow::Decision {
        csi,
        hand_over: None,
        ..decision
    })
}

fn recall<H: Host>(host: &H, recorder: &Recorder, csi: &ClientSessionId) -> Option<KnownSession> {
    match session::recall(host, csi) {
        Ok(found) => found.map(|session| {
            recorder.remembered(&session);
            KnownSession {
                destination: session.destination,
                locale: session.locale,
            }
        }),
        Err(error) => {
            host.log(&format!("the session could not be looked up: {error}"));
            None
        }
    }
}

#[cfg(test)]
mod tests;
