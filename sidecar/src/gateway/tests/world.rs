//! A session between a model of Alexa and a model of a phone.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use skillcall_protocol::communication::{IdType, ParticipantId};
use skillcall_protocol::signaling::{
    self, CallResult, Operation, OperationName, Participant, RenegotiationKind, ResultCode,
    SdpDetails,
};

use super::super::event::{Action, Input, Reanswered};
use super::super::exceptions::Outcome;
use super::super::session::{Caller, Session};
use super::super::timers::Times;

/// What happens to a message on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It gets there.
    None,
    /// It does not get there, and the sender hears nothing.
    Lost,
    /// It gets there, and the sender does not hear that it did (to Alexa); to us it is the same as none.
    ReplyLost,
    /// It gets there twice.
    Twice,
    /// It gets there after a second.
    Late,
    /// It gets there after the messages behind it.
    Overtaken,
}

impl Fault {
    pub(super) const ALL: [Self; 5] = [
        Self::Lost,
        Self::ReplyLost,
        Self::Twice,
        Self::Late,
        Self::Overtaken,
    ];

    fn delay(self) -> Duration {
        Duration::from_millis(match self {
            Self::Late => 1_000,
            Self::Overtaken => 3_000,
            _ => 50,
        })
    }
}

/// A way of a message: from Alexa, or to it; which operation, and which of them, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Arrow {
    pub(super) to_alexa: bool,
    pub(super) name: OperationName,
    pub(super) nth: u32,
}

/// What is still to come.
#[derive(Debug, Clone)]
enum Next {
    Tell(Input),
    AlexaGets(Operation),
    AlexaSays(Operation),
    Talk,
    HangUp,
}

/// How far Alexa's model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alexa {
    Idle,
    Calling,
    Up,
    Ended,
}

/// Which call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plot {
    pub(super) caller: Caller,
    pub(super) early_media: bool,
    /// The device holds, and resumes.
    pub(super) holds: bool,
    /// The phone holds, and resumes.
    pub(super) phone_holds: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Story {
    /// Both heard each other, ten seconds after the beginning.
    pub(super) talked: bool,
    /// What Alexa was told, or has said itself.
    pub(super) code: Option<ResultCode>,
    /// Seconds until all was over.
    pub(super) seconds: u64,
    /// All messages on their ways.
    pub(super) arrows: Vec<Arrow>,
}

pub(super) struct World<F> {
    session: Session,
    plot: Plot,
    began: Instant,
    now: Instant,
    serial: u64,
    coming: BTreeMap<(Instant, u64), Next>,
    fault: F,
    arrows: Vec<Arrow>,
    alexa: Alexa,
    rang: bool,
    phone_up: bool,
    phone_gone: bool,
    connected: bool,
    talked: bool,
    /// What Alexa was told last of the phone's hold.
    held: bool,
    code: Option<ResultCode>,
    over: bool,
}

fn answer(name: &str) -> SdpDetails {
    SdpDetails::answer(name)
}

impl<F: FnMut(Arrow) -> Fault> World<F> {
    pub(super) fn play(plot: Plot, fault: F) -> Story {
        let now = Instant::now();
        let times = Times::default();
        let session = match plot.caller {
            Caller::Alexa => Session::from_alexa(Ok("our answer".to_owned()), times, now),
            Caller::Phone => {
                let participant = |value: &str, is_originator| Participant {
                    id: ParticipantId {
                        kind: IdType::RawAddress,
                        value: value.to_owned(),
                    },
                    is_originator,
                };
                let both = vec![participant("100", true), participant("room", false)];
                Session::from_phone(both, "our offer".to_owned(), None, times, now)
            }
        };
        let alexa = match plot.caller {
            Caller::Alexa => Alexa::Calling,
            Caller::Phone => Alexa::Idle,
        };
        let mut world = Self {
            session,
            plot,
            began: now,
            now,
            serial: 0,
            coming: BTreeMap::new(),
            fault,
            arrows: Vec::new(),
            alexa,
            rang: false,
            phone_up: false,
            phone_gone: false,
            connected: false,
            talked: false,
            held: false,
            code: None,
            over: false,
        };
        // A hold that Alexa does not answer costs the time of its answer.
        let (talk, end) = if plot.phone_holds { (18, 20) } else { (12, 15) };
        world.after(Duration::from_secs(talk), Next::Talk);
        world.after(Duration::from_secs(end), Next::HangUp);
        world.run();
        assert!(
            world.over,
            "it never ends: {world:?}",
            world = world.session
        );
        assert!(world.phone_gone, "the phone is left: {:?}", world.session);
        assert_eq!(world.session.deadline(), None, "a timer is left");
        Story {
            talked: world.talked,
            code: world.code,
            seconds: (world.now - world.began).as_secs(),
            arrows: world.arrows,
        }
    }

    fn after(&mut self, delay: Duration, next: Next) {
        self.serial += 1;
        self.coming.insert((self.now + delay, self.serial), next);
    }

    fn run(&mut self) {
        let end = self.began + Duration::from_secs(300);
        self.act();
        while !self.over && self.now < end {
            let next = self.coming.keys().next().map(|(at, _)| *at);
            let due = self.session.deadline();
            let Some(at) = next.into_iter().chain(due).min() else {
                return;
            };
            self.now = self.now.max(at);
            if next.is_some_and(|next| next <= self.now) {
                if let Some((_, next)) = self.coming.pop_first() {
                    self.happen(next);
                }
            } else {
                self.session.handle_timeout(self.now);
            }
            self.act();
        }
    }

    fn happen(&mut self, next: Next) {
        let now = self.now;
        match next {
            Next::Tell(Input::Answered) if self.phone_gone => {}
            Next::Tell(input) => {
                match &input {
                    Input::Answered => self.phone_up = true,
                    Input::Refused { .. } | Input::HungUp { .. } => self.phone_gone = true,
                    _ => {}
                }
                self.session.handle(input, now);
            }
            Next::AlexaGets(operation) => {
                self.alexa_takes(&operation);
            }
            Next::AlexaSays(operation) => self.say(operation),
            Next::Talk => {
                self.talked = self.alexa == Alexa::Up
                    && self.session.is_up()
                    && self.connected
                    && self.phone_up
                    && !self.phone_gone
                    && !self.held;
            }
            Next::HangUp => {
                if self.phone_up && !self.phone_gone {
                    self.phone_gone = true;
                    self.session.handle(Input::HungUp { code: 0 }, now);
                }
            }
        }
    }

    fn arrow(&mut self, to_alexa: bool, name: OperationName) -> Fault {
        let before = |arrow: &&Arrow| arrow.to_alexa == to_alexa && arrow.name == name;
        let nth = self.arrows.iter().filter(before).count();
        let arrow = Arrow {
            to_alexa,
            name,
            nth: u32::try_from(nth).unwrap(),
        };
        self.arrows.push(arrow);
        (self.fault)(arrow)
    }

    /// Alexa says something to us.
    fn say(&mut self, operation: Operation) {
        let fault = self.arrow(false, operation.name());
        let times = match fault {
            Fault::Lost => return,
            Fault::Twice => 2,
            _ => 1,
        };
        for time in 1..=times {
            let input = match operation.clone() {
                Operation::CallUpdate { kind, .. } => Input::AlexaOffers {
                    answer: Ok(Reanswered {
                        sdp: "our new answer".to_owned(),
                        held: kind == RenegotiationKind::CallHold,
                    }),
                    kind,
                },
                other => Input::Alexa(other),
            };
            self.after(fault.delay() * time, Next::Tell(input));
        }
    }

    /// Alexa takes a message; its status.
    fn alexa_takes(&mut self, operation: &Operation) -> u16 {
        let wrong = 400;
        match (operation, self.alexa) {
            (_, Alexa::Ended) => return wrong,
            (Operation::CallEnded { result }, _) => {
                self.alexa = Alexa::Ended;
                self.code = Some(result.code.clone());
            }
            (Operation::InitiateInboundCall { .. }, Alexa::Idle) => {
                self.alexa = Alexa::Calling;
                let second = Duration::from_secs(1);
                self.after(second / 10, Next::AlexaSays(Operation::CallRinging));
                if self.plot.early_media {
                    let sdp = answer("theirs");
                    self.after(
                        second / 2,
                        Next::AlexaSays(Operation::CallInProgress { sdp }),
                    );
                }
                let sdp = Some(answer("theirs"));
                self.after(second, Next::AlexaSays(Operation::CallAccepted { sdp }));
            }
            (Operation::InitiateInboundCall { .. }, _) => return 409,
            (_, Alexa::Idle) => return 404,
            (Operation::CallRinging, Alexa::Calling) if !self.rang => {
                self.rang = true;
                self.say(Operation::CallRingingAck);
            }
            (Operation::CallInProgress { .. }, Alexa::Calling) => {
                self.say(Operation::CallInProgressAck);
                self.connect();
            }
            (Operation::CallAccepted { .. }, Alexa::Calling) => {
                self.alexa = Alexa::Up;
                self.say(Operation::CallAcceptedAck);
                self.connect();
                self.hold_later();
            }
            (Operation::CallAcceptedAck, Alexa::Calling) => {
                self.alexa = Alexa::Up;
                self.hold_later();
            }
            (Operation::CallUpdate { kind, .. }, Alexa::Up) => {
                self.held = *kind == RenegotiationKind::CallHold;
                let (kind, sdp) = (kind.clone(), answer("their new answer"));
                self.say(Operation::CallUpdateResponse { kind, sdp });
            }
            (Operation::CallUpdateResponse { .. }, Alexa::Up) => {
                self.say(Operation::CallUpdateAck);
            }
            (
                Operation::CallRingingAck
                | Operation::CallInProgressAck
                | Operation::CallAcceptedAck
                | Operation::CallUpdateAck,
                _,
            ) => {}
            _ => return wrong,
        }
        200
    }

    fn hold_later(&mut self) {
        if self.plot.phone_holds {
            for (seconds, holds) in [(2, true), (5, false)] {
                let holds = Next::Tell(Input::PhoneHolds(holds));
                self.after(Duration::from_secs(seconds), holds);
            }
        }
        if self.plot.holds {
            for (seconds, kind) in [
                (2, RenegotiationKind::CallHold),
                (6, RenegotiationKind::CallResume),
            ] {
                let sdp = SdpDetails::offer("their new offer");
                let update = Operation::CallUpdate { kind, sdp };
                self.after(Duration::from_secs(seconds), Next::AlexaSays(update));
            }
        }
    }

    fn connect(&mut self) {
        if !std::mem::replace(&mut self.connected, true) {
            self.after(Duration::from_millis(100), Next::Tell(Input::Connected));
        }
    }

    fn act(&mut self) {
        while let Some(action) = self.session.poll(self.now) {
            match action {
                Action::Post(post) => self.post(post.number, &post.operation),
                Action::Dial => {
                    self.after(Duration::from_millis(100), Next::Tell(Input::Ringing));
                    if self.plot.early_media {
                        self.after(Duration::from_millis(500), Next::Tell(Input::EarlyMedia));
                    }
                    self.after(Duration::from_secs(1), Next::Tell(Input::Answered));
                }
                Action::CancelDial => {
                    assert!(!self.phone_up);
                    self.phone_gone = true;
                    let refused = Input::Refused {
                        status: 487,
                        reason: "Request Terminated".to_owned(),
                    };
                    self.after(Duration::from_millis(50), Next::Tell(refused));
                }
                Action::Answer => {
                    assert!(!self.phone_gone && !self.phone_up, "answered twice");
                    self.phone_up = true;
                }
                Action::Reject(status) => {
                    assert!(!self.phone_up && status >= 400);
                    self.phone_gone = true;
                }
                Action::HangUp => self.phone_gone = true,
                Action::TakeAnswer(_) => self.connect(),
                Action::Reoffer { kind, .. } => {
                    let offer = Ok("our new offer".to_owned());
                    self.after(Duration::ZERO, Next::Tell(Input::Reoffered { kind, offer }));
                }
                Action::End => self.over = true,
                Action::OfferPhone
                | Action::Ring
                | Action::Progress
                | Action::Bridge
                | Action::HoldPhone(_)
                | Action::Note { .. } => {}
            }
        }
    }

    fn post(&mut self, number: u64, operation: &Operation) {
        let fault = self.arrow(true, operation.name());
        let lost = Outcome::Unreachable {
            reason: "time-out".to_owned(),
        };
        let timed_out = Duration::from_secs(8);
        let outcome = match fault {
            Fault::Lost => return self.posted(timed_out, number, lost),
            Fault::ReplyLost => {
                self.alexa_takes(operation);
                return self.posted(timed_out, number, lost);
            }
            Fault::Late | Fault::Overtaken => {
                // Alexa takes it late, and answers then.
                let delay = fault.delay();
                self.after(delay, Next::AlexaGets(operation.clone()));
                signaling::Outcome::taken(202)
            }
            Fault::Twice => {
                let first = self.alexa_takes(operation);
                self.alexa_takes(operation);
                signaling::Outcome::taken(first)
            }
            Fault::None => signaling::Outcome::taken(self.alexa_takes(operation)),
        };
        let delay = fault.delay();
        self.posted(delay, number, Outcome::Answered(outcome));
    }

    fn posted(&mut self, delay: Duration, number: u64, outcome: Outcome) {
        self.after(delay, Next::Tell(Input::Posted { number, outcome }));
    }
}

/// A result for tests.
pub(super) fn result(code: ResultCode) -> CallResult {
    CallResult {
        code,
        message: None,
    }
}
