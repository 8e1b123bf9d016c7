//! A flow at an event: what comes next by the plan.

use skillcall_plan::Plan;
use skillcall_plan::compiled::{self, Flow, Next, Step};
use skillcall_protocol::sma::event::ParticipantStatus;
use skillcall_protocol::sma::{
    AttributeUpdate, Event, InvocationEventType, ParticipantTag, Reply, RequestedAction,
};

use super::position::Position;
use super::render::{self, Values};
use super::{Decision, FlowError, HandOver, nothing};

/// After so many failed actions a call ends, whatever the plan says: a plan may lead from one failure to another.
const MAX_FAILURES: u32 = 5;

/// A flow at an event.
pub(super) struct Course<'c, 'p> {
    pub(super) plan: &'c Plan<'p>,
    pub(super) event: &'c Event,
    pub(super) flow: &'c Flow<'p>,
    pub(super) position: Position,
    pub(super) now_s: i64,
}

impl<'p> Course<'_, 'p> {
    pub(super) fn step(&self) -> Option<&Step<'p>> {
        self.flow.step_named(&self.position.step)
    }

    pub(super) fn start(self, note: &str) -> Result<Decision, FlowError> {
        let next = Next::Step(self.flow.start);
        self.go(next, note, None)
    }

    /// ACTION_SUCCESSFUL: the step is done when its last action is (facts F2: some actions report in the middle).
    pub(super) fn succeeded(mut self) -> Result<Decision, FlowError> {
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

    pub(super) fn failed(self) -> Result<Decision, FlowError> {
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

    pub(super) fn fail(mut self, why: &str) -> Result<Decision, FlowError> {
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

    pub(super) fn digits_received(mut self) -> Result<Decision, FlowError> {
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
    pub(super) fn update_requested(self) -> Result<Decision, FlowError> {
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
    pub(super) fn hung_up(self) -> Result<Decision, FlowError> {
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

    pub(super) fn handed_to(&self, handler: &compiled::HandOver<'_>, note: &str) -> Decision {
        Decision {
            reply: Reply::default(),
            note: note.to_owned(),
            csi: None,
            hand_over: Some(HandOver::to(handler, self.position.clone())),
        }
    }

    fn replied(&self, actions: Vec<RequestedAction>, note: String) -> Result<Decision, FlowError> {
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
    fn hangups(&self, from: usize) -> Result<Vec<RequestedAction>, FlowError> {
        let mut tags = self.remaining();
        tags.sort_by_key(|tag| **tag == ParticipantTag::LegA);
        tags.iter()
            .enumerate()
            .map(|(index, tag)| render::hangup(from + index, tag, 0))
            .collect()
    }
}
