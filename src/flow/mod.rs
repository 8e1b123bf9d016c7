//! The call's decisions: an event of the SIP media application in, the plan's next actions out (facts E3, F1, F2).

mod hand_over;
mod position;
mod render;

use skillcall_plan::compiled::{self, Flow, Next, Step};
use skillcall_plan::{DecodeError, Plan};
use skillcall_protocol::ids::ClientSessionId;
use skillcall_protocol::sma::event::ParticipantStatus;
use skillcall_protocol::sma::{
    AttributeUpdate, Event, InvocationEventType, Participant, ParticipantTag, Reply,
};
use skillcall_protocol::user_to_user;

pub use hand_over::HandOver;
pub use position::Position;

use render::Values;

/// After so many failed actions a call ends, whatever the plan says: a plan may lead from one failure to another.
const MAX_FAILURES: u32 = 5;
/// SIP 480, Temporarily Unavailable (RFC 3261 §21.4.18): how a call is turned away (facts F6, Hangup).
const UNAVAILABLE: u16 = 480;

/// What is known of a session when its call comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSession {
    /// The destination's id in the plan.
    pub destination: String,
    /// The locale in which the customer spoke.
    pub locale: String,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The reply to the event.
    pub reply: Reply,
    /// Why, for the trace and the log.
    pub note: String,
    /// The session, once it is known.
    pub csi: Option<ClientSessionId>,
    /// The handler that decides in place of the plan; the reply above says nothing then.
    pub hand_over: Option<HandOver>,
}

/// Why there is no decision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlowError {
    /// The plan cannot serve the event.
    #[error("the call plan: {0}")]
    Plan(String),
    /// The event contradicts the facts.
    #[error("the event: {0}")]
    Event(String),
}

impl From<DecodeError> for FlowError {
    fn from(error: DecodeError) -> Self {
        Self::Plan(error.to_string())
    }
}

/// The `clientSessionId` that a call carries: of the flow's position, else of the first leg's User-to-User header (facts E1).
#[must_use]
pub fn csi_of(event: &Event) -> Option<ClientSessionId> {
    if let Some(position) = Position::read(event.call_details.transaction_attributes.as_ref()) {
        return ClientSessionId::parse(position.csi).ok();
    }
    let header = leg_a(event)?.sip_headers.as_ref()?.get("User-to-User")?;
    user_to_user::decode_csi([header])
}

/// Decides what the call does next. `session` is what is known of the call's `clientSessionId`, and is only asked for
/// when a call comes in: later the position carries it. `now_s` is the time in Unix seconds, for opening hours.
///
/// # Errors
/// When the plan is damaged, or the event lacks what the facts promise.
pub fn decide(
    plan: &Plan<'_>,
    event: &Event,
    now_s: i64,
    session: impl FnOnce(&ClientSessionId) -> Option<KnownSession>,
) -> Result<Decision, FlowError> {
    let decision = match &event.invocation_event_type {
        InvocationEventType::NewInboundCall => incoming(plan, event, now_s, session),
        InvocationEventType::CallAnswered => answered(plan, event, now_s),
        // Facts E3: a reply to these is not used, and attributes that are not named stay.
        InvocationEventType::NewOutboundCall
        | InvocationEventType::Ringing
        | InvocationEventType::ActionInterrupted
        | InvocationEventType::InvalidLambdaResponse
        | InvocationEventType::Other(_) => handed_over(plan, event, now_s),
        InvocationEventType::ActionSuccessful
        | InvocationEventType::ActionFailed
        | InvocationEventType::DigitsReceived
        | InvocationEventType::CallUpdateRequested
        | InvocationEventType::Hangup => running(plan, event, now_s),
    }?;
    Ok(Decision {
        csi: csi_of(event),
        ..decision
    })
}

fn leg_a(event: &Event) -> Option<&Participant> {
    event.call_details.participant(&ParticipantTag::LegA)
}

fn first_leg(event: &Event) -> Result<&Participant, FlowError> {
    leg_a(event).ok_or_else(|| FlowError::Event("it has no participant LEG-A".to_owned()))
}

fn nothing(note: impl Into<String>) -> Decision {
    Decision {
        reply: Reply::default(),
        note: note.into(),
        csi: None,
        hand_over: None,
    }
}

fn turned_away(note: impl Into<String>) -> Result<Decision, FlowError> {
    let actions = vec![render::hangup(0, &ParticipantTag::LegA, UNAVAILABLE)?];
    let reply = Reply {
        actions: Some(actions),
        transaction_attributes: AttributeUpdate::Keep,
    };
    Ok(Decision {
        reply,
        note: note.into(),
        csi: None,
        hand_over: None,
    })
}

fn incoming(
    plan: &Plan<'_>,
    event: &Event,
    now_s: i64,
    session: impl FnOnce(&ClientSessionId) -> Option<KnownSession>,
) -> Result<Decision, FlowError> {
    let leg = first_leg(event)?;
    let client = leg
        .sip_headers
        .as_ref()
        .and_then(|headers| headers.get("X-Alexa-LWA-ClientId"));
    if let (Some(client), Some(own)) = (client, plan.lwa_client_id)
        && !client.trim().eq_ignore_ascii_case(own)
    {
        return turned_away(
            "the call comes from another skill: its X-Alexa-LWA-ClientId is not the plan's lwa-client-id",
        );
    }
    let Some(flow) = plan.flow(&leg.to)? else {
        return turned_away("no flow of the plan answers the number that was called");
    };
    let csi = csi_of(event);
    let known = csi.as_ref().and_then(session);
    let note = match (&csi, &known) {
        (Some(_), Some(_)) => "a call of a session that the skill began",
        (Some(_), None) => "a call whose csi is not known: it is served without session",
        (None, _) => "a call without csi: it is served without session",
    };
    let position = Position {
        flow: flow.number.to_owned(),
        csi: csi.map(|csi| csi.as_str().to_owned()).unwrap_or_default(),
        locale: known
            .as_ref()
            .map_or(plan.default_locale, |known| plan.locale_for(&known.locale))
            .to_owned(),
        destination: known.map(|known| known.destination).unwrap_or_default(),
        ..Position::default()
    };
    Course {
        plan,
        event,
        flow: &flow,
        position,
        now_s,
    }
    .start(note)
}

fn answered(plan: &Plan<'_>, event: &Event, now_s: i64) -> Result<Decision, FlowError> {
    let leg = first_leg(event)?;
    // Of a call that we made, the skill's own number is the calling one.
    let Some(flow) = plan.flow(&leg.from)? else {
        return Ok(nothing("no flow of the plan makes calls from this number"));
    };
    let position = Position {
        flow: flow.number.to_owned(),
        locale: plan.default_locale.to_owned(),
        ..Position::default()
    };
    Course {
        plan,
        event,
        flow: &flow,
        position,
        now_s,
    }
    .start("an outgoing call was answered")
}

fn running(plan: &Plan<'_>, event: &Event, now_s: i64) -> Result<Decision, FlowError> {
    let Some(position) = Position::read(event.call_details.transaction_attributes.as_ref()) else {
        return Ok(nothing("the call has no position in a flow"));
    };
    let Some(flow) = plan.flow(&position.flow)? else {
        return Ok(nothing(format!(
            "the plan has no flow for {} any more",
            position.flow
        )));
    };
    let course = Course {
        plan,
        event,
        flow: &flow,
        position,
        now_s,
    };
    if let Some(handler) = course.step().and_then(|step| step.hand_over) {
        return Ok(course.handed_to(&handler, "the call is its handler's"));
    }
    match event.invocation_event_type {
        InvocationEventType::ActionSuccessful => course.succeeded(),
        InvocationEventType::ActionFailed => course.failed(),
        InvocationEventType::DigitsReceived => course.digits_received(),
        InvocationEventType::CallUpdateRequested => course.update_requested(),
        _ => course.hung_up(),
    }
}

/// Events that the plan has nothing to decide about; a handler wants them all the same.
fn handed_over(plan: &Plan<'_>, event: &Event, now_s: i64) -> Result<Decision, FlowError> {
    let position = Position::read(event.call_details.transaction_attributes.as_ref());
    let handler = match &position {
        Some(position) => plan.flow(&position.flow)?.is_some_and(|flow| {
            flow.step_named(&position.step)
                .is_some_and(|step| step.hand_over.is_some())
        }),
        None => false,
    };
    if handler {
        running(plan, event, now_s)
    } else {
        Ok(nothing("nothing to decide"))
    }
}

/// A flow at an event.
struct Course<'c, 'p> {
    plan: &'c Plan<'p>,
    event: &'c Event,
    flow: &'c Flow<'p>,
    position: Position,
    now_s: i64,
}

impl<'p> Course<'_, 'p> {
    fn step(&self) -> Option<&Step<'p>> {
        self.flow.step_named(&self.position.step)
    }

    fn start(self, note: &str) -> Result<Decision, FlowError> {
        let next = Next::Step(self.flow.start);
        self.go(next, note, None)
    }

    /// ACTION_SUCCESSFUL: the step is done when its last action is (facts F2: some actions report in the middle).
    fn succeeded(mut self) -> Result<Decision, FlowError> {
        let Some(data) = &self.event.action_data else {
            return Ok(nothing("a success without ActionData"));
        };
        let Some(step) = self.step() else {
            return Ok(nothing("the flow has ended"));
        };
        if step.last_action_type() != Some(data.kind.as_str()) {
            return Ok(nothing(format!(
                "{} is done, step {} goes on",
                data.kind, step.name
            )));
        }
        let digits = data
            .received_digits
            .clone()
            .filter(|_| data.kind != "ReceiveDigits");
        let next = match &digits {
            Some(digits) if !step.on_digits.is_empty() || step.on_other_digits.is_some() => {
                step.after_digits(digits)
            }
            _ => Some(step.then),
        };
        self.position.digits = digits.unwrap_or(self.position.digits);
        match next {
            Some(next) => self.go(next, "the step is done", None),
            None => self.fail("the digits lead to no step"),
        }
    }

    fn failed(self) -> Result<Decision, FlowError> {
        let why = self.event.action_data.as_ref().map_or_else(
            || "an action failed".to_owned(),
            |data| {
                let error = data
                    .failure()
                    .map(|(kind, _)| kind.to_string())
                    .unwrap_or_default();
                format!("{} failed: {error}", data.kind)
            },
        );
        self.fail(&why)
    }

    fn fail(mut self, why: &str) -> Result<Decision, FlowError> {
        // The steps of one `dial` are as many as the plan says, so their failures end by themselves.
        if !self.step().is_some_and(|step| step.attempt) {
            self.position.failures += 1;
        }
        let Some(step) = self
            .step()
            .filter(|_| self.position.failures <= MAX_FAILURES)
        else {
            return self.go(Next::End, why, None);
        };
        if let Some(next) = step.on_failure {
            return self.go(next, why, None);
        }
        // Who can not speak need not try to apologise.
        let spoke = self
            .event
            .action_data
            .as_ref()
            .is_some_and(|data| data.kind.starts_with("Speak"));
        let silent = spoke && self.event.invocation_event_type == InvocationEventType::ActionFailed;
        if silent {
            self.go(Next::End, why, None)
        } else {
            self.apologise(why)
        }
    }

    fn apologise(mut self, why: &str) -> Result<Decision, FlowError> {
        self.position.step.clear();
        let mut actions = vec![render::apology(self.plan, &self.values()?)?];
        actions.extend(self.hangups(1)?);
        self.replied(actions, format!("{why}; an apology, and the call ends"))
    }

    fn digits_received(mut self) -> Result<Decision, FlowError> {
        let digits = self
            .event
            .action_data
            .as_ref()
            .and_then(|data| data.received_digits.clone())
            .unwrap_or_default();
        let Some(next) = self.step().and_then(|step| step.after_digits(&digits)) else {
            return Ok(nothing("the digits lead to no step; the listener stays"));
        };
        self.position.digits = digits;
        self.go(next, "digits came", None)
    }

    /// CALL_UPDATE_REQUESTED (facts F8): the argument `step` names the step to go to.
    fn update_requested(self) -> Result<Decision, FlowError> {
        let wanted = self
            .event
            .action_data
            .as_ref()
            .and_then(|data| data.parameters.get("Arguments")?.get("step")?.as_str())
            .unwrap_or_default();
        let place = self
            .flow
            .steps
            .iter()
            .zip(0u16..)
            .find(|(step, _)| step.name == wanted)
            .map(|(_, place)| place);
        match place {
            Some(place) => self.go(Next::Step(place), "an update asked for this step", None),
            None => Ok(nothing(
                "an update asked for no step of this flow; expected the argument `step`",
            )),
        }
    }

    /// HANGUP (facts E3): of the only leg, the reply is not used; else the other leg goes on by it.
    fn hung_up(self) -> Result<Decision, FlowError> {
        let ended = self
            .event
            .triggering_leg()
            .map(|leg| (leg.call_id.clone(), leg.participant_tag.clone()));
        if self.remaining().is_empty() {
            return Ok(nothing("the call is over"));
        }
        let caller_left = ended
            .as_ref()
            .is_some_and(|(_, tag)| *tag == ParticipantTag::LegA);
        match self
            .step()
            .and_then(|step| step.on_hangup)
            .filter(|_| !caller_left)
        {
            Some(next) => self.go(next, "the other leg has ended", Some(&ParticipantTag::LegA)),
            None => self.go(Next::End, "a leg has ended, so the other one does", None),
        }
    }

    fn go(
        mut self,
        next: Next,
        why: &str,
        leg: Option<&ParticipantTag>,
    ) -> Result<Decision, FlowError> {
        match self.settled(next)? {
            Next::Stay => {
                // The step's handlers still hold: digits and hang-ups go by it.
                Ok(Decision {
                    reply: Reply {
                        actions: None,
                        transaction_attributes: AttributeUpdate::Set(self.position.attributes()),
                    },
                    note: format!("{why}; the call goes on"),
                    csi: None,
                    hand_over: None,
                })
            }
            Next::End => {
                self.position.step.clear();
                let actions = self.hangups(0)?;
                self.replied(actions, format!("{why}; the call ends"))
            }
            Next::Step(place) => {
                let step = self.flow.step(place).ok_or_else(|| {
                    FlowError::Plan(format!(
                        "the flow of {} has no step {place}",
                        self.flow.number
                    ))
                })?;
                step.name.clone_into(&mut self.position.step);
                if let Some(handler) = step.hand_over {
                    let note = format!("{why}; step {} hands the call over", step.name);
                    return Ok(self.handed_to(&handler, &note));
                }
                let actions = render::actions(step, &self.values()?, leg)?;
                let note = format!("{why}; step {}", step.name);
                self.replied(actions, note)
            }
        }
    }

    /// What follows once opening hours have decided.
    fn settled(&self, mut next: Next) -> Result<Next, FlowError> {
        for _ in 0..=self.flow.steps.len() {
            let Next::Step(place) = next else {
                return Ok(next);
            };
            let Some(by) = self.flow.step(place).and_then(|step| step.by_hours) else {
                return Ok(next);
            };
            next = if self.plan.is_open(Some(by.hours), self.now_s)? {
                by.open
            } else {
                by.closed
            };
        }
        // Decisions that lead to each other lead nowhere.
        Ok(Next::End)
    }

    fn handed_to(&self, handler: &compiled::HandOver<'_>, note: &str) -> Decision {
        Decision {
            reply: Reply::default(),
            note: note.to_owned(),
            csi: None,
            hand_over: Some(HandOver::to(handler, self.position.clone())),
        }
    }

    fn replied(
        &self,
        actions: Vec<skillcall_protocol::sma::RequestedAction>,
        note: String,
    ) -> Result<Decision, FlowError> {
        let transaction_attributes = AttributeUpdate::Set(self.position.attributes());
        Ok(Decision {
            reply: Reply {
                actions: Some(actions),
                transaction_attributes,
            },
            note,
            csi: None,
            hand_over: None,
        })
    }

    fn values(&self) -> Result<Values<'_, 'p>, FlowError> {
        let destination = match self.position.destination.as_str() {
            "" => None,
            id => self.plan.destination_with_id(id)?,
        };
        Ok(Values {
            event: self.event,
            position: &self.position,
            destination,
        })
    }

    /// The legs that have not ended; the one that a HANGUP is about has, whatever its status says.
    fn remaining(&self) -> Vec<&ParticipantTag> {
        let hangup = self.event.invocation_event_type == InvocationEventType::Hangup;
        let ended = self
            .event
            .triggering_leg()
            .filter(|_| hangup)
            .map(|leg| &leg.call_id);
        self.event
            .call_details
            .participants
            .iter()
            .filter(|leg| {
                leg.status != Some(ParticipantStatus::Disconnected) && Some(&leg.call_id) != ended
            })
            .map(|leg| &leg.participant_tag)
            .collect()
    }

    /// Hangs up what remains, the caller's leg last: with it the call's events end.
    fn hangups(
        &self,
        from: usize,
    ) -> Result<Vec<skillcall_protocol::sma::RequestedAction>, FlowError> {
        let mut tags = self.remaining();
        tags.sort_by_key(|tag| **tag == ParticipantTag::LegA);
        tags.iter()
            .enumerate()
            .map(|(index, tag)| render::hangup(from + index, tag, 0))
            .collect()
    }
}

#[cfg(test)]
mod tests;
