//! The action list: what runs next, for which leg, and which success is reported (facts F1, F2, F5).

use std::collections::VecDeque;

use serde_json::Value;
use skillcall_protocol::sma::action::LegSelector;
use skillcall_protocol::sma::{
    Action, ActionData, ErrorType, InvocationEventType, RequestedAction,
};

use super::call::Call;
use super::command::LegId;
use super::handler::ReplyUse;
use super::input::Failure;
use super::leg::LegState;
use super::running::{Origin, Running, Step};

/// The actions that have not begun.
#[derive(Debug)]
pub(super) struct ActionList {
    pending: VecDeque<RequestedAction>,
    /// The leg that triggered the event whose reply gave the list.
    trigger: LegId,
}

impl ActionList {
    pub(super) fn new() -> Self {
        Self {
            pending: VecDeque::new(),
            trigger: LegId::A,
        }
    }

    pub(super) fn replace(&mut self, actions: Vec<RequestedAction>, trigger: LegId) {
        self.pending = actions.into();
        self.trigger = trigger;
    }

    pub(super) fn clear(&mut self) {
        self.pending.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.pending.iter().map(|action| action.name.as_str())
    }
}

/// Whether an action's success is told even in the middle of a list (facts F2). Hangup is not here: its HANGUP tells.
fn reports_alone(name: &str) -> bool {
    matches!(
        name,
        "CallAndBridge"
            | "JoinChimeMeeting"
            | "ModifyChimeMeetingAttendees"
            | "PlayAudioAndGetDigits"
            | "RecordAudio"
            // Newer than the published list; they return data, which would be lost.
            | "SpeakAndGetDigits"
            | "StartBotConversation"
            | "StartCallRecording"
    )
}

impl Call {
    /// Begins the next action, if none runs. Says whether it did.
    pub(super) fn start_next(&mut self) -> bool {
        if self.running.is_some() {
            return false;
        }
        // An update may bring actions while leg A still rings: all but a Hangup wait for its answer (our choice).
        let waits = |next: &RequestedAction| next.name != "Hangup";
        if self.awaits_answer() && self.list.pending.front().is_some_and(waits) {
            return false;
        }
        let Some(requested) = self.list.pending.pop_front() else {
            return false;
        };
        let RequestedAction {
            name,
            parameters,
            checked,
        } = requested;
        let selector = checked.as_ref().map(selector).unwrap_or_default();
        let leg = self.resolve(&selector);
        let mut origin = Origin {
            name,
            echo: parameters,
            leg: leg.as_ref().copied().unwrap_or(self.list.trigger),
        };
        let names_no_leg = origin
            .echo
            .get("CallId")
            .is_none_or(|id| id.is_null() || id == "");
        if let (true, Some(leg)) = (names_no_leg, self.legs.get(origin.leg)) {
            origin
                .echo
                .insert("CallId".to_owned(), Value::from(leg.call_id.as_str()));
        }
        match (checked, leg) {
            (Err(error), _) => {
                let failure = Failure::new(error.error_type.clone(), error.message());
                self.failed(&origin, &failure);
            }
            (Ok(_), Err(failure)) => self.failed(&origin, &failure),
            (Ok(action), Ok(_)) => self.start(origin, action),
        }
        true
    }

    fn start(&mut self, origin: Origin, action: Action) {
        self.info(format!("{} begins on {}", origin.name, origin.leg));
        match action {
            Action::Pause(pause) => self.start_pause(origin, &pause),
            Action::Speak(speak) => self.start_speak(origin, speak),
            Action::PlayAudio(play) => self.start_play_audio(origin, play),
            Action::PlayAudioAndGetDigits(get) => self.start_play_audio_and_get_digits(origin, get),
            Action::SpeakAndGetDigits(get) => self.start_speak_and_get_digits(origin, get),
            Action::ReceiveDigits(listen) => self.start_receive_digits(origin, &listen),
            Action::RecordAudio(record) => self.start_record_audio(origin, &record),
            Action::StartCallRecording(record) => self.start_call_recording(origin, &record),
            Action::StopCallRecording(_) => self.stop_call_recording(origin),
            Action::CallAndBridge(bridge) => self.start_call_and_bridge(origin, bridge),
            Action::Hangup(hangup) => self.hang_up_by_action(&origin, hangup.sip_response_code),
            Action::PauseCallRecording(_) => self.pause_call_recording(origin, true),
            Action::ResumeCallRecording(_) => self.pause_call_recording(origin, false),
            Action::SendDigits(send) => self.start_send_digits(origin, send),
            Action::VoiceFocus(focus) => self.set_voice_focus(origin, focus.enable),
            Action::JoinChimeMeeting(join) => self.start_join_meeting(origin, join),
            Action::ModifyChimeMeetingAttendees(modify) => {
                self.start_modify_attendees(origin, modify)
            }
            Action::StartBotConversation(talk) => self.start_bot_conversation(origin, talk),
            Action::Other(..) => {
                let message = format!(
                    "{} is a known action, but this build of skillcall does not carry it out",
                    origin.name
                );
                self.failed(&origin, &Failure::new(ErrorType::SystemException, message));
            }
        }
    }

    /// The leg that an action is for (facts F5).
    fn resolve(&self, selector: &LegSelector) -> Result<LegId, Failure> {
        let refuse = |told: String| Failure::new(ErrorType::InvalidActionParameter, told);
        let here = || {
            let legs: Vec<_> = self
                .legs
                .iter()
                .filter(|leg| leg.is_alive())
                .map(|leg| leg.id.tag().to_string())
                .collect();
            legs.join(" and ")
        };
        if let Some(id) = &selector.call_id {
            let leg = self
                .legs
                .iter()
                .find(|leg| leg.call_id == *id && leg.is_alive());
            return leg.map(|leg| leg.id).ok_or_else(|| {
                refuse(format!(
                    "CallId is {:?}, which is no leg of this call; it has {}",
                    id.as_str(),
                    here()
                ))
            });
        }
        if let Some(tag) = &selector.participant_tag {
            let leg = self
                .legs
                .iter()
                .find(|leg| leg.id.tag() == *tag && leg.is_alive());
            return leg.map(|leg| leg.id).ok_or_else(|| {
                refuse(format!(
                    "ParticipantTag is {tag}, which is not in this call; it has {}",
                    here()
                ))
            });
        }
        // After a HANGUP the leg that triggered it is gone, and the reply is for the remaining one (facts E3).
        let trigger = self.legs.alive(self.list.trigger);
        let leg = trigger.or_else(|| self.legs.iter().find(|leg| leg.is_alive()));
        leg.map(|leg| leg.id)
            .ok_or_else(|| refuse("the call has no leg any more".to_owned()))
    }

    /// Makes an action the running one.
    pub(super) fn run(&mut self, origin: Origin, step: Step) {
        self.running = Some(Running {
            origin,
            since_unix_millis: self.now.unix_millis,
            step,
        });
    }

    /// An action is done.
    pub(super) fn succeeded(&mut self, origin: &Origin, data: ActionData) {
        self.info(format!("{} on {} is done", origin.name, origin.leg));
        if reports_alone(&origin.name) || self.list.is_empty() {
            self.report(
                InvocationEventType::ActionSuccessful,
                Some(data),
                ReplyUse::Actions,
                origin.leg,
            );
        }
    }

    /// An action failed: the rest of the list is dropped (facts F1).
    pub(super) fn failed(&mut self, origin: &Origin, failure: &Failure) {
        self.failed_with(origin, failure, |_| {});
    }

    /// The same, with more in the event.
    pub(super) fn failed_with(
        &mut self,
        origin: &Origin,
        failure: &Failure,
        more: impl FnOnce(&mut ActionData),
    ) {
        let dropped = match self.list.len() {
            0 => String::new(),
            n => format!("; the {n} actions after it are dropped"),
        };
        self.problem(format!(
            "{} on {} failed: {}: {}{dropped}",
            origin.name, origin.leg, failure.error_type, failure.message
        ));
        self.list.clear();
        let mut data = origin.data();
        // Two of Amazon's pages show this form (facts F7); code for either finds what it looks for.
        if matches!(
            failure.error_type,
            ErrorType::NoAccessToDestination | ErrorType::ErrorJoiningMeeting
        ) {
            data.error = Some(format!("{}: {}", failure.error_type, failure.message));
        }
        data.error_type = Some(failure.error_type.clone());
        data.error_message = Some(failure.message.clone());
        more(&mut data);
        self.report(
            InvocationEventType::ActionFailed,
            Some(data),
            ReplyUse::Actions,
            origin.leg,
        );
    }

    /// The running action failed: what it does is stopped, and it is reported.
    pub(super) fn running_failed(&mut self, failure: &Failure) {
        if let Some(running) = self.abort_running() {
            self.failed(&running.origin, failure);
        }
    }

    /// Answers leg A, if it is not answered: a media action begins (facts E4).
    pub(super) fn ensure_answered(&mut self, leg: LegId) {
        if let Some(unanswered) = self
            .legs
            .get_mut(leg)
            .filter(|leg| leg.state == LegState::Unanswered)
        {
            unanswered.connect(self.now.unix_millis);
            self.push(super::command::Command::Answer { leg });
        }
    }
}

fn selector(action: &Action) -> LegSelector {
    match action {
        Action::CallAndBridge(it) => it.leg.clone(),
        Action::Hangup(it) => it.leg.clone(),
        Action::JoinChimeMeeting(it) => it.leg.clone(),
        Action::ModifyChimeMeetingAttendees(it) => it.leg.clone(),
        Action::Pause(it) => it.leg.clone(),
        Action::PauseCallRecording(it) => it.leg.clone(),
        Action::PlayAudio(it) => it.leg.clone(),
        Action::PlayAudioAndGetDigits(it) => it.leg.clone(),
        Action::ReceiveDigits(it) => it.leg.clone(),
        Action::RecordAudio(it) => it.leg.clone(),
        Action::ResumeCallRecording(it) => it.leg.clone(),
        Action::SendDigits(it) => it.leg.clone(),
        Action::Speak(it) => it.leg.clone(),
        Action::SpeakAndGetDigits(it) => it.leg.clone(),
        Action::StartBotConversation(it) => it.leg.clone(),
        Action::StartCallRecording(it) => it.leg.clone(),
        Action::StopCallRecording(it) => it.leg.clone(),
        Action::VoiceFocus(it) => it.leg.clone(),
        Action::Other(..) => LegSelector::default(),
    }
}
