//! StartCommunicationSession, and what is remembered of a session until its call comes in (facts D).

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use skillcall_protocol::communication::{
    CommunicationError, ErrorCode, PATH, SessionStarted, StartSession,
};
use skillcall_protocol::ids::{ClientSessionId, RequestId, SessionId};

use crate::caller::Api;
use crate::host::{Deadline, Host, HostError, OutboundRequest};
use crate::once::Table;
use crate::trace::Recorder;

/// The sessions, by their `clientSessionId`.
const SESSIONS: Table = Table {
    name: "session",
    slots: 16_384,
};
/// How long a call may take to come in, and to be asked about.
const REMEMBERED_S: u32 = 3600;
const LIMIT: Duration = Duration::from_millis(3000);
const MAX_REPLY: usize = 16 * 1024;
/// The pauses before a request is sent again (our choice).
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_millis(750)];
/// A request that has less time than this is not sent again.
const WORTHWHILE: Duration = Duration::from_millis(500);

/// What is remembered of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The destination's id in the plan.
    pub destination: String,
    /// The locale in which the customer spoke.
    pub locale: String,
    /// The request that began it.
    pub request: String,
    /// Alexa's id of the session, once it is known.
    pub session: Option<String>,
}

/// The `clientSessionId` of a request: an HMAC of its id, so that a repetition carries the same one and nobody else
/// can tell it beforehand.
#[must_use]
pub fn client_session_id(key: &[u8], request: &RequestId) -> Option<ClientSessionId> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(b"skillcall-csi\n");
    mac.update(request.as_str().as_bytes());
    ClientSessionId::parse(hex::encode(mac.finalize().into_bytes())).ok()
}

/// Remembers a session.
///
/// # Errors
/// When the state cannot be reached.
pub fn remember<H: Host>(
    host: &H,
    csi: &ClientSessionId,
    session: &Session,
) -> Result<(), HostError> {
    let bytes =
        postcard::to_allocvec(session).map_err(|error| HostError(format!("session: {error}")))?;
    SESSIONS.put(host, csi.as_str(), &bytes, REMEMBERED_S)
}

/// What is remembered of a session.
///
/// # Errors
/// When the state cannot be reached.
pub fn recall<H: Host>(host: &H, csi: &ClientSessionId) -> Result<Option<Session>, HostError> {
    let entry = SESSIONS.find(host, csi.as_str())?;
    Ok(entry.and_then(|entry| postcard::from_bytes(&entry.value).ok()))
}

/// Why there is no session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// Alexa refused it (facts D2).
    #[error("StartCommunicationSession was refused with {status} {}: {message}", .code.as_str())]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The code.
        code: ErrorCode,
        /// Alexa's words.
        message: String,
    },
    /// No answer, or none that can be read. The call may come in all the same.
    #[error("StartCommunicationSession: {0}")]
    Unknown(String),
}

/// Starts a session. If it was throttled (429), or it is not known what became of it (500, no answer), it is sent again as long
/// as there is time, at most twice, with the same `clientSessionId`, of which one call comes.
///
/// # Errors
/// What Alexa answers (facts D2), or that it does not.
pub fn start<H: Host>(
    host: &H,
    recorder: &Recorder,
    api: &Api<'_>,
    start: &StartSession,
    deadline: Deadline,
) -> Result<SessionId, StartError> {
    let body = serde_json::to_vec(start).map_err(|error| StartError::Unknown(error.to_string()))?;
    let mut pauses = PAUSES.iter();
    loop {
        let request = OutboundRequest {
            method: "POST",
            url: format!("{}{PATH}", api.origin),
            headers: vec![
                api.authorization(),
                ("content-type", "application/json".to_owned()),
            ],
            body: body.clone(),
            timeout: deadline.at_most(host, LIMIT),
            max_reply: MAX_REPLY,
        };
        let (error, wanted) = match attempt(host, recorder, request) {
            Ok(started) => return Ok(started),
            Err((error, wanted)) => (error, wanted),
        };
        let repeatable = match &error {
            StartError::Refused { status, .. } => *status == 429 || *status >= 500,
            StartError::Unknown(_) => true,
        };
        let Some(pause) = pauses.next().filter(|_| repeatable) else {
            return Err(error);
        };
        let pause = wanted.unwrap_or(*pause).max(*pause);
        if deadline.left(host) < pause + WORTHWHILE {
            return Err(error);
        }
        host.sleep(pause);
    }
}

/// One request; with a failure, the pause that Alexa asks for.
fn attempt<H: Host>(
    host: &H,
    recorder: &Recorder,
    request: OutboundRequest,
) -> Result<SessionId, (StartError, Option<Duration>)> {
    let reply = recorder
        .send(host, request)
        .map_err(|error| (StartError::Unknown(error.to_string()), None))?;
    match reply.status {
        200..=299 => serde_json::from_slice::<SessionStarted>(&reply.body)
            .map(|started| started.session_id)
            .map_err(|error| {
                let why = format!("its answer cannot be read: {error}");
                (StartError::Unknown(why), None)
            }),
        status => {
            let error = CommunicationError::read(status, &reply.body);
            let wanted = reply
                .header("retry-after")
                .and_then(|seconds| seconds.trim().parse().ok())
                .map(Duration::from_secs);
            let refused = StartError::Refused {
                status,
                code: error.code,
                message: error.message,
            };
            Err((refused, wanted))
        }
    }
}
