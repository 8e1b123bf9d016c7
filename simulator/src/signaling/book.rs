//! All sessions: what comes, what follows of it, and their clocks.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use skillcall_protocol::ids::SessionId;
use skillcall_protocol::signaling::{
    CallResult, Message, Operation, OperationName, Participant, RenegotiationKind, ResultCode,
    SdpDetails,
};
use tokio::sync::{mpsc, watch};

use super::endpoint::{Endpoint, Leg};
use super::live::{Live, outcome, refusal};
use super::session::{Act, Direction, Effect, EndedBy, Session, State};
use super::view::SessionView;
use super::{Habits, Refused};
use crate::alexa::lock;
use crate::customer::Customer;

/// Sessions remembered at once; of those that are over the oldest is forgotten first.
const MAX_SESSIONS: usize = 4096;

/// Why a session does not do what it was told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// There is none.
    #[error("there is no session {0:?}")]
    NoSuchSession(String),
    /// There is no such device.
    #[error("there is no device {0:?}")]
    NoSuchDevice(String),
    /// Not now.
    #[error("not now: {0}")]
    NotNow(String),
    /// The order breaks a rule.
    #[error("{0}")]
    Invalid(String),
    /// The device has no description to give.
    #[error("the device: {0}")]
    Device(String),
    /// Too many sessions at once.
    #[error("more than {MAX_SESSIONS} sessions at once")]
    TooMany,
}

#[derive(Debug, Default)]
struct Sessions {
    live: BTreeMap<String, Live>,
    order: VecDeque<String>,
}

/// All sessions.
#[derive(Debug)]
pub(crate) struct Book {
    sessions: Mutex<Sessions>,
    endpoint: Mutex<Arc<dyn Endpoint>>,
    habits: Mutex<Habits>,
    /// Grows with each change.
    changes: watch::Sender<u64>,
}

/// A session to begin.
pub(crate) struct Begin {
    pub(crate) id: SessionId,
    pub(crate) customer: Customer,
    pub(crate) participants: Vec<Participant>,
    /// Of a call from the device the offer in place of its own; of a call to it the offer.
    pub(crate) offer: Option<String>,
}

impl Book {
    pub(crate) fn new(endpoint: Arc<dyn Endpoint>, habits: Habits) -> Self {
        Self {
            sessions: Mutex::default(),
            endpoint: Mutex::new(endpoint),
            habits: Mutex::new(habits),
            changes: watch::Sender::new(0),
        }
    }

    pub(crate) fn set_endpoint(&self, endpoint: Arc<dyn Endpoint>) {
        *lock(&self.endpoint) = endpoint;
    }

    pub(crate) fn change_habits(&self, change: impl FnOnce(&mut Habits)) {
        change(&mut lock(&self.habits));
    }

    pub(crate) fn habits(&self) -> Habits {
        lock(&self.habits).clone()
    }

    fn changed(&self) {
        self.changes
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Told at each change.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Begins a call of a device. What goes to the skill comes out of the receiver.
    pub(crate) fn begin_outbound(
        &self,
        begin: Begin,
    ) -> Result<mpsc::UnboundedReceiver<Operation>, SessionError> {
        let Begin {
            id,
            customer,
            participants,
            offer,
        } = begin;
        let mut leg = self.leg(&id, &customer, &participants);
        let offer = match offer {
            Some(offer) => offer,
            None => leg.offer(None).map_err(SessionError::Device)?,
        };
        let operation = Operation::InitiateOutboundCall {
            participants: participants.clone(),
            sdp: SdpDetails::offer(offer),
        };
        Message::new(id.clone(), operation.clone())
            .validate()
            .map_err(|error| SessionError::Invalid(error.to_string()))?;
        let (outbox, messages) = mpsc::unbounded_channel();
        let session = Session::outbound(Instant::now(), &self.habits());
        // The receiver is at hand, so it is not closed.
        let _ = outbox.send(operation);
        self.add(Live {
            id,
            customer,
            participants,
            session,
            leg,
            outbox,
            passed: Vec::new(),
        })?;
        Ok(messages)
    }

    /// Begins a call to a device.
    pub(crate) fn begin_inbound(
        &self,
        begin: Begin,
    ) -> Result<mpsc::UnboundedReceiver<Operation>, SessionError> {
        let Begin {
            id,
            customer,
            participants,
            offer,
        } = begin;
        let is_busy = lock(&self.sessions).live.values().any(|live| {
            live.customer.device_id == customer.device_id && live.session.state != State::Ended
        });
        let mut leg = self.leg(&id, &customer, &participants);
        let answer = if is_busy {
            Err((ResultCode::DeviceBusy, "the device has a call".to_owned()))
        } else {
            leg.answer(&offer.unwrap_or_default(), None)
                .map_err(|why| (ResultCode::InternalError, why))
        };
        let (outbox, messages) = mpsc::unbounded_channel();
        let (answer, failure) = match answer {
            Ok(answer) => (answer, None),
            Err(failure) => (None, Some(failure)),
        };
        let (session, effects) = Session::inbound(Instant::now(), &self.habits(), answer);
        let key = id.as_str().to_owned();
        self.add(Live {
            id,
            customer,
            participants,
            session,
            leg,
            outbox,
            passed: Vec::new(),
        })?;
        match failure {
            Some((code, why)) => {
                let end = Act::End(EndedBy::Device, CallResult::new(code, why));
                // It was begun just now, so it can end.
                let _ = self.act(&key, |_, _| Ok(end));
            }
            None => self.follow(&key, effects),
        }
        Ok(messages)
    }

    fn leg(&self, id: &SessionId, customer: &Customer, people: &[Participant]) -> Box<dyn Leg> {
        lock(&self.endpoint).leg(id.as_str(), &customer.device_id, people)
    }

    fn add(&self, live: Live) -> Result<(), SessionError> {
        let key = live.id.as_str().to_owned();
        let mut sessions = lock(&self.sessions);
        if sessions.live.len() >= MAX_SESSIONS {
            let over = sessions.order.iter().position(|id| {
                sessions
                    .live
                    .get(id)
                    .is_none_or(|live| live.session.state == State::Ended)
            });
            let oldest = over.and_then(|at| sessions.order.remove(at));
            let oldest = oldest.ok_or(SessionError::TooMany)?;
            sessions.live.remove(&oldest);
        }
        sessions.order.push_back(key.clone());
        sessions.live.insert(key, live);
        drop(sessions);
        self.changed();
        Ok(())
    }

    /// Whose session it is, and how far; none when nobody knows it.
    pub(crate) fn owner(&self, id: &str) -> Option<(Customer, State)> {
        let sessions = lock(&self.sessions);
        let live = sessions.live.get(id)?;
        Some((live.customer.clone(), live.session.state))
    }

    /// A message of the skill's side.
    pub(crate) fn message(&self, message: &Message) -> Result<(), Refused> {
        let habits = self.habits();
        let key = message.session_id.as_str();
        let effects = {
            let mut sessions = lock(&self.sessions);
            let Some(live) = sessions.live.get_mut(key) else {
                return Err(Refused::new(
                    skillcall_protocol::signaling::SignalingException::ResourceNotFound,
                    "there is no such session",
                ));
            };
            let taken = live
                .session
                .message(&message.operation, Instant::now(), &habits);
            live.note("skill", message.operation.name(), outcome(&taken));
            taken?
        };
        self.follow(key, effects);
        Ok(())
    }

    /// A message of the skill's side that was refused before the session saw it.
    pub(crate) fn refused(&self, key: &str, operation: OperationName, refused: &Refused) {
        if let Some(live) = lock(&self.sessions).live.get_mut(key) {
            live.note("skill", operation, refusal(refused));
        }
        self.changed();
    }

    /// A message of ours went out, or not.
    pub(super) fn sent(&self, key: &str, operation: OperationName, outcome: String) {
        if let Some(live) = lock(&self.sessions).live.get_mut(key) {
            live.session.delivered(operation);
            live.note("alexa", operation, outcome);
        }
        self.changed();
    }

    /// The skill has refused the beginning of a call.
    pub(super) fn fail(&self, key: &str, why: &str) {
        let result = CallResult::new(ResultCode::InternalError, why);
        // It may be over already.
        let _ = self.act(key, |_, _| Ok(Act::End(EndedBy::Failure, result)));
    }

    /// The device does something.
    pub(crate) fn device(&self, key: &str, wanted: Wanted) -> Result<(), SessionError> {
        self.act(key, |leg, direction| {
            Ok(match wanted {
                Wanted::Accept(answer) => Act::Accept(answer),
                Wanted::Respond(answer) => Act::Answer(answer),
                Wanted::Decline => Act::End(
                    EndedBy::Device,
                    CallResult::new(ResultCode::DeviceBusy, "declined"),
                ),
                Wanted::HangUp => {
                    let who = match direction {
                        Direction::Outbound => "the caller hung up",
                        Direction::Inbound => "the callee hung up",
                    };
                    Act::End(EndedBy::Device, CallResult::new(ResultCode::Success, who))
                }
                Wanted::Offer(kind, Some(offer)) => Act::Offer(kind, offer),
                Wanted::Offer(kind, None) => {
                    let offer = leg.offer(Some(&kind)).map_err(SessionError::Device)?;
                    Act::Offer(kind, offer)
                }
            })
        })
    }

    fn act(
        &self,
        key: &str,
        act: impl FnOnce(&mut dyn Leg, Direction) -> Result<Act, SessionError>,
    ) -> Result<(), SessionError> {
        let habits = self.habits();
        let effects = {
            let mut sessions = lock(&self.sessions);
            let Some(live) = sessions.live.get_mut(key) else {
                return Err(SessionError::NoSuchSession(key.to_owned()));
            };
            let act = act(live.leg.as_mut(), live.session.direction)?;
            live.session
                .act(act, Instant::now(), &habits)
                .map_err(|why| SessionError::NotNow(why.to_owned()))?
        };
        self.follow(key, effects);
        Ok(())
    }

    /// When a session's time has something to say; none when it is over.
    pub(super) fn due(&self, key: &str) -> Option<Option<Instant>> {
        let sessions = lock(&self.sessions);
        let live = sessions.live.get(key)?;
        (live.session.state != State::Ended).then(|| live.session.due())
    }

    /// Time has passed.
    pub(super) fn tick(&self, key: &str) {
        let habits = self.habits();
        let effects = match lock(&self.sessions).live.get_mut(key) {
            Some(live) => live.session.tick(Instant::now(), &habits),
            None => return,
        };
        self.follow(key, effects);
    }

    fn follow(&self, key: &str, effects: Vec<Effect>) {
        let habits = self.habits();
        {
            let mut sessions = lock(&self.sessions);
            let Some(live) = sessions.live.get_mut(key) else {
                return;
            };
            let mut effects = VecDeque::from(effects);
            while let Some(effect) = effects.pop_front() {
                effects.extend(live.follow(effect, &habits));
            }
        }
        self.changed();
    }

    pub(crate) fn get(&self, key: &str) -> Option<SessionView> {
        lock(&self.sessions).live.get(key).map(Live::view)
    }

    /// All sessions, oldest first.
    pub(crate) fn all(&self) -> Vec<SessionView> {
        let sessions = lock(&self.sessions);
        sessions
            .order
            .iter()
            .filter_map(|id| sessions.live.get(id))
            .map(Live::view)
            .collect()
    }

    /// Waits until `wanted` finds something in the sessions.
    pub(crate) async fn wait_for<T>(
        &self,
        mut wanted: impl FnMut(&[SessionView]) -> Option<T>,
    ) -> Option<T> {
        let mut changes = self.changes();
        loop {
            changes.borrow_and_update();
            if let Some(found) = wanted(&self.all()) {
                return Some(found);
            }
            // An error says that the book is gone.
            changes.changed().await.ok()?;
        }
    }
}

/// What a device is told to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Wanted {
    Accept(Option<String>),
    /// The answer to the offer that the device was given.
    Respond(String),
    Decline,
    HangUp,
    Offer(RenegotiationKind, Option<String>),
}
