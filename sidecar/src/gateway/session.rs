//! One call between a device and a phone.

use std::collections::VecDeque;
use std::time::Instant;

use skillcall_protocol::signaling::{
    Operation, Participant, RenegotiationKind, ResultCode, SdpDetails,
};

use super::codes::result_of;
use super::event::{Action, Input, Side};
use super::outbox::Outbox;
use super::timers::{Timer, Timers, Times};

/// Who calls whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// The device calls the phone.
    Alexa,
    /// The phone calls the device.
    Phone,
}

/// How far Alexa's leg is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AlexaState {
    /// It is not answered.
    Calling,
    /// It is answered.
    Up,
    /// Our CallEnded is on its way.
    Leaving,
    /// It is gone.
    Gone,
}

/// How far the phone's leg is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PhoneState {
    /// It is not answered.
    Calling,
    /// It is answered.
    Up,
    /// It was cancelled.
    Leaving,
    /// It is gone.
    Gone,
}

/// A session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(super) times: Times,
    pub(super) caller: Caller,
    pub(super) alexa: AlexaState,
    pub(super) phone: PhoneState,
    pub(super) outbox: Outbox,
    pub(super) actions: VecDeque<Action>,
    pub(super) timers: Timers,
    /// Our answer to the device's first offer, until it is given.
    pub(super) answer: Option<String>,
    /// The answer that Alexa has: its own or ours.
    pub(super) described: bool,
    pub(super) told_ringing: bool,
    pub(super) told_progress: bool,
    pub(super) bridged: bool,
    pub(super) connected: bool,
    /// Alexa has acknowledged CallAccepted.
    pub(super) acknowledged: bool,
    pub(super) device_holds: bool,
    /// What the phone was last asked for, and whether it has not answered yet.
    pub(super) phone_held: bool,
    pub(super) phone_changing: bool,
    pub(super) phone_holds: bool,
    /// What Alexa was last told of the phone's hold.
    pub(super) told_hold: bool,
    /// The last answer to an offer of Alexa's within the call.
    pub(super) last_answer: Option<String>,
    /// Alexa, and the phone, have to be told of the other side's video.
    pub(super) alexa_due: bool,
    pub(super) phone_due: bool,
    ended: bool,
}

impl Session {
    fn new(caller: Caller, times: Times, now: Instant) -> Self {
        let mut timers = Timers::default();
        timers.set(Timer::Ring, now + times.ring);
        timers.set(Timer::Session, now + times.session);
        timers.set(Timer::React, now + times.react);
        Self {
            times,
            caller,
            alexa: AlexaState::Calling,
            phone: PhoneState::Calling,
            outbox: Outbox::default(),
            actions: VecDeque::new(),
            timers,
            answer: None,
            described: false,
            told_ringing: false,
            told_progress: false,
            bridged: false,
            connected: false,
            acknowledged: false,
            device_holds: false,
            phone_held: false,
            phone_changing: false,
            phone_holds: false,
            told_hold: false,
            last_answer: None,
            alexa_due: false,
            phone_due: false,
            ended: false,
        }
    }

    /// The device calls. `way`: our answer to its offer when there is somebody to call; else what Alexa is told.
    pub(crate) fn from_alexa(
        way: Result<String, (ResultCode, String)>,
        times: Times,
        now: Instant,
    ) -> Self {
        let mut session = Self::new(Caller::Alexa, times, now);
        match way {
            Ok(answer) => {
                session.last_answer = Some(answer.clone());
                session.answer = Some(answer);
                session.act(Action::Dial);
            }
            Err((code, why)) => {
                session.phone = PhoneState::Gone;
                session.end(code, &why, 500, now);
            }
        }
        session
    }

    /// Whether our answer to the device's first offer is still to be given.
    pub(crate) const fn holds_answer(&self) -> bool {
        self.answer.is_some()
    }

    /// Our answer to the device's first offer is this instead, as it was not given yet.
    pub(crate) fn amend_answer(&mut self, answer: String) {
        if self.answer.is_some() {
            self.last_answer = Some(answer.clone());
            self.answer = Some(answer);
        }
    }

    /// The phone calls, with our offer for the device.
    pub(crate) fn from_phone(
        participants: Vec<Participant>,
        offer: String,
        caller_name: Option<String>,
        times: Times,
        now: Instant,
    ) -> Self {
        let mut session = Self::new(Caller::Phone, times, now);
        let custom_params = caller_name.map(|name| skillcall_protocol::signaling::CustomParams {
            caller_name: Some(name),
            ..Default::default()
        });
        session.outbox.say(Operation::InitiateInboundCall {
            participants,
            sdp: SdpDetails::offer(offer),
            custom_params,
        });
        session
    }

    /// A session whose phone is gone, with all that was known of it: Alexa is told that it is over.
    pub(crate) fn lost(why: &str, times: Times, now: Instant) -> Self {
        let mut session = Self::new(Caller::Alexa, times, now);
        session.phone = PhoneState::Gone;
        session.end(ResultCode::InternalError, why, 500, now);
        session
    }

    /// The next thing to do.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Action> {
        if let Some(action) = self.actions.pop_front() {
            return Some(action);
        }
        if let Some(post) = self.outbox.poll(now, &self.times) {
            return Some(Action::Post(post));
        }
        let over = self.alexa == AlexaState::Gone && self.phone == PhoneState::Gone;
        (over && self.outbox.is_empty() && !std::mem::replace(&mut self.ended, true))
            .then_some(Action::End)
    }

    /// When it wants [`Session::handle_timeout`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        [self.timers.next(), self.outbox.next()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Whether a side is to be heard of, or the call is to be ended as dead.
    pub(crate) fn expects_media(&self, side: Side) -> bool {
        let up = self.alexa == AlexaState::Up && self.phone == PhoneState::Up;
        // A party that holds, or is held by the other one, may be silent.
        up && match side {
            Side::Alexa => self.connected && !self.device_holds && !self.phone_holds,
            Side::Phone => !self.device_holds && !self.phone_holds,
        }
    }

    /// Whether both sides are answered.
    pub(crate) fn is_up(&self) -> bool {
        self.alexa == AlexaState::Up && self.phone == PhoneState::Up
    }

    /// Whether Alexa's leg is over, or about to be.
    pub(crate) fn is_leaving(&self) -> bool {
        matches!(self.alexa, AlexaState::Leaving | AlexaState::Gone)
    }

    /// Something happened.
    pub(crate) fn handle(&mut self, input: Input, now: Instant) {
        match input {
            Input::Alexa(operation) => self.hear(operation, now),
            Input::AlexaOffers { kind, answer } => self.on_offer(kind, answer),
            Input::Posted { number, outcome } => {
                let delivered = self.outbox.posted(number, &outcome, now, &self.times);
                self.delivered(delivered, now);
            }
            Input::Ringing => self.on_ringing(),
            Input::EarlyMedia => self.on_early_media(),
            Input::Answered => self.on_phone_answered(now),
            Input::Refused { status, reason } => self.on_refused(status, &reason, now),
            Input::Cancelled => {
                self.phone = PhoneState::Gone;
                self.end(ResultCode::Success, "the caller gave up", 487, now);
            }
            Input::HungUp { code } => {
                self.phone = PhoneState::Gone;
                let (result, why) = match code {
                    0 => (ResultCode::Success, "the phone hung up".to_owned()),
                    code => (result_of(code), format!("the phone is lost: {code}")),
                };
                self.end(result, &why, 500, now);
            }
            Input::PhoneHolds(holds) => self.on_phone_holds(holds),
            Input::PhoneReplaced => self.on_phone_replaced(),
            Input::PhoneChanged => {
                self.phone_changing = false;
                self.hold_phone();
            }
            Input::Connected => {
                self.connected = true;
                self.timers.stop(Timer::Connect);
            }
            Input::Disconnected { reason } => {
                let why = format!("media of the device: {reason}");
                self.end(ResultCode::InternalError, &why, 500, now);
            }
            Input::Unusable { reason } => {
                let why = format!("the device's description: {reason}");
                self.end(ResultCode::InternalError, &why, 488, now);
            }
            Input::Silent(side) => {
                if self.expects_media(side) {
                    let why = match side {
                        Side::Alexa => "nothing comes from the device",
                        Side::Phone => "nothing comes from the phone",
                    };
                    self.end(ResultCode::SessionTimeout, why, 408, now);
                }
            }
            Input::VideoDue { alexa, phone } => self.on_video_due(alexa, phone),
            Input::Reoffered { kind, offer } => self.on_reoffered(kind, offer, now),
            Input::Terminate => {
                self.end(ResultCode::Success, "the call was ended here", 480, now);
            }
        }
    }

    /// A time has come.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.take_due(now) {
            match timer {
                Timer::Ring => {
                    self.end(ResultCode::SessionTimeout, "nobody answered", 408, now);
                }
                Timer::React => {
                    let why = match self.caller {
                        Caller::Alexa => "the phone did not react",
                        Caller::Phone => "the device did not react",
                    };
                    self.end(ResultCode::SessionTimeout, why, 408, now);
                }
                Timer::Repeat => self.accept_again(),
                Timer::Ack => {
                    let why = "no CallAcceptedAck came";
                    self.end(ResultCode::SessionTimeout, why, 408, now);
                }
                Timer::Connect => {
                    let why = "the device's media did not connect";
                    self.end(ResultCode::SessionTimeout, why, 408, now);
                }
                Timer::Session => {
                    self.end(
                        ResultCode::SessionTimeout,
                        "the call was too long",
                        408,
                        now,
                    );
                }
                Timer::Crossing => {
                    let why = "Alexa's call is in another state";
                    self.end(ResultCode::InternalError, why, 500, now);
                }
                Timer::Update => {
                    self.note(true, "no CallUpdateResponse came; the call goes on");
                    // What has changed meanwhile is still to be told.
                    self.tell_hold();
                }
                Timer::Cancel => self.phone = PhoneState::Gone,
                Timer::Farewell => {
                    if self.alexa == AlexaState::Leaving {
                        self.note(true, "CallEnded did not reach Alexa");
                        self.alexa_gone();
                    }
                }
            }
        }
    }

    /// Alexa has taken the acceptance.
    pub(super) fn accepted_is_known(&mut self) {
        self.acknowledged = true;
        self.timers.stop(Timer::Repeat);
        self.timers.stop(Timer::Ack);
        self.tell_video();
    }

    pub(super) fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    pub(super) fn note(&mut self, problem: bool, text: &str) {
        self.act(Action::Note {
            problem,
            text: text.to_owned(),
        });
    }

    pub(super) fn bridge(&mut self) {
        if !std::mem::replace(&mut self.bridged, true) {
            self.act(Action::Bridge);
        }
    }

    /// Media have to come up from now on.
    pub(super) fn expect_connection(&mut self, now: Instant) {
        if !self.connected && self.alexa == AlexaState::Up {
            self.timers.set(Timer::Connect, now + self.times.connect);
        }
    }

    /// What an offer for Alexa is called.
    pub(super) fn kind_of(held: bool) -> RenegotiationKind {
        if held {
            RenegotiationKind::CallHold
        } else {
            RenegotiationKind::CallResume
        }
    }
}
