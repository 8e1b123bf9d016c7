//! A session in the book: its state machine with the device's media, the way to the skill, and what has passed.

use std::time::Instant;

use skillcall_protocol::ids::SessionId;
use skillcall_protocol::signaling::{
    CallResult, Operation, OperationName, Participant, ResultCode,
};
use tokio::sync::mpsc;

use super::endpoint::Leg;
use super::session::{Act, Effect, EndedBy, Session};
use super::view::{Passed, SessionView};
use super::{Habits, Refused};
use crate::customer::Customer;

/// The most messages of a session that are remembered.
const MAX_PASSED: usize = 1000;

/// A session with what belongs to it.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) id: SessionId,
    pub(super) customer: Customer,
    pub(super) participants: Vec<Participant>,
    pub(super) session: Session,
    pub(super) leg: Box<dyn Leg>,
    pub(super) outbox: mpsc::UnboundedSender<Operation>,
    pub(super) passed: Vec<Passed>,
}

impl Live {
    pub(super) fn follow(&mut self, effect: Effect, habits: &Habits) -> Vec<Effect> {
        let failed = |session: &mut Session, why: String| {
            let result = CallResult::new(ResultCode::InternalError, why);
            session
                .act(Act::End(EndedBy::Failure, result), Instant::now(), habits)
                .unwrap_or_default()
        };
        match effect {
            Effect::Send(operation) => {
                // When nobody takes messages any more, the simulator stops.
                let _ = self.outbox.send(operation);
            }
            Effect::Ringing => self.leg.ringing(),
            Effect::Accepted => self.leg.accepted(),
            Effect::Ended(result) => self.leg.ended(&result),
            Effect::TakeAnswer(answer) => {
                if let Err(why) = self.leg.take_answer(&answer) {
                    return failed(&mut self.session, why);
                }
            }
            Effect::AnswerOffer(kind, offer) => match self.leg.answer(&offer, Some(&kind)) {
                Ok(Some(answer)) => {
                    return self
                        .session
                        .act(Act::Answer(answer), Instant::now(), habits)
                        .unwrap_or_default();
                }
                // The device gives it when it has it.
                Ok(None) => {}
                Err(why) => return failed(&mut self.session, why),
            },
        }
        Vec::new()
    }

    pub(super) fn note(&mut self, from: &'static str, operation: OperationName, outcome: String) {
        if self.passed.len() < MAX_PASSED {
            self.passed.push(Passed {
                from,
                operation: operation.as_str().to_owned(),
                outcome,
            });
        }
    }

    pub(super) fn view(&self) -> SessionView {
        let (ended_by, result) = match &self.session.result {
            Some((by, result)) => (Some(*by), Some(result.clone())),
            None => (None, None),
        };
        SessionView {
            session_id: self.id.as_str().to_owned(),
            direction: self.session.direction,
            state: self.session.state,
            device_id: self.customer.device_id.clone(),
            user_id: self.customer.user_id.clone(),
            participants: self.participants.clone(),
            held: self.session.held,
            result,
            ended_by,
            messages: self.passed.clone(),
        }
    }
}

pub(super) fn outcome<T>(taken: &Result<T, Refused>) -> String {
    match taken {
        Ok(_) => "202".to_owned(),
        Err(refused) => refusal(refused),
    }
}

pub(super) fn refusal(refused: &Refused) -> String {
    format!(
        "{} {}",
        refused.exception.status(),
        refused.exception.name()
    )
}
