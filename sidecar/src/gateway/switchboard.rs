//! What all calls of the gateway share: the way to Alexa, and what was seen before.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use skillcall_protocol::ids::{SessionId, UserId};
use skillcall_protocol::signaling::{self, Message, Operation, Order};
use skillcall_protocol::signing::KeyRing;

use super::event::{Action, Input};
use super::exceptions::Outcome;
use super::seen::Seen;
use super::session::Session;
use super::timers::Times;
use crate::applications::Application;
use crate::config::{GatewayConfig, Secrets};
use crate::figures::{Figures, count};
use crate::handler::{Component, HandlerError, parse_keys};
use crate::journal::{Journal, LeftSession};
use crate::trace::{CallIds, TraceSink};

/// What the sessionIds of calls to devices begin with; the worker's number follows.
const OURS: &str = "skillcall-w";

/// Whose a session is for Alexa.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    /// Whose token is used.
    pub(crate) user: UserId,
    /// Where the region has its APIs, if that is known.
    pub(crate) api_endpoint: Option<String>,
}

/// The gateway's shared part.
pub(crate) struct Switchboard {
    component: Component,
    seen: Mutex<Seen>,
    pub(crate) times: Times,
    /// What stands where calls have their application.
    pub(crate) application: Arc<Application>,
    journal: Journal,
    trace: TraceSink,
    figures: Arc<Figures>,
}

impl Switchboard {
    /// The gateway of a configuration that has one.
    ///
    /// # Errors
    /// The keys are unusable, or there is no HTTP client.
    pub(crate) fn new(
        config: &GatewayConfig,
        secrets: &Secrets,
        application: Arc<Application>,
        journal: Journal,
        trace: TraceSink,
        figures: Arc<Figures>,
    ) -> Result<Option<Self>, HandlerError> {
        let Some(origin) = &config.skill else {
            return Ok(None);
        };
        let keys = secrets.gateway_keys.as_deref().unwrap_or_default();
        let keys = parse_keys(keys).map_err(|problem| HandlerError::Keys {
            id: "gateway".to_owned(),
            problem,
        })?;
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        Ok(Some(Self {
            component: Component::new(origin, keys, config.require_signed_replies)?,
            seen: Mutex::default(),
            times: Times {
                ring: seconds(config.ring_seconds),
                react: seconds(config.react_seconds),
                ack: seconds(config.ack_seconds),
                connect: seconds(config.connect_seconds),
                silence: seconds(config.silence_seconds),
                session: seconds(config.session_seconds),
                ..Times::default()
            },
            application,
            journal,
            trace,
            figures,
        }))
    }

    /// The keys that the component's messages are signed with.
    pub(crate) fn keys(&self) -> Option<&KeyRing> {
        self.component.keys()
    }

    /// What was seen before.
    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The worker, of so many, that has a session.
    pub(crate) fn worker_of(session: &SessionId, workers: usize) -> usize {
        let ours = session.as_str().strip_prefix(OURS);
        let number = ours.and_then(|rest| rest.split('-').next()?.parse().ok());
        match number {
            Some(worker) if worker < workers => worker,
            _ => {
                let mut hasher = DefaultHasher::new();
                session.as_str().hash(&mut hasher);
                usize::try_from(hasher.finish() % workers.max(1) as u64).unwrap_or(0)
            }
        }
    }

    /// A new sessionId of a worker's.
    pub(crate) fn new_session(worker: usize) -> Option<SessionId> {
        SessionId::parse(format!("{OURS}{worker}-{}", uuid::Uuid::new_v4())).ok()
    }

    /// Says something to Alexa, once.
    pub(crate) async fn post(
        &self,
        ids: &Arc<CallIds>,
        account: &Account,
        session: &SessionId,
        operation: Operation,
    ) -> Outcome {
        let name = operation.name();
        let order = Order {
            account: account.user.clone(),
            api_endpoint: account.api_endpoint.clone(),
            message: Message::new(session.clone(), operation),
        };
        let unreachable = |reason: String| Outcome::Unreachable { reason };
        let body = match serde_json::to_vec(&order) {
            Ok(body) => body,
            // It breaks a rule of the interface: no repetition helps.
            Err(error) => {
                let mut refused = signaling::Outcome::taken(400);
                refused.exception = Some("InvalidInputException".to_owned());
                refused.message = Some(error.to_string());
                return Outcome::Answered(refused);
            }
        };
        let began = Instant::now();
        let outcome = match self.component.post(ids, body).await {
            Ok((200, reply)) => match serde_json::from_slice(&reply) {
                Ok(outcome) => Outcome::Answered(outcome),
                Err(error) => unreachable(format!("the component's answer: {error}")),
            },
            Ok((status, reply)) => {
                let told = String::from_utf8_lossy(reply.get(..300).unwrap_or(&reply)).into_owned();
                unreachable(format!("the component answered {status}: {told}"))
            }
            Err(reason) => unreachable(reason),
        };
        let (problem, what) = match &outcome {
            Outcome::Answered(answer) => (!answer.is_success(), answer.status.to_string()),
            Outcome::Unreachable { reason } => (true, reason.clone()),
        };
        if problem {
            count(&self.figures.signaling_failures);
        }
        count(&self.figures.signaling_sent);
        let text = format!(
            "to Alexa: {name}: {what}, {} ms",
            began.elapsed().as_millis()
        );
        self.trace.note(ids, problem, &text);
        outcome
    }

    /// Tells Alexa of the end of a call that no worker has, or has any more.
    pub(crate) async fn farewell(
        &self,
        ids: Arc<CallIds>,
        account: Account,
        session_id: SessionId,
        why: &str,
    ) {
        self.seen().over(session_id.as_str());
        let mut session = Session::lost(why, self.times.clone(), Instant::now());
        loop {
            let now = Instant::now();
            match session.poll(now) {
                Some(Action::Post(post)) => {
                    let outcome = self.post(&ids, &account, &session_id, post.operation);
                    let outcome = outcome.await;
                    let number = post.number;
                    session.handle(Input::Posted { number, outcome }, Instant::now());
                }
                Some(Action::Note { problem, text }) => self.trace.note(&ids, problem, &text),
                Some(Action::End) => break,
                Some(_) => {}
                None => {
                    let due = session.deadline().unwrap_or(now);
                    tokio::time::sleep_until(due.into()).await;
                    session.handle_timeout(Instant::now());
                }
            }
        }
        self.journal.ended(session_id.as_str());
    }

    /// Ends what an earlier process has left.
    pub(crate) fn take_leave(self: &Arc<Self>, left: Vec<LeftSession>) {
        for call in &left {
            self.seen().over(&call.session);
        }
        for call in left {
            let (Ok(session), Ok(user)) = (
                SessionId::parse(call.session.clone()),
                UserId::parse(call.account),
            ) else {
                self.journal.ended(&call.session);
                continue;
            };
            let ids = Arc::new(CallIds::new(call.session, None, true));
            let told = "the sidecar was restarted: the call that it left is ended";
            self.trace.note(&ids, true, told);
            let account = Account {
                user,
                api_endpoint: call.api_endpoint,
            };
            let this = Arc::clone(self);
            tokio::spawn(async move {
                let why = "the gateway was restarted";
                this.farewell(ids, account, session, why).await;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_lead_to_their_workers() {
        for worker in [0, 3, 17] {
            let session = Switchboard::new_session(worker).unwrap();
            assert_eq!(Switchboard::worker_of(&session, 18), worker);
            assert!(Switchboard::worker_of(&session, 2) < 2);
        }
        let theirs = SessionId::parse("s-77").unwrap();
        let worker = Switchboard::worker_of(&theirs, 4);
        assert!(worker < 4);
        assert_eq!(Switchboard::worker_of(&theirs, 4), worker);
    }
}
