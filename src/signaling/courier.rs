//! Forwards a message to the sidecar once Alexa has its answer: until it is acknowledged, or the instance must end.

use std::time::Duration;

use skillcall_protocol::ids::RequestId;
use skillcall_protocol::signaling::{
    CallResult, FORWARD_PATH, Forward, Message, Operation, ResultCode,
};
use skillcall_protocol::signing::RequestParts;
use skillcall_protocol::traceparent::TRACEPARENT;

use super::deliver::deliver;
use super::kept::{self, Kept};
use crate::host::{Deadline, Host, OutboundRequest};
use crate::settings::Settings;
use crate::sidecar_link;
use crate::trace::{Recorder, Records};

/// One try.
const LIMIT: Duration = Duration::from_millis(2000);
/// The first pause; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(1600);
/// How long it is tried to begin a call: somebody hears nothing meanwhile (our choice).
const BEGINNING: Duration = Duration::from_secs(8);
/// How long any other message is tried. A host gives an instance half a minute after its reply.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long anything may take where the reply waits for it (`skillcall:skill/skill-requests`).
const BEFORE_REPLY: Duration = Duration::from_secs(2);
/// What the end of a call that nobody takes may cost.
const ENDING: Duration = Duration::from_millis(5000);
const ENDING_BEFORE_REPLY: Duration = Duration::from_millis(2500);

/// A message on its way to the sidecar.
pub(crate) struct Courier {
    settings: Settings,
    request_id: RequestId,
}

/// Why the sidecar has not taken a message.
enum Failure {
    /// It never will.
    Never(String),
    /// It may later.
    Later(String),
}

impl Courier {
    /// The courier of a request's message. A repeated request has one too: what the sidecar has is not sent again.
    pub(crate) fn new(settings: &Settings, request_id: &RequestId) -> Self {
        Self {
            settings: settings.clone(),
            request_id: request_id.clone(),
        }
    }

    /// Forwards the message. `reply_waits` says that nobody has the reply yet. Answers with the records of what was said to
    /// Alexa, if anything was.
    pub(crate) fn run<H: Host>(&self, host: &H, reply_waits: bool) -> Records {
        let kept = match kept::find(host, &self.request_id) {
            Ok(Some(kept)) => kept,
            Ok(None) => return Records::default(),
            Err(error) => {
                host.log(&format!(
                    "signaling: the stored message cannot be read: {error}"
                ));
                return Records::default();
            }
        };
        let Some(forward) = kept::read(&kept.body) else {
            host.log("signaling: the stored message is another version's, and is forgotten");
            self.forget(host, &kept);
            return Records::default();
        };
        let recorder = Recorder::begin(host, None);
        recorder.signaling(host, &forward.message.session_id);
        let begins = matches!(
            forward.message.operation,
            Operation::InitiateOutboundCall { .. }
        );
        let patience = match (reply_waits, begins) {
            (true, _) => BEFORE_REPLY,
            (false, true) => BEGINNING,
            (false, false) => PATIENCE,
        };
        match self.forward(host, &recorder, &kept, Deadline::within(host, patience)) {
            Ok(()) => self.forget(host, &kept),
            Err(failure) => {
                let (Failure::Never(why) | Failure::Later(why)) = &failure;
                let name = forward.message.operation.name();
                recorder.warn(host, &format!("the sidecar has not taken {name}: {why}"));
                if begins {
                    let limit = if reply_waits {
                        ENDING_BEFORE_REPLY
                    } else {
                        ENDING
                    };
                    end(host, &self.settings, &recorder, &forward, limit);
                }
                // What may be taken later stays, for when Alexa repeats its request.
                if begins || matches!(failure, Failure::Never(_)) {
                    self.forget(host, &kept);
                }
            }
        }
        recorder.aftermath(host, &self.settings)
    }

    fn forget<H: Host>(&self, host: &H, kept: &Kept) {
        if let Err(error) = kept.forget(host) {
            host.log(&format!(
                "signaling: a message that is done with stays in the state: {error}"
            ));
        }
    }

    fn forward<H: Host>(
        &self,
        host: &H,
        recorder: &Recorder,
        kept: &Kept,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let mut pause = FIRST_PAUSE;
        loop {
            let why = match self.once(host, recorder, &kept.body, deadline) {
                Err(Failure::Later(why)) => why,
                done => return done,
            };
            if deadline.left(host) <= pause {
                return Err(Failure::Later(why));
            }
            host.sleep(pause);
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }

    fn once<H: Host>(
        &self,
        host: &H,
        recorder: &Recorder,
        body: &[u8],
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let Some(url) = &self.settings.sidecar_url else {
            return Err(Failure::Never("sidecar_url is not set".to_owned()));
        };
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            (TRACEPARENT, recorder.traceparent(host)),
        ];
        headers.extend(sidecar_link::sign(
            host,
            &self.settings.sidecar_keys,
            RequestParts {
                method: "POST",
                path_and_query: FORWARD_PATH,
                body,
            },
        ));
        let request = OutboundRequest {
            method: "POST",
            url: format!("{url}{FORWARD_PATH}"),
            headers,
            body: body.to_vec(),
            timeout: deadline.at_most(host, LIMIT),
            max_reply: 16 * 1024,
        };
        match host.send(&request) {
            Ok(reply) if (200..300).contains(&reply.status) => Ok(()),
            Ok(reply) => {
                let why = format!("it answered {}", reply.status);
                Err(match reply.status {
                    // Keys may be in change, the sidecar may be another version's, or busy.
                    401 | 404 | 408 | 425 | 429 | 500.. => Failure::Later(why),
                    _ => Failure::Never(why),
                })
            }
            Err(error) => Err(Failure::Later(error.to_string())),
        }
    }
}

/// Ends a call that nobody takes.
fn end<H: Host>(
    host: &H,
    settings: &Settings,
    recorder: &Recorder,
    forward: &Forward,
    limit: Duration,
) {
    let result = CallResult::new(ResultCode::InternalError, "the call cannot be served now");
    let message = Message::new(
        forward.message.session_id.clone(),
        Operation::CallEnded { result },
    );
    let deadline = Deadline::within(host, limit);
    let outcome = deliver(
        host,
        settings,
        recorder,
        &forward.account,
        &forward.api_endpoint,
        &message,
        deadline,
    );
    match outcome {
        Ok(outcome) if outcome.is_success() => {
            recorder.note(host, "the call was ended, as nobody could take it");
        }
        Ok(outcome) => recorder.warn(
            host,
            &format!(
                "Alexa refused the end of the call with {} {}",
                outcome.status,
                outcome.exception.unwrap_or_default()
            ),
        ),
        Err(error) => recorder.warn(host, &format!("the call could not be ended: {error}")),
    }
}
