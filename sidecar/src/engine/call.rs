//! One call: what comes in is handed to the part that knows, and afterwards the call settles.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use skillcall_protocol::sma::event::Direction;
use skillcall_protocol::sma::{
    ActionData, CallId, ErrorType, InvocationEventType, SipHeaders, TransactionAttributes,
    TransactionId,
};

use super::created::Created;

use super::command::{Command, LegId, Note, Severity};
use super::config::EngineConfig;
use super::handler::{Handler, ReplyUse};
use super::input::{Failure, InboundCall, Input, Now};
use super::leg::{Leg, LegState, Legs};
use super::list::ActionList;
use super::listener::Listener;
use super::running::{Running, Step};
use super::timers::{Timer, Timers};

/// Makes a new CallId for each leg that the call dials.
pub type CallIds = Box<dyn FnMut() -> CallId + Send>;

/// The state of one call, from its INVITE to its last HANGUP (facts E, F).
pub struct Call {
    pub(super) config: Arc<EngineConfig>,
    /// The other applications of the rule, in order.
    pub(super) targets: VecDeque<Arc<EngineConfig>>,
    pub(super) ids: CallIds,
    pub(super) transaction_id: TransactionId,
    pub(super) attributes: Option<TransactionAttributes>,
    /// Whether an Alexa skill's call, whose From may not be shown to others (facts F6).
    pub(super) skill_call: bool,
    /// How far a call is that was made through the API.
    pub(super) created: Option<Created>,
    pub(super) legs: Legs,
    /// The leg B that hears leg A.
    pub(super) bridged: Option<LegId>,
    pub(super) list: ActionList,
    pub(super) running: Option<Running>,
    pub(super) listeners: BTreeMap<LegId, Listener>,
    pub(super) handler: Handler,
    pub(super) timers: Timers,
    pub(super) now: Now,
    commands: VecDeque<Command>,
    numbers: u32,
    over: bool,
}

impl Call {
    /// A call has come in: the handler is asked, NEW_INBOUND_CALL (facts E3). `ids` makes the CallIds of further legs.
    pub fn inbound(config: Arc<EngineConfig>, call: InboundCall, ids: CallIds, now: Now) -> Self {
        let headers: SipHeaders = call
            .headers
            .iter()
            .filter(|(name, _)| SipHeaders::is_surfaced(name))
            .collect();
        let skill_call = headers.get("X-Alexa-LWA-ClientId").is_some();
        let mut leg = Leg::new(
            LegId::A,
            call.call_id,
            Direction::Inbound,
            (call.from, call.to),
            now.unix_millis,
        );
        leg.headers = headers;
        let mut call = Self::begin(config, call.transaction_id, leg, ids, now);
        call.skill_call = skill_call;
        call.report(
            InvocationEventType::NewInboundCall,
            None,
            ReplyUse::Actions,
            LegId::A,
        );
        call.settle();
        call
    }

    /// The other applications of the rule: each is asked, in this order, when the one before cannot be (facts F3).
    pub fn or_else(&mut self, targets: impl IntoIterator<Item = Arc<EngineConfig>>) {
        self.targets.extend(targets);
    }

    /// A call with its leg A, before anything has happened.
    pub(super) fn begin(
        config: Arc<EngineConfig>,
        transaction_id: TransactionId,
        leg: Leg,
        ids: CallIds,
        now: Now,
    ) -> Self {
        let mut call = Self {
            config,
            targets: VecDeque::new(),
            ids,
            transaction_id,
            attributes: None,
            skill_call: false,
            created: None,
            legs: Legs::new(leg),
            bridged: None,
            list: ActionList::new(),
            running: None,
            listeners: BTreeMap::new(),
            handler: Handler::default(),
            timers: Timers::default(),
            now,
            commands: VecDeque::new(),
            numbers: 0,
            over: false,
        };
        call.timers
            .set(Timer::Call, now.instant + call.config.limits.call);
        call
    }

    /// Something happened. After [`Command::End`] nothing does any more.
    pub fn handle(&mut self, input: Input, now: Now) {
        if self.over {
            return;
        }
        self.now = now;
        self.dispatch(input);
        self.settle();
    }

    /// The time has come that [`Call::deadline`] gave. Too early does nothing.
    pub fn handle_timeout(&mut self, now: Now) {
        if self.over {
            return;
        }
        self.now = now;
        while let Some(timer) = self.timers.take_due(now.instant) {
            self.on_timer(timer);
            self.settle();
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// When [`Call::handle_timeout`] wants to be called, if nothing else happens before. `None` when the call is over.
    pub fn deadline(&self) -> Option<Instant> {
        self.timers.earliest()
    }

    /// Whether [`Command::End`] was given.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// The call's id.
    pub fn transaction_id(&self) -> &TransactionId {
        &self.transaction_id
    }

    fn dispatch(&mut self, input: Input) {
        match input {
            Input::Handler {
                sequence,
                attempt,
                outcome,
            } => self.on_handler(sequence, attempt, outcome),
            Input::SpeechReady { speech } => self.on_speech_ready(speech),
            Input::SpeechFailed { speech, failure } => self.on_speech_failed(speech, failure),
            Input::PlayEnded { play } => self.on_play_ended(play),
            Input::PlayFailed { play, failure } => self.on_play_failed(play, &failure),
            Input::Digit { leg, digit } => self.on_digit(leg, digit),
            Input::RecordingEnded {
                recording,
                length,
                end,
            } => self.on_recording_ended(recording, length, end),
            Input::RecordingFailed { recording, failure } => {
                self.on_recording_failed(recording, &failure)
            }
            Input::CallRecordingStarted { leg } => self.on_call_recording_started(leg),
            Input::CallRecordingFailed { leg, failure } => {
                self.on_call_recording_failed(leg, &failure)
            }
            Input::Ringing { leg } => self.on_ringing(leg),
            Input::EarlyMedia { leg } => self.on_early_media(leg),
            Input::Answered { leg } => self.on_answered(leg),
            Input::Refused {
                leg,
                status,
                reason,
            } => self.on_refused(leg, status, &reason),
            Input::HungUp { leg, code } => self.on_hung_up(leg, code),
            // 487 Request Terminated is what the caller gets for it (RFC 3261 §9.2).
            Input::Cancelled { leg } => self.on_hung_up(leg, 487),
            Input::AckTimeout { leg } => {
                if self.legs.is_connected(leg) {
                    self.problem(format!(
                        "{leg} never acknowledged the answer, and is hung up"
                    ));
                    self.dismiss(leg, 408, 408);
                }
            }
            Input::MeetingJoined { leg } => self.on_meeting_joined(leg),
            Input::MeetingRefused { leg, failure } => self.on_meeting_refused(leg, &failure),
            Input::AttendeesModified { result } => self.on_attendees_modified(result),
            Input::SpeechBegan { leg } => self.on_speech_began(leg),
            Input::Said { leg, audio } => self.on_said(leg, audio),
            Input::Bot { turn, result } => self.on_bot(turn, result),
            Input::UpdateRequested { arguments } => {
                if self.legs.any_alive() {
                    let parameters = super::created::arguments(arguments);
                    let data = ActionData::new("CallUpdateRequest", parameters);
                    self.report(
                        InvocationEventType::CallUpdateRequested,
                        Some(data),
                        ReplyUse::Interrupt,
                        LegId::A,
                    );
                }
            }
            Input::Terminate => {
                self.info("an operator ends the call".to_owned());
                self.end_all(480);
            }
            Input::Shutdown => {
                self.info("the sidecar goes down".to_owned());
                self.end_all(503);
            }
        }
    }

    fn on_hung_up(&mut self, leg: LegId, code: u16) {
        if self.stop_awaiting(leg) {
            return;
        }
        if self.is_joining(leg) {
            let told = "the meeting has ended";
            let failure = Failure::new(ErrorType::ErrorJoiningMeeting, told);
            return self.on_meeting_refused(leg, &failure);
        }
        let is_dialed = matches!(&self.running, Some(Running { step: Step::Calling { leg: mine, .. }, .. }) if *mine == leg);
        if is_dialed {
            self.on_refused(leg, code, "ended before it answered");
        } else {
            self.gone(leg, code);
        }
    }

    fn on_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Attempt => self.on_attempt_timeout(),
            Timer::Total => self.on_total_timeout(),
            Timer::NoAction => {
                let waited = self.config.limits.no_action.as_secs_f64();
                self.problem(format!("the call is unanswered, and the handler gave it no action for {waited} s; it ends"));
                self.end_all(480);
            }
            Timer::Step => self.on_step_timer(),
            Timer::Gap => match self.running.as_ref().map(|running| &running.step) {
                Some(Step::Conversing(_)) => self.submit_digits(),
                _ => self.attempt_over(false),
            },
            Timer::ListenerGap(leg) => self.on_listener_gap(leg),
            Timer::ListenerFlush(leg) => self.flush(leg),
            Timer::Ring => self.created_rang_too_long(),
            Timer::Cancel(leg) => {
                if self.stop_awaiting(leg) {
                    self.problem(format!("{leg} was cancelled and never said so"));
                }
            }
            Timer::Call => {
                self.problem("the call is as long as a call may be; it ends".to_owned());
                self.end_all(480);
            }
        }
    }

    fn on_step_timer(&mut self) {
        match self.running.as_ref().map(|running| &running.step) {
            Some(Step::Waiting) => self.play_done(),
            Some(Step::Speaking { .. }) => self.render_timed_out(),
            Some(Step::GettingDigits(get)) if get.is_rendering() => self.render_timed_out(),
            Some(Step::GettingDigits(_)) => self.attempt_over(false),
            Some(Step::Conversing(_)) => self.conversation_timed_out(),
            Some(Step::Calling { .. }) => self.dial_timed_out(),
            Some(Step::Recording { .. } | Step::StartingRecording { .. }) => {
                self.storage_timed_out()
            }
            Some(
                Step::Playing { .. }
                | Step::Sending { .. }
                | Step::Joining { .. }
                | Step::ModifyingAttendees,
            )
            | None => {}
        }
    }

    /// Begins what can begin, asks what is to be asked, and ends the call when nothing is left of it.
    pub(super) fn settle(&mut self) {
        if self.over {
            return;
        }
        while self.start_next() || self.ask_next() {}
        self.settle_listening();
        self.settle_no_action();
        if !self.legs.any_alive() && self.legs.leaving.is_empty() && self.handler.is_idle() {
            self.over = true;
            self.timers.clear_all();
            self.push(Command::End);
        }
    }

    fn settle_listening(&mut self) {
        let running = self
            .running
            .as_ref()
            .filter(|running| running.wants_digits())
            .map(|running| running.origin.leg);
        let mut changed = Vec::new();
        for leg in self
            .legs
            .iter_mut()
            .filter(|leg| leg.state == LegState::Connected)
        {
            let on = running == Some(leg.id) || self.listeners.contains_key(&leg.id);
            if leg.listening != on {
                leg.listening = on;
                changed.push(Command::ListenDigits { leg: leg.id, on });
            }
        }
        self.commands.extend(changed);
    }

    /// An unanswered call with nothing to do ends after a while (facts F3).
    fn settle_no_action(&mut self) {
        let idle = self.legs.a.state == LegState::Unanswered
            && self.created.is_none()
            && self.running.is_none()
            && self.handler.is_idle();
        match (idle, self.timers.is_set(Timer::NoAction)) {
            (true, false) => self.timers.set(
                Timer::NoAction,
                self.now.instant + self.config.limits.no_action,
            ),
            (false, true) => self.timers.clear(Timer::NoAction),
            _ => {}
        }
    }

    pub(super) fn push(&mut self, command: Command) {
        self.commands.push_back(command);
    }

    pub(super) fn info(&mut self, text: String) {
        self.push(Command::Note(Note {
            severity: Severity::Info,
            text,
        }));
    }

    pub(super) fn problem(&mut self, text: String) {
        self.push(Command::Note(Note {
            severity: Severity::Problem,
            text,
        }));
    }

    /// A number that no other playback, speech or recording of this call has.
    pub(super) fn number(&mut self) -> u32 {
        self.numbers = self.numbers.wrapping_add(1);
        self.numbers
    }
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call")
            .field("snapshot", &self.snapshot())
            .finish_non_exhaustive()
    }
}
