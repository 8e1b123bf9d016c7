//! The state machine of a session, without a clock that runs.

use std::time::{Duration, Instant};

use skillcall_protocol::signaling::{
    CallResult, Operation, RenegotiationKind, ResultCode, SdpDetails, SignalingException,
};

use super::Habits;
use super::session::{Act, Effect, EndedBy, Session, State};

fn answer(text: &str) -> SdpDetails {
    SdpDetails::answer(text)
}

fn sends(effects: &[Effect]) -> Vec<String> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send(operation) => Some(operation.name().to_string()),
            _ => None,
        })
        .collect()
}

/// A session with its time.
struct Run {
    session: Session,
    now: Instant,
    habits: Habits,
}

impl Run {
    fn outbound() -> Self {
        let (now, habits) = (Instant::now(), Habits::default());
        Self {
            session: Session::outbound(now, &habits),
            now,
            habits,
        }
    }

    fn inbound(habits: Habits) -> (Self, Vec<String>) {
        let now = Instant::now();
        let (session, effects) = Session::inbound(now, &habits, Some("v=own".to_owned()));
        let run = Self {
            session,
            now,
            habits,
        };
        (run, sends(&effects))
    }

    /// A message whose acknowledgement arrives at once.
    fn take(&mut self, operation: &Operation) -> Result<Vec<String>, SignalingException> {
        let effects = self
            .session
            .message(operation, self.now, &self.habits)
            .map_err(|refused| refused.exception)?;
        if let Some(name) = operation.name().acknowledgement() {
            self.session.delivered(name);
        }
        Ok(sends(&effects))
    }

    fn act(&mut self, act: Act) -> Result<Vec<String>, &'static str> {
        self.session
            .act(act, self.now, &self.habits)
            .map(|effects| sends(&effects))
    }

    fn pass(&mut self, milliseconds: u64) -> Vec<String> {
        self.now += Duration::from_millis(milliseconds);
        sends(&self.session.tick(self.now, &self.habits))
    }

    fn accepted() -> Self {
        let mut run = Self::outbound();
        run.take(&Operation::CallRinging).unwrap();
        let sdp = Some(answer("v=1"));
        run.take(&Operation::CallAccepted { sdp }).unwrap();
        run
    }
}

fn accepted(text: Option<&str>) -> Operation {
    Operation::CallAccepted {
        sdp: text.map(answer),
    }
}

fn update(kind: RenegotiationKind) -> Operation {
    Operation::CallUpdate {
        kind,
        sdp: SdpDetails::offer("v=2"),
    }
}

fn response(kind: RenegotiationKind) -> Operation {
    Operation::CallUpdateResponse {
        kind,
        sdp: answer("v=3"),
    }
}

fn ended() -> Operation {
    Operation::CallEnded {
        result: CallResult::new(ResultCode::Success, "bye"),
    }
}

const INVALID: Result<Vec<String>, SignalingException> = Err(SignalingException::InvalidCallState);

#[test]
fn a_call_of_the_device_goes_its_way_with_and_without_early_media() {
    let early = Operation::CallInProgress { sdp: answer("v=1") };
    for (steps, acks) in [
        (
            vec![Operation::CallRinging, early.clone(), accepted(None)],
            vec!["CallRingingAck", "CallInProgressAck", "CallAcceptedAck"],
        ),
        (
            vec![Operation::CallRinging, early.clone(), accepted(Some("v=1"))],
            vec!["CallRingingAck", "CallInProgressAck", "CallAcceptedAck"],
        ),
        (
            vec![Operation::CallRinging, accepted(Some("v=1"))],
            vec!["CallRingingAck", "CallAcceptedAck"],
        ),
    ] {
        let mut run = Run::outbound();
        let told: Vec<String> = steps
            .iter()
            .flat_map(|step| run.take(step).unwrap())
            .collect();
        assert_eq!(told, acks);
        assert_eq!(run.session.state, State::Accepted);
        assert_eq!(run.session.due(), None, "an accepted call has no end");
        assert_eq!(run.take(&ended()), Ok(Vec::new()));
        assert_eq!(run.take(&ended()), INVALID);
    }
}

#[test]
fn what_comes_out_of_turn_is_refused_and_changes_nothing() {
    let early = Operation::CallInProgress { sdp: answer("v=1") };
    let mut run = Run::outbound();
    for step in [
        early.clone(),
        accepted(Some("v=1")),
        update(RenegotiationKind::CallHold),
        response(RenegotiationKind::CallHold),
        Operation::CallRingingAck,
        Operation::CallUpdateAck,
    ] {
        assert_eq!(run.take(&step), INVALID, "{}", step.name());
    }
    run.take(&Operation::CallRinging).unwrap();
    assert_eq!(run.take(&Operation::CallRinging), INVALID);
    assert_eq!(
        run.take(&accepted(None)),
        Err(SignalingException::InvalidInput),
        "no answer at all"
    );
    run.take(&early).unwrap();
    assert_eq!(
        run.take(&accepted(Some("v=other"))),
        Err(SignalingException::InvalidInput),
        "another answer"
    );
    run.take(&accepted(None)).unwrap();
    assert_eq!(run.take(&accepted(None)), INVALID);
    assert_eq!(run.session.state, State::Accepted);
}

#[test]
fn a_repetition_clashes_until_its_acknowledgement_is_out() {
    let mut run = Run::outbound();
    let ringing = Operation::CallRinging;
    run.session.message(&ringing, run.now, &run.habits).unwrap();
    assert_eq!(
        run.take(&ringing),
        Err(SignalingException::ResourceConflict)
    );
    run.session
        .delivered(skillcall_protocol::signaling::OperationName::CallRingingAck);
    assert_eq!(run.take(&ringing), INVALID);
}

#[test]
fn a_call_to_the_device_waits_for_each_acknowledgement() {
    for early_media in [false, true] {
        let habits = Habits {
            early_media,
            ..Habits::default()
        };
        let (mut run, told) = Run::inbound(habits);
        assert_eq!(told, ["CallRinging"]);
        assert_eq!(run.take(&Operation::CallInProgressAck), INVALID);
        assert_eq!(
            run.act(Act::Accept(None)),
            Ok(Vec::new()),
            "nothing before the ack"
        );
        let next = run.take(&Operation::CallRingingAck).unwrap();
        let next = if early_media {
            assert_eq!(next, ["CallInProgress"]);
            run.take(&Operation::CallInProgressAck).unwrap()
        } else {
            next
        };
        assert_eq!(next, ["CallAccepted"]);
        assert_eq!(
            run.act(Act::Accept(None)),
            Err("the call is accepted already")
        );
        assert_eq!(run.take(&Operation::CallAcceptedAck), Ok(Vec::new()));
        assert_eq!(run.take(&Operation::CallAcceptedAck), INVALID);
        assert_eq!(run.session.due(), None);
    }
}

#[test]
fn a_device_may_accept_by_itself_and_its_answer_goes_once() {
    let habits = Habits {
        early_media: true,
        answer_ms: Some(500),
        ..Habits::default()
    };
    let (mut run, _) = Run::inbound(habits);
    run.take(&Operation::CallRingingAck).unwrap();
    run.take(&Operation::CallInProgressAck).unwrap();
    assert!(run.pass(499).is_empty());
    run.now += Duration::from_millis(1);
    let effects = run.session.tick(run.now, &run.habits);
    assert_eq!(
        effects,
        [
            Effect::Accepted,
            Effect::Send(Operation::CallAccepted { sdp: None })
        ]
    );
}

#[test]
fn new_offers_are_settled_one_at_a_time_in_both_directions() {
    let hold = RenegotiationKind::CallHold;
    let mut run = Run::accepted();
    let offer = Act::Offer(hold.clone(), "v=2".to_owned());
    assert_eq!(run.act(offer.clone()).unwrap(), ["CallUpdate"]);
    assert!(run.act(offer.clone()).is_err());
    assert_eq!(
        run.take(&update(RenegotiationKind::CallUpdate)),
        Err(SignalingException::ResourceConflict),
        "glare"
    );
    assert_eq!(
        run.take(&response(RenegotiationKind::CallResume)),
        Err(SignalingException::InvalidInput)
    );
    assert_eq!(
        run.take(&response(hold.clone())).unwrap(),
        ["CallUpdateAck"]
    );
    assert!(run.session.held);
    assert_eq!(run.take(&response(hold.clone())), INVALID);
    let resume = RenegotiationKind::CallResume;
    run.act(Act::Offer(resume.clone(), "v=4".to_owned()))
        .unwrap();
    run.take(&response(resume)).unwrap();
    assert!(!run.session.held);
    // The skill's side offers.
    let effects = run
        .session
        .message(&update(hold.clone()), run.now, &run.habits)
        .unwrap();
    assert_eq!(
        effects,
        [Effect::AnswerOffer(hold.clone(), "v=2".to_owned())]
    );
    assert_eq!(
        run.act(Act::Answer("v=5".to_owned())).unwrap(),
        ["CallUpdateResponse"]
    );
    assert!(run.act(offer).is_err(), "its acknowledgement is owed");
    assert_eq!(run.take(&Operation::CallUpdateAck), Ok(Vec::new()));
    assert_eq!(run.take(&Operation::CallUpdateAck), INVALID);
}

#[test]
fn each_wait_has_its_end() {
    let mut run = Run::outbound();
    assert!(run.pass(19_999).is_empty());
    assert_eq!(run.pass(1), ["CallEnded"]);
    let mut run = Run::outbound();
    run.take(&Operation::CallRinging).unwrap();
    assert!(run.pass(59_999).is_empty());
    assert_eq!(run.pass(1), ["CallEnded"]);
    let (mut run, _) = Run::inbound(Habits::default());
    assert!(run.pass(9_999).is_empty());
    assert_eq!(run.pass(1), ["CallEnded"], "no CallRingingAck");
    let (mut run, _) = Run::inbound(Habits::default());
    run.take(&Operation::CallRingingAck).unwrap();
    assert_eq!(run.pass(60_000), ["CallEnded"], "nobody answers");
    let (by, result) = run.session.result.clone().unwrap();
    assert_eq!(
        (by, result.code),
        (EndedBy::Time, ResultCode::SessionTimeout)
    );
    let mut run = Run::accepted();
    run.act(Act::Offer(RenegotiationKind::CallUpdate, "v=2".to_owned()))
        .unwrap();
    assert!(run.pass(9_999).is_empty());
    assert_eq!(run.pass(1), ["CallEnded"]);
    assert_eq!(run.take(&response(RenegotiationKind::CallUpdate)), INVALID);
    assert!(run.act(Act::Accept(None)).is_err());
    assert!(run.pass(100_000).is_empty(), "it ends once");
}
