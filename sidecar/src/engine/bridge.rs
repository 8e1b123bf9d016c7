//! CallAndBridge (facts F6, E4): leg A stays unanswered until leg B answers.

use skillcall_protocol::sma::ErrorType;
use skillcall_protocol::sma::action::{BridgeEndpoint, CallAndBridge};
use skillcall_protocol::sma::event::Direction;

use super::call::Call;
use super::command::{Command, LegId, PlayId, PlaySource};
use super::input::Failure;
use super::leg::{Leg, LegState};
use super::running::{Origin, Running, Step};
use super::timers::Timer;

impl Call {
    pub(super) fn start_call_and_bridge(&mut self, origin: Origin, action: CallAndBridge) {
        let endpoint = match self.may_bridge(&origin, &action) {
            Ok(endpoint) => endpoint,
            Err(told) => {
                return self.failed(
                    &origin,
                    &Failure::new(ErrorType::InvalidActionParameter, told),
                );
            }
        };
        let unanswered = self.legs.a.state == LegState::Unanswered;
        if unanswered {
            self.push(Command::Ring {
                leg: LegId::A,
                early_media: action.ringback_tone.is_some(),
            });
        }
        let timeout = action.timeout();
        let leg = self.legs.next_id();
        let call_id = (self.ids)();
        let mut called = Leg::new(
            leg,
            call_id.clone(),
            Direction::Outbound,
            (action.caller_id_number.clone(), endpoint.uri().to_owned()),
            self.now.unix_millis,
        );
        if let BridgeEndpoint::Aws { arn, .. } = &endpoint {
            called.voice_connector.clone_from(arn);
        }
        self.legs.b = Some(called);
        self.push(Command::Dial {
            leg,
            call_id,
            endpoint,
            caller_id: action.caller_id_number,
            headers: action.sip_headers,
        });
        self.timers.set(Timer::Step, self.now.instant + timeout);
        // An unanswered caller's own telephone makes the ordinary tone.
        let own_tone = action.ringback_tone.is_some();
        let tone = match action.ringback_tone {
            Some(file) => Some(PlaySource::File(file)),
            None => (!unanswered).then_some(PlaySource::RingingTone),
        };
        let ringback = tone.map(|source| {
            let play = PlayId(self.number());
            self.push(Command::Play {
                play,
                leg: LegId::A,
                source,
                times: None,
            });
            play
        });
        self.run(
            origin,
            Step::Calling {
                leg,
                ringback,
                own_tone,
            },
        );
    }

    fn may_bridge(
        &self,
        origin: &Origin,
        action: &CallAndBridge,
    ) -> Result<BridgeEndpoint, String> {
        if origin.leg != LegId::A {
            return Err(format!(
                "the leg is {}; expected LEG-A, which alone can be bridged",
                origin.leg.tag()
            ));
        }
        if let Some(b) = self.legs.b.as_ref().filter(|leg| leg.is_alive()) {
            return Err(format!(
                "LEG-B is there already (CallId {}); hang it up first",
                b.call_id
            ));
        }
        let caller = &action.caller_id_number;
        if self.skill_call
            && same_number(caller, &self.legs.a.from)
            && !same_number(caller, &self.legs.a.to)
        {
            return Err("CallerIdNumber is the From of an Alexa skill call, which may not be used; expected a number of your own".to_owned());
        }
        let own = |number: &String| same_number(number, caller);
        let is_own = self.config.own_numbers.is_empty()
            || self.config.own_numbers.iter().any(own)
            || same_number(caller, &self.legs.a.to)
            || same_number(caller, &self.legs.a.from);
        if !is_own {
            return Err(
                "CallerIdNumber is neither a number of your own nor leg A's From".to_owned(),
            );
        }
        action
            .endpoints
            .first()
            .cloned()
            .ok_or_else(|| "Endpoints is empty; expected one".to_owned())
    }

    fn is_calling(&self, leg: LegId) -> bool {
        matches!(&self.running, Some(Running { step: Step::Calling { leg: mine, .. }, .. }) if *mine == leg)
    }

    /// The other party answered: both legs are connected (facts E4) and bridged.
    pub(super) fn on_answered(&mut self, leg: LegId) {
        if self.stop_awaiting(leg) {
            self.info(format!(
                "{leg} answered after it was given up, and is hung up"
            ));
            return self.push(Command::HangUp { leg });
        }
        if leg == LegId::A {
            return self.on_created_answered();
        }
        if !self.is_calling(leg) {
            return;
        }
        let Some(running) = self.take_running() else {
            return;
        };
        if let Step::Calling {
            ringback: Some(play),
            ..
        } = running.step
        {
            self.stop_play(LegId::A, play);
        }
        self.ensure_answered(LegId::A);
        if let Some(called) = self.legs.get_mut(leg) {
            called.connect(self.now.unix_millis);
        }
        self.bridge_with(leg);
        self.succeeded(&running.origin, running.origin.data());
    }

    /// The other party is heard before it answers, as on any telephone: an announcement, or its own ringing tone. A
    /// RingbackTone that the action names is played in its place (our choice; the facts are silent).
    pub(super) fn on_early_media(&mut self, leg: LegId) {
        let Some(Running {
            step:
                Step::Calling {
                    leg: called,
                    ringback,
                    own_tone: false,
                },
            ..
        }) = &mut self.running
        else {
            return;
        };
        if *called != leg || self.bridged == Some(leg) {
            return;
        }
        if let Some(play) = ringback.take() {
            self.stop_play(LegId::A, play);
        }
        if self.legs.a.state == LegState::Unanswered {
            self.push(Command::Ring {
                leg: LegId::A,
                early_media: true,
            });
        }
        self.info(format!("{leg} is heard before its answer"));
        self.bridge_with(leg);
    }

    fn bridge_with(&mut self, leg: LegId) {
        if self.bridged.replace(leg) != Some(leg) {
            self.push(Command::Bridge {
                a: LegId::A,
                b: leg,
            });
        }
    }

    /// The other party refused, or could not be reached.
    pub(super) fn on_refused(&mut self, leg: LegId, status: u16, reason: &str) {
        if self.stop_awaiting(leg) {
            return;
        }
        if leg == LegId::A {
            return self.on_created_refused(status, reason);
        }
        if !self.is_calling(leg) {
            return;
        }
        self.forget_called(leg, status);
        self.not_answered(&format!("{leg} was refused with {status} {reason}"));
    }

    pub(super) fn dial_timed_out(&mut self) {
        if let Some(Running {
            step: Step::Calling { leg, .. },
            ..
        }) = &self.running
        {
            let leg = *leg;
            self.give_up_dialing(leg);
            self.not_answered(&format!("{leg} did not answer within CallTimeoutSeconds"));
        }
    }

    /// The call attempt came to nothing. Leg B was never connected, so that no HANGUP follows.
    fn not_answered(&mut self, told: &str) {
        let Some(running) = self.take_running() else {
            return;
        };
        if let Step::Calling {
            ringback: Some(play),
            ..
        } = running.step
        {
            self.stop_play(LegId::A, play);
        }
        self.problem(told.to_owned());
        self.failed(
            &running.origin,
            &Failure::new(ErrorType::CallNotAnswered, "Call not answered"),
        );
    }

    /// Cancels a call attempt, whose end is then awaited. The leg is no part of the call any more.
    pub(super) fn give_up_dialing(&mut self, leg: LegId) {
        self.forget_called(leg, 487);
        self.legs.leaving.push(leg);
        self.timers.set(
            Timer::Cancel(leg),
            self.now.instant + self.config.limits.cancel,
        );
        self.push(Command::CancelDial { leg });
    }

    /// A leg B that was never connected is no part of the call any more.
    pub(super) fn forget_called(&mut self, leg: LegId, code: u16) {
        if self.bridged.take_if(|b| *b == leg).is_some() {
            self.push(Command::Unbridge {
                a: LegId::A,
                b: leg,
            });
        }
        if let Some(called) = self.legs.b.take_if(|b| b.id == leg) {
            let record = called.record(code, self.now.unix_millis);
            self.push(Command::LegEnded(Box::new(record)));
        }
    }

    /// A leg that was given up has come to its end. Says whether it was such a leg.
    pub(super) fn stop_awaiting(&mut self, leg: LegId) -> bool {
        self.timers.clear(Timer::Cancel(leg));
        let before = self.legs.leaving.len();
        self.legs.leaving.retain(|leaving| *leaving != leg);
        self.legs.leaving.len() != before
    }
}

/// Whether two texts are the same telephone number; a plus sign in front may be missing.
fn same_number(one: &str, other: &str) -> bool {
    one.trim_start_matches('+') == other.trim_start_matches('+')
}
