//! One session: which message may come when, and what follows of it.

use std::time::Instant;

use serde::Serialize;
use skillcall_protocol::signaling::{
    CallResult, Operation, OperationName, RenegotiationKind, ResultCode, SdpDetails,
    SignalingException,
};

use super::{Habits, Refused};

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// The device: InitiateOutboundCall.
    Outbound,
    /// The skill's side: InitiateInboundCall.
    Inbound,
}

/// How far a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It was begun.
    Started,
    /// The callee rings.
    Ringing,
    /// There is early media.
    InProgress,
    /// The callee has accepted.
    Accepted,
    /// It is over.
    Ended,
}

/// Who ended a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndedBy {
    /// The device.
    Device,
    /// The skill's side.
    Skill,
    /// A time limit of the service.
    Time,
    /// A failure of the service or the device.
    Failure,
}

/// What follows of an event.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Effect {
    /// A message to the skill.
    Send(Operation),
    /// The device hears ringing.
    Ringing,
    /// The device takes an answer.
    TakeAnswer(String),
    /// The device answers an offer for a renegotiation.
    AnswerOffer(RenegotiationKind, String),
    /// The device's call is accepted.
    Accepted,
    /// The device's call is over.
    Ended(CallResult),
}

/// What the device does.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Act {
    /// It accepts a call to it, with its answer unless it has given it.
    Accept(Option<String>),
    /// It offers anew.
    Offer(RenegotiationKind, String),
    /// It answers the new offer that it was given.
    Answer(String),
    /// It ends the call.
    End(EndedBy, CallResult),
}

/// A new offer that is not settled.
#[derive(Debug, Clone, PartialEq)]
enum Renegotiation {
    /// Alexa has sent CallUpdate.
    ByAlexa(RenegotiationKind),
    /// The skill has sent CallUpdate.
    BySkill(RenegotiationKind),
}

/// A session, for which no clock runs but the one that is passed in.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) direction: Direction,
    pub(super) state: State,
    /// The device's answer, of a call to it.
    own_answer: Option<String>,
    /// The skill's side's answer, of a call from the device.
    answer: Option<String>,
    /// The device's answer has gone to the skill.
    answer_sent: bool,
    /// The device accepts as soon as it may.
    wants_accept: bool,
    renegotiation: Option<Renegotiation>,
    /// The acknowledgement that the skill's side owes, and until when.
    owed: Option<(OperationName, Instant)>,
    /// The acknowledgement that is on its way to the skill: a repetition clashes with it.
    acknowledging: Option<OperationName>,
    /// Until when the callee may ring, or the skill's side begin to.
    setup: Option<Instant>,
    /// When the device accepts by itself.
    accepts_at: Option<Instant>,
    /// Until when a new offer must be answered.
    update: Option<Instant>,
    pub(super) held: bool,
    pub(super) result: Option<(EndedBy, CallResult)>,
}

type Effects = Result<Vec<Effect>, Refused>;

impl Session {
    /// A call of the device's: InitiateOutboundCall goes out with it.
    pub(super) fn outbound(now: Instant, habits: &Habits) -> Self {
        Self {
            setup: Some(now + habits.start()),
            ..Self::new(Direction::Outbound, State::Started)
        }
    }

    /// A call to the device, which has this answer, or gives it when it accepts.
    pub(super) fn inbound(
        now: Instant,
        habits: &Habits,
        answer: Option<String>,
    ) -> (Self, Vec<Effect>) {
        let session = Self {
            own_answer: answer,
            setup: Some(now + habits.ring()),
            owed: Some((OperationName::CallRingingAck, now + habits.ack())),
            ..Self::new(Direction::Inbound, State::Ringing)
        };
        (session, vec![Effect::Send(Operation::CallRinging)])
    }

    fn new(direction: Direction, state: State) -> Self {
        Self {
            direction,
            state,
            own_answer: None,
            answer: None,
            answer_sent: false,
            wants_accept: false,
            renegotiation: None,
            owed: None,
            acknowledging: None,
            setup: None,
            accepts_at: None,
            update: None,
            held: false,
            result: None,
        }
    }

    /// A message of the skill's side.
    pub(super) fn message(
        &mut self,
        operation: &Operation,
        now: Instant,
        habits: &Habits,
    ) -> Effects {
        let name = operation.name();
        if self.state == State::Ended {
            return Err(Refused::new(
                SignalingException::InvalidCallState,
                "the call is over",
            ));
        }
        if let Operation::CallEnded { result } = operation {
            return Ok(self.end(EndedBy::Skill, result.clone()));
        }
        if self.acknowledging.is_some() && self.acknowledging == name.acknowledgement() {
            return Err(Refused::new(
                SignalingException::ResourceConflict,
                format!("another {name} of this session is being processed"),
            ));
        }
        match operation {
            Operation::CallRinging if self.is(Direction::Outbound, State::Started) => {
                self.state = State::Ringing;
                self.setup = Some(now + habits.ring());
                Ok(self.acknowledge(name, vec![Effect::Ringing]))
            }
            Operation::CallInProgress { sdp } if self.is(Direction::Outbound, State::Ringing) => {
                self.state = State::InProgress;
                self.answer = Some(sdp.value.clone());
                let effects = vec![Effect::TakeAnswer(sdp.value.clone())];
                Ok(self.acknowledge(name, effects))
            }
            Operation::CallAccepted { sdp }
                if self.is(Direction::Outbound, State::Ringing)
                    || self.is(Direction::Outbound, State::InProgress) =>
            {
                self.accepted(sdp.as_ref(), name)
            }
            Operation::CallUpdate { kind, sdp } if self.state == State::Accepted => {
                if self.renegotiation.is_some() {
                    return Err(Refused::new(
                        SignalingException::ResourceConflict,
                        "another CallUpdate of this session is not settled",
                    ));
                }
                self.renegotiation = Some(Renegotiation::BySkill(kind.clone()));
                Ok(vec![Effect::AnswerOffer(kind.clone(), sdp.value.clone())])
            }
            Operation::CallUpdateResponse { kind, sdp } => self.update_answered(kind, sdp),
            _ if self.owed.as_ref().is_some_and(|(owed, _)| *owed == name) => {
                self.owed = None;
                if name == OperationName::CallUpdateAck {
                    self.renegotiation = None;
                }
                Ok(self.go_on(now, habits))
            }
            _ => Err(self.out_of_turn(name)),
        }
    }

    fn is(&self, direction: Direction, state: State) -> bool {
        (self.direction, self.state) == (direction, state)
    }

    fn out_of_turn(&self, name: OperationName) -> Refused {
        Refused::new(
            SignalingException::InvalidCallState,
            format!(
                "{name} may not come now: the call is {:?}, {:?}",
                self.direction, self.state
            ),
        )
    }

    /// CallAccepted of a call from the device: the answer is in it, or was in CallInProgress, and is one and the same.
    fn accepted(&mut self, sdp: Option<&SdpDetails>, name: OperationName) -> Effects {
        let mut effects = Vec::new();
        match (&self.answer, sdp) {
            (None, None) => {
                return Err(Refused::new(
                    SignalingException::InvalidInput,
                    "sdpDetails is missing, and there was no CallInProgress",
                ));
            }
            (Some(known), Some(sdp)) if *known != sdp.value => {
                return Err(Refused::new(
                    SignalingException::InvalidInput,
                    "sdpDetails is another answer than that of CallInProgress",
                ));
            }
            (None, Some(sdp)) => {
                self.answer = Some(sdp.value.clone());
                effects.push(Effect::TakeAnswer(sdp.value.clone()));
            }
            (Some(_), _) => {}
        }
        self.state = State::Accepted;
        self.setup = None;
        effects.push(Effect::Accepted);
        Ok(self.acknowledge(name, effects))
    }

    fn update_answered(&mut self, kind: &RenegotiationKind, sdp: &SdpDetails) -> Effects {
        let name = OperationName::CallUpdateResponse;
        match &self.renegotiation {
            Some(Renegotiation::ByAlexa(asked)) if asked == kind => {
                self.held = match kind {
                    RenegotiationKind::CallHold => true,
                    RenegotiationKind::CallResume => false,
                    _ => self.held,
                };
                self.renegotiation = None;
                self.update = None;
                let effects = vec![Effect::TakeAnswer(sdp.value.clone())];
                Ok(self.acknowledge(name, effects))
            }
            Some(Renegotiation::ByAlexa(asked)) => Err(Refused::new(
                SignalingException::InvalidInput,
                format!("renegotiationType is {kind}; expected {asked}, as in CallUpdate"),
            )),
            _ => Err(self.out_of_turn(name)),
        }
    }

    fn acknowledge(&mut self, name: OperationName, mut effects: Vec<Effect>) -> Vec<Effect> {
        self.acknowledging = name.acknowledgement();
        let operation = match name {
            OperationName::CallRinging => Operation::CallRingingAck,
            OperationName::CallInProgress => Operation::CallInProgressAck,
            OperationName::CallAccepted => Operation::CallAcceptedAck,
            _ => Operation::CallUpdateAck,
        };
        effects.push(Effect::Send(operation));
        effects
    }

    /// A message has reached the skill.
    pub(super) fn delivered(&mut self, name: OperationName) {
        if self.acknowledging == Some(name) {
            self.acknowledging = None;
        }
    }

    /// The next step of a call to the device, once the last one is acknowledged.
    fn go_on(&mut self, now: Instant, habits: &Habits) -> Vec<Effect> {
        if self.direction != Direction::Inbound
            || self.owed.is_some()
            || !(State::Ringing..=State::InProgress).contains(&self.state)
        {
            return Vec::new();
        }
        let Some(answer) = self.own_answer.clone() else {
            return Vec::new();
        };
        if self.accepts_at.is_none() && !self.wants_accept {
            let after = habits.answer_ms.map(std::time::Duration::from_millis);
            self.accepts_at = after.map(|after| now + after);
        }
        if habits.early_media && self.state == State::Ringing {
            self.state = State::InProgress;
            self.answer_sent = true;
            self.owed = Some((OperationName::CallInProgressAck, now + habits.ack()));
            let sdp = SdpDetails::answer(answer);
            return vec![Effect::Send(Operation::CallInProgress { sdp })];
        }
        if !self.wants_accept {
            return Vec::new();
        }
        self.state = State::Accepted;
        self.setup = None;
        self.accepts_at = None;
        self.owed = Some((OperationName::CallAcceptedAck, now + habits.ack()));
        let sdp = (!self.answer_sent).then(|| SdpDetails::answer(answer));
        self.answer_sent = true;
        vec![
            Effect::Accepted,
            Effect::Send(Operation::CallAccepted { sdp }),
        ]
    }

    /// The device does something.
    ///
    /// # Errors
    /// Why it cannot, now.
    pub(super) fn act(
        &mut self,
        act: Act,
        now: Instant,
        habits: &Habits,
    ) -> Result<Vec<Effect>, &'static str> {
        if self.state == State::Ended {
            return Err("the call is over");
        }
        match act {
            Act::End(by, result) => {
                let mut effects = self.end(by, result.clone());
                effects.push(Effect::Send(Operation::CallEnded { result }));
                Ok(effects)
            }
            Act::Accept(_) if self.direction == Direction::Outbound => {
                Err("the device calls; it cannot accept")
            }
            Act::Accept(_) if self.state == State::Accepted => Err("the call is accepted already"),
            Act::Accept(answer) => {
                // The first answer is the one that stays: early media may have told it.
                self.own_answer = self.own_answer.take().or(answer);
                if self.own_answer.is_none() {
                    return Err("the device has no answer yet");
                }
                self.wants_accept = true;
                Ok(self.go_on(now, habits))
            }
            Act::Offer(kind, offer) => {
                if self.state != State::Accepted {
                    return Err("the call is not accepted yet");
                }
                if self.renegotiation.is_some() || self.owed.is_some() {
                    return Err("an offer or an acknowledgement is not settled yet");
                }
                self.renegotiation = Some(Renegotiation::ByAlexa(kind.clone()));
                self.update = Some(now + habits.update());
                let sdp = SdpDetails::offer(offer);
                Ok(vec![Effect::Send(Operation::CallUpdate { kind, sdp })])
            }
            Act::Answer(answer) => {
                let Some(Renegotiation::BySkill(kind)) = self.renegotiation.clone() else {
                    return Err("nothing was offered");
                };
                if self.owed.is_some() {
                    return Err("the offer is answered already");
                }
                self.owed = Some((OperationName::CallUpdateAck, now + habits.ack()));
                let sdp = SdpDetails::answer(answer);
                let response = Operation::CallUpdateResponse { kind, sdp };
                Ok(vec![Effect::Send(response)])
            }
        }
    }

    fn end(&mut self, by: EndedBy, result: CallResult) -> Vec<Effect> {
        self.state = State::Ended;
        self.result = Some((by, result.clone()));
        self.renegotiation = None;
        self.owed = None;
        self.setup = None;
        self.accepts_at = None;
        self.update = None;
        vec![Effect::Ended(result)]
    }

    /// When time has something to say next.
    pub(super) fn due(&self) -> Option<Instant> {
        let owed = self.owed.as_ref().map(|(_, until)| *until);
        [owed, self.setup, self.accepts_at, self.update]
            .into_iter()
            .flatten()
            .min()
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Instant, habits: &Habits) -> Vec<Effect> {
        let past = |until: Option<Instant>| until.is_some_and(|until| until <= now);
        let late = match &self.owed {
            Some((name, until)) if *until <= now => Some(format!("{name} did not come in time")),
            _ if past(self.setup) => Some(match self.state {
                State::Started => "CallRinging did not come in time".to_owned(),
                _ => "nobody answered in time".to_owned(),
            }),
            _ if past(self.update) => Some("CallUpdateResponse did not come in time".to_owned()),
            _ => None,
        };
        if let Some(late) = late {
            let result = CallResult::new(ResultCode::SessionTimeout, late);
            let mut effects = self.end(EndedBy::Time, result.clone());
            effects.push(Effect::Send(Operation::CallEnded { result }));
            return effects;
        }
        if past(self.accepts_at) {
            self.accepts_at = None;
            self.wants_accept = true;
            return self.go_on(now, habits);
        }
        Vec::new()
    }
}
