//! Single rules.

use std::time::{Duration, Instant};

use skillcall_protocol::signaling::{
    self, Operation, OperationName, RenegotiationKind, ResultCode, SdpDetails,
};

use super::super::event::{Action, Input, Reanswered, Side};
use super::super::exceptions::Outcome;
use super::super::session::Session;
use super::super::timers::Times;
use super::world::result;

struct Bench {
    session: Session,
    now: Instant,
}

impl Bench {
    /// A device's call whose phone rings.
    fn new() -> Self {
        let now = Instant::now();
        let session = Session::from_alexa(Ok("answer".to_owned()), Times::default(), now);
        let mut bench = Self { session, now };
        assert!(bench.actions().contains(&Action::Dial));
        bench
    }

    /// The same when all is answered.
    fn up() -> Self {
        let mut bench = Self::new();
        bench.tell(Input::Ringing);
        bench.taken();
        bench.tell(Input::Alexa(Operation::CallRingingAck));
        bench.tell(Input::Answered);
        bench.taken();
        bench.tell(Input::Alexa(Operation::CallAcceptedAck));
        bench.tell(Input::Connected);
        bench.actions();
        assert!(bench.session.is_up());
        bench
    }

    fn tell(&mut self, input: Input) {
        self.session.handle(input, self.now);
    }

    fn actions(&mut self) -> Vec<Action> {
        let notes = |action: &Action| !matches!(action, Action::Note { .. });
        std::iter::from_fn(|| self.session.poll(self.now))
            .filter(notes)
            .collect()
    }

    /// What is posted now, and Alexa takes it.
    fn taken(&mut self) -> Vec<Operation> {
        self.answered(202, None)
    }

    fn answered(&mut self, status: u16, exception: Option<&str>) -> Vec<Operation> {
        let mut said = Vec::new();
        for action in self.actions() {
            if let Action::Post(post) = action {
                let mut outcome = signaling::Outcome::taken(status);
                outcome.exception = exception.map(str::to_owned);
                let outcome = Outcome::Answered(outcome);
                let number = post.number;
                self.tell(Input::Posted { number, outcome });
                said.push(post.operation);
            }
        }
        said
    }

    fn passes(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.session.handle_timeout(self.now);
    }
}

fn names(said: &[Operation]) -> Vec<OperationName> {
    said.iter().map(Operation::name).collect()
}

#[test]
fn ringing_and_the_answer_are_told_once() {
    let mut bench = Bench::new();
    bench.tell(Input::Ringing);
    bench.tell(Input::EarlyMedia);
    bench.tell(Input::Ringing);
    bench.tell(Input::EarlyMedia);
    assert_eq!(names(&bench.taken()), [OperationName::CallRinging]);
    // The acknowledgement stays away: two seconds are enough.
    bench.passes(2);
    assert_eq!(names(&bench.taken()), [OperationName::CallInProgress]);
    bench.tell(Input::Alexa(Operation::CallInProgressAck));
    bench.tell(Input::Answered);
    assert_eq!(bench.taken(), [Operation::CallAccepted { sdp: None }]);
}

#[test]
fn an_answer_without_ringing() {
    let mut bench = Bench::new();
    bench.tell(Input::Answered);
    assert_eq!(names(&bench.taken()), [OperationName::CallRinging]);
    bench.tell(Input::Alexa(Operation::CallRingingAck));
    let sdp = Some(SdpDetails::answer("answer"));
    assert_eq!(bench.taken(), [Operation::CallAccepted { sdp }]);
}

#[test]
fn the_200_that_crosses_our_cancel_is_ended_by_bye() {
    let mut bench = Bench::new();
    bench.tell(Input::Ringing);
    bench.taken();
    let result = result(ResultCode::Success);
    bench.tell(Input::Alexa(Operation::CallEnded { result }));
    assert_eq!(bench.actions(), [Action::CancelDial]);
    bench.tell(Input::Answered);
    assert_eq!(bench.actions(), [Action::HangUp, Action::End]);
}

#[test]
fn both_ends_at_once() {
    let mut bench = Bench::up();
    bench.tell(Input::HungUp { code: 0 });
    let said = bench.answered(400, Some("InvalidCallStateException"));
    assert_eq!(names(&said), [OperationName::CallEnded]);
    let result = result(ResultCode::Success);
    bench.tell(Input::Alexa(Operation::CallEnded { result }));
    assert_eq!(bench.actions(), [Action::End]);
}

#[test]
fn a_conflict_waits_for_a_crossing_end() {
    for (crosses, code) in [(true, None), (false, Some(ResultCode::InternalError))] {
        let mut bench = Bench::new();
        bench.tell(Input::Ringing);
        bench.answered(409, Some("ResourceConflictException"));
        assert_eq!(bench.actions(), []);
        if crosses {
            let result = result(ResultCode::Success);
            bench.tell(Input::Alexa(Operation::CallEnded { result }));
        } else {
            bench.passes(2);
        }
        let ended = bench.actions().into_iter().find_map(|action| match action {
            Action::Post(post) => match post.operation {
                Operation::CallEnded { result } => Some(result.code),
                _ => None,
            },
            _ => None,
        });
        assert_eq!(ended, code);
    }
}

#[test]
fn a_token_that_is_refused_ends_the_phone_without_a_word_to_alexa() {
    let mut bench = Bench::new();
    bench.tell(Input::Ringing);
    bench.answered(403, Some("AccessDeniedException"));
    assert_eq!(bench.actions(), [Action::CancelDial]);
    bench.tell(Input::Refused {
        status: 487,
        reason: String::new(),
    });
    assert_eq!(bench.actions(), [Action::End]);
}

#[test]
fn throttling_is_waited_out() {
    let mut bench = Bench::new();
    bench.tell(Input::Ringing);
    let said = bench.answered(429, Some("ThrottlingException"));
    assert_eq!(names(&said), [OperationName::CallRinging]);
    assert_eq!(bench.actions(), []);
    bench.passes(1);
    assert_eq!(names(&bench.taken()), [OperationName::CallRinging]);
}

#[test]
fn every_offer_is_answered_whatever_the_phone_says() {
    let mut bench = Bench::up();
    let offers = |held| Input::AlexaOffers {
        kind: RenegotiationKind::CallHold,
        answer: Ok(Reanswered {
            sdp: "held".to_owned(),
            held,
        }),
    };
    bench.tell(offers(true));
    let actions = bench.actions();
    assert!(actions.contains(&Action::HoldPhone(true)), "{actions:?}");
    let posts = |actions: &[Action]| {
        let post = |action: &&Action| matches!(action, Action::Post(_));
        actions.iter().filter(post).count()
    };
    assert_eq!(posts(&actions), 1);
    // The same offer again, or an ICE restart: the phone hears nothing of it.
    bench.tell(offers(true));
    let actions = bench.actions();
    assert_eq!((actions.len(), posts(&actions)), (1, 1), "{actions:?}");
    // One that cannot be used is answered with what holds.
    bench.tell(Input::AlexaOffers {
        kind: RenegotiationKind::CallUpdate,
        answer: Err("no codec in common".to_owned()),
    });
    let sdp = SdpDetails::answer("held");
    let kind = RenegotiationKind::CallUpdate;
    let response = Operation::CallUpdateResponse { kind, sdp };
    assert_eq!(bench.taken(), [response]);
    assert!(bench.session.is_up());
}

#[test]
fn the_phones_hold_is_told_and_glare_gives_way() {
    let mut bench = Bench::up();
    bench.tell(Input::PhoneHolds(true));
    let kind = RenegotiationKind::CallHold;
    let held = true;
    assert_eq!(
        bench.actions(),
        [Action::Reoffer {
            kind: kind.clone(),
            held
        }]
    );
    let offer = Ok("hold".to_owned());
    bench.tell(Input::Reoffered { kind, offer });
    assert_eq!(names(&bench.taken()), [OperationName::CallUpdate]);
    // Alexa offers at the same time: its offer is answered, and ours is made once more.
    bench.tell(Input::AlexaOffers {
        kind: RenegotiationKind::CallUpdate,
        answer: Ok(Reanswered {
            sdp: "new".to_owned(),
            held: false,
        }),
    });
    let actions = bench.actions();
    let again = |action: &Action| matches!(action, Action::Reoffer { held: true, .. });
    assert!(actions.iter().any(again), "{actions:?}");
}

#[test]
fn silence_counts_only_where_somebody_should_be_heard() {
    let mut bench = Bench::up();
    assert!(bench.session.expects_media(Side::Phone));
    bench.tell(Input::PhoneHolds(true));
    bench.tell(Input::Silent(Side::Phone));
    assert!(bench.session.is_up());
    bench.tell(Input::PhoneHolds(false));
    bench.tell(Input::Silent(Side::Phone));
    assert!(!bench.session.is_up());
    let actions = bench.actions();
    assert!(actions.contains(&Action::HangUp), "{actions:?}");
}

#[test]
fn a_call_without_a_way() {
    let now = Instant::now();
    let way = Err((ResultCode::DeviceUnavailable, "no route".to_owned()));
    let session = Session::from_alexa(way, Times::default(), now);
    let mut bench = Bench { session, now };
    assert_eq!(names(&bench.taken()), [OperationName::CallEnded]);
    assert_eq!(bench.actions(), [Action::End]);
}
