//! How legs and calls end, by whomever: HANGUP events, one for each leg (facts E3, F6).

use serde_json::{Map, Value};
use skillcall_protocol::sma::action::HangupCode;
use skillcall_protocol::sma::{ActionData, InvocationEventType};

use super::call::Call;
use super::command::{Command, LegId};
use super::created::Created;
use super::handler::ReplyUse;
use super::leg::LegState;
use super::running::{Origin, Step, stored};
use super::timers::Timer;

impl Call {
    /// Hangup: an unanswered leg A is rejected (facts E4), an answered leg is ended. Its HANGUP is the action's report.
    pub(super) fn hang_up_by_action(&mut self, origin: &Origin, code: HangupCode) {
        if self.is_meeting(origin.leg) {
            return self.hang_up_meeting(origin);
        }
        let rejection = match code {
            // 0 is no SIP status; "not available now" is what it comes nearest to.
            HangupCode::Normal | HangupCode::Unavailable => 480,
            HangupCode::Busy => 486,
        };
        self.dismiss(origin.leg, rejection, code.code());
    }

    /// Ends a leg from our side; what runs on it ends before it. An unanswered leg A gets `rejection`, `code` is for
    /// the HANGUP.
    pub(super) fn dismiss(&mut self, leg: LegId, rejection: u16, code: u16) {
        let state = self.legs.get(leg).map(|leg| leg.state);
        self.gone(leg, code);
        match state {
            Some(LegState::Unanswered) if leg == LegId::A && self.created.is_some() => {
                if matches!(self.created, Some(Created::Called { .. })) {
                    self.give_up_dialing(leg);
                }
            }
            Some(LegState::Unanswered) if leg == LegId::A => {
                self.push(Command::Reject {
                    leg,
                    status: rejection,
                });
            }
            // `gone` has left the meeting.
            Some(LegState::Connected) if self.is_meeting(leg) => {}
            Some(LegState::Connected) => self.push(Command::HangUp { leg }),
            _ => {}
        }
    }

    /// Ends all legs: the handler failed, an operator asks, the sidecar goes down. An unanswered caller gets `status`.
    pub(super) fn end_all(&mut self, status: u16) {
        self.list.clear();
        for leg in [self.legs.b.as_ref().map(|leg| leg.id), Some(LegId::A)]
            .into_iter()
            .flatten()
        {
            // A leg B that is still called ends with the CallAndBridge on leg A, and was no leg for a HANGUP yet.
            if let Some(alive) = self
                .legs
                .alive(leg)
                .filter(|alive| leg == LegId::A || alive.state == LegState::Connected)
            {
                // An answered leg ends in an ordinary BYE.
                let code = if alive.state == LegState::Unanswered {
                    status
                } else {
                    0
                };
                self.dismiss(leg, status, code);
            }
        }
    }

    /// A leg has ended. Media and SIP of it are gone; what is left of the call goes on (facts F6: one leg's end never
    /// ends the other).
    pub(super) fn gone(&mut self, leg: LegId, code: u16) {
        if self.legs.alive(leg).is_none() {
            return;
        }
        self.disarm(leg);
        if let Some(b) = self.bridged.filter(|b| *b == leg || leg == LegId::A) {
            self.bridged = None;
            self.push(Command::Unbridge { a: LegId::A, b });
        }
        if let Some(ended) = self.legs.get_mut(leg) {
            ended.state = LegState::Gone;
            ended.listening = false;
        }
        self.end_action_on(leg);
        if self.is_meeting(leg) {
            self.leave_meeting();
        }
        let last = !self.legs.any_alive();
        if last {
            self.list.clear();
        }
        if leg == LegId::A {
            self.timers.clear(Timer::Ring);
        }
        let Some(ended) = self.legs.get(leg) else {
            return;
        };
        let record = ended.record(code, self.now.unix_millis);
        let mut parameters = Map::new();
        parameters.insert("SipResponseCode".to_owned(), Value::from(code));
        parameters.insert("CallId".to_owned(), Value::from(ended.call_id.as_str()));
        parameters.insert("ParticipantTag".to_owned(), Value::from(leg.tag().as_str()));
        self.push(Command::LegEnded(Box::new(record)));
        self.info(format!("{leg} has ended ({code})"));
        // The reply to a single leg's HANGUP is not used (facts E3).
        let usage = if last {
            ReplyUse::Attributes
        } else {
            ReplyUse::Actions
        };
        self.report(
            InvocationEventType::Hangup,
            Some(ActionData::new("Hangup", parameters)),
            usage,
            leg,
        );
    }

    /// The leg's action ends with it, unreported, and so does the list: the HANGUP tells. Only a recording is told,
    /// because a caller who leaves a message ends it by hanging up, and its place would be lost (our choice).
    fn end_action_on(&mut self, leg: LegId) {
        if self
            .running
            .as_ref()
            .is_none_or(|running| running.origin.leg != leg)
        {
            return;
        }
        let Some(running) = self.abort_running() else {
            return;
        };
        let dropped = self.list.len();
        self.list.clear();
        self.info(format!(
            "{} on {leg} ends because the leg does; {dropped} actions after it are dropped",
            running.origin.name
        ));
        if let Step::Recording { object, used, .. } = &running.step {
            let mut data = running.origin.data();
            data.recording_destination = Some(stored(object));
            data.recording_terminator_used = used.map(|digit| digit.to_string());
            self.report(
                InvocationEventType::ActionSuccessful,
                Some(data),
                ReplyUse::Attributes,
                leg,
            );
        }
    }
}
