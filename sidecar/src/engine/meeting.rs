//! JoinChimeMeeting and ModifyChimeMeetingAttendees (facts F6). A meeting is leg B of its call (facts E2).

use serde_json::{Value, json};
use skillcall_protocol::sma::action::{
    AttendeeOperation, JoinChimeMeeting, ModifyChimeMeetingAttendees,
};
use skillcall_protocol::sma::event::Direction;
use skillcall_protocol::sma::{ErrorType, InvocationEventType};

use super::call::Call;
use super::command::{Command, LegId};
use super::handler::ReplyUse;
use super::input::Failure;
use super::leg::{Leg, LegState};
use super::running::{Origin, Running, Step};

/// Whom a meeting's leg calls, and who calls it (facts E2): handlers tell the leg by this number.
const MEETING: (&str, &str) = ("SMA", "+17035550122");

impl Call {
    /// Leg A joins a meeting; it is answered when it is in it.
    pub(super) fn start_join_meeting(&mut self, origin: Origin, action: JoinChimeMeeting) {
        if let Err(told) = self.may_join(&origin) {
            let failure = Failure::new(ErrorType::InvalidActionParameter, told);
            return self.failed(&origin, &failure);
        }
        let leg = self.legs.next_id();
        let mut meeting = Leg::new(
            leg,
            (self.ids)(),
            Direction::Outbound,
            (MEETING.0.to_owned(), MEETING.1.to_owned()),
            self.now.unix_millis,
        );
        meeting.is_meeting = true;
        self.legs.b = Some(meeting);
        self.push(Command::JoinMeeting {
            leg: LegId::A,
            meeting: leg,
            meeting_id: action.meeting_id,
            join_token: action.join_token,
        });
        self.run(origin, Step::Joining { leg });
    }

    fn may_join(&self, origin: &Origin) -> Result<(), String> {
        if origin.leg != LegId::A {
            return Err(format!(
                "the leg is {}; expected LEG-A, which alone can join a meeting",
                origin.leg.tag()
            ));
        }
        match self.legs.b.as_ref().filter(|leg| leg.is_alive()) {
            Some(b) => Err(format!(
                "LEG-B is there already (CallId {}), and a bridged call cannot join a meeting; hang it up first",
                b.call_id
            )),
            None => Ok(()),
        }
    }

    pub(super) fn is_joining(&self, leg: LegId) -> bool {
        matches!(&self.running, Some(Running { step: Step::Joining { leg: mine }, .. }) if *mine == leg)
    }

    /// Leg A hears the meeting.
    pub(super) fn on_meeting_joined(&mut self, leg: LegId) {
        if !self.is_joining(leg) {
            return;
        }
        let Some(running) = self.take_running() else {
            return;
        };
        self.ensure_answered(LegId::A);
        if let Some(meeting) = self.legs.get_mut(leg) {
            meeting.connect(self.now.unix_millis);
        }
        self.succeeded(&running.origin, running.origin.data());
    }

    /// The meeting cannot be joined.
    pub(super) fn on_meeting_refused(&mut self, leg: LegId, failure: &Failure) {
        if !self.is_joining(leg) {
            return;
        }
        let Some(running) = self.take_running() else {
            return;
        };
        self.forget_called(leg, 480);
        self.failed(&running.origin, failure);
    }

    /// Whether a leg is a meeting's.
    pub(super) fn is_meeting(&self, leg: LegId) -> bool {
        self.legs.get(leg).is_some_and(|leg| leg.is_meeting)
    }

    /// Leg A does not hear the meeting any more.
    pub(super) fn leave_meeting(&mut self) {
        if self.legs.alive(LegId::A).is_some() {
            self.push(Command::LeaveMeeting { leg: LegId::A });
        }
    }

    /// Hangup of a meeting's leg: told by ACTION_SUCCESSFUL, and by no HANGUP (facts F6).
    pub(super) fn hang_up_meeting(&mut self, origin: &Origin) {
        self.disarm(origin.leg);
        if let Some(meeting) = self.legs.get_mut(origin.leg) {
            meeting.state = LegState::Gone;
            meeting.listening = false;
            let record = meeting.record(0, self.now.unix_millis);
            self.push(Command::LegEnded(Box::new(record)));
        }
        self.leave_meeting();
        let last = !self.legs.any_alive();
        if last {
            self.list.clear();
        }
        self.info(format!("{} has left the meeting", LegId::A));
        self.report(
            InvocationEventType::ActionSuccessful,
            Some(origin.data()),
            if last {
                ReplyUse::Attributes
            } else {
                ReplyUse::Actions
            },
            origin.leg,
        );
    }

    /// Attendees of the meeting are muted or unmuted.
    pub(super) fn start_modify_attendees(
        &mut self,
        origin: Origin,
        action: ModifyChimeMeetingAttendees,
    ) {
        let joined = self
            .legs
            .b
            .as_ref()
            .is_some_and(|leg| leg.is_meeting && leg.state == LegState::Connected);
        if !joined || self.legs.alive(LegId::A).is_none() {
            let told = "the call is in no meeting; expected a JoinChimeMeeting before";
            return self.attendees_refused(&origin, told.to_owned(), &[]);
        }
        self.push(Command::MuteAttendees {
            leg: LegId::A,
            muted: action.operation == AttendeeOperation::Mute,
            meeting_id: action.meeting_id,
            attendees: action.attendee_list,
        });
        self.run(origin, Step::ModifyingAttendees);
    }

    /// What came of muting: nothing, or why not and which attendees are not the meeting's.
    pub(super) fn on_attendees_modified(&mut self, result: Result<(), (String, Vec<String>)>) {
        if !matches!(
            &self.running,
            Some(Running {
                step: Step::ModifyingAttendees,
                ..
            })
        ) {
            return;
        }
        let Some(running) = self.take_running() else {
            return;
        };
        match result {
            Ok(()) => {
                let mut data = running.origin.data();
                data.error_list = Some(Vec::new());
                self.succeeded(&running.origin, data);
            }
            Err((told, foreign)) => self.attendees_refused(&running.origin, told, &foreign),
        }
    }

    fn attendees_refused(&mut self, origin: &Origin, told: String, foreign: &[String]) {
        let list: Vec<Value> = foreign
            .iter()
            .map(|id| json!({ "AttendeeId": id, "ErrorMessage": "no attendee of the meeting" }))
            .collect();
        let failure = Failure::new(ErrorType::InvalidActionParameter, told);
        self.failed_with(origin, &failure, |data| data.error_list = Some(list));
    }
}
