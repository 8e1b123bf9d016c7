//! The legs of a call: who they are and how far they are (facts E2).

use std::time::Duration;

use skillcall_protocol::sma::event::{Direction, ParticipantStatus};
use skillcall_protocol::sma::{CallId, Participant, SipHeaders};

use super::command::{LegId, LegRecord};

/// How far a leg is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LegState {
    /// Leg A before its answer, leg B while it is called.
    Unanswered,
    /// Answered.
    Connected,
    /// Ended.
    Gone,
}

/// How far a leg's call recording is: it may be started once and stopped once (facts F6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallRecording {
    /// Not started.
    Never,
    /// Started, and not stopped.
    On,
    /// Paused: silence is recorded.
    Paused,
    /// Stopped.
    Ended,
}

impl CallRecording {
    /// Whether a file is being written.
    pub(super) fn is_running(self) -> bool {
        matches!(self, Self::On | Self::Paused)
    }
}

/// One leg.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) id: LegId,
    pub(super) call_id: CallId,
    pub(super) to: String,
    pub(super) from: String,
    pub(super) direction: Direction,
    pub(super) start_unix_millis: u64,
    pub(super) answered_unix_millis: Option<u64>,
    pub(super) state: LegState,
    pub(super) headers: SipHeaders,
    pub(super) voice_connector: Option<String>,
    pub(super) is_meeting: bool,
    pub(super) recording: CallRecording,
    /// Whether the media side was told to listen for digits.
    pub(super) listening: bool,
    pub(super) voice_focus: VoiceFocusTime,
}

/// How long VoiceFocus has been on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct VoiceFocusTime {
    since: Option<u64>,
    before: u64,
}

impl VoiceFocusTime {
    /// It is switched, at a time in milliseconds since 1970.
    pub(super) fn switch(&mut self, on: bool, unix_millis: u64) {
        self.before = self.total(unix_millis);
        self.since = on.then_some(unix_millis);
    }

    fn total(&self, unix_millis: u64) -> u64 {
        self.before
            + self
                .since
                .map_or(0, |since| unix_millis.saturating_sub(since))
    }
}

impl Leg {
    /// A leg that has just begun.
    pub(super) fn new(
        id: LegId,
        call_id: CallId,
        direction: Direction,
        (from, to): (String, String),
        unix_millis: u64,
    ) -> Self {
        Self {
            id,
            call_id,
            to,
            from,
            direction,
            start_unix_millis: unix_millis,
            answered_unix_millis: None,
            state: LegState::Unanswered,
            headers: SipHeaders::new(),
            voice_connector: None,
            is_meeting: false,
            recording: CallRecording::Never,
            listening: false,
            voice_focus: VoiceFocusTime::default(),
        }
    }

    /// It is answered.
    pub(super) fn connect(&mut self, unix_millis: u64) {
        self.state = LegState::Connected;
        self.answered_unix_millis = Some(unix_millis);
    }

    /// What is left of it when it ends.
    pub(super) fn record(&self, code: u16, unix_millis: u64) -> LegRecord {
        LegRecord {
            leg: self.id,
            call_id: self.call_id.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
            direction: self.direction,
            voice_connector: self.voice_connector.clone(),
            is_meeting: self.is_meeting,
            began: self.start_unix_millis,
            answered: self.answered_unix_millis,
            ended: unix_millis,
            code,
            voice_focus: Duration::from_millis(self.voice_focus.total(unix_millis)),
        }
    }

    /// The leg as events show it: no Status before its answer (facts E2), no SipHeaders when there are none.
    pub(super) fn participant(&self) -> Participant {
        Participant {
            call_id: self.call_id.clone(),
            participant_tag: self.id.tag(),
            to: self.to.clone(),
            from: self.from.clone(),
            direction: self.direction,
            start_time_in_milliseconds: self.start_unix_millis.to_string(),
            status: match self.state {
                LegState::Unanswered => None,
                LegState::Connected => Some(ParticipantStatus::Connected),
                LegState::Gone => Some(ParticipantStatus::Disconnected),
            },
            sip_headers: (!self.headers.is_empty()).then(|| self.headers.clone()),
        }
    }

    pub(super) fn is_alive(&self) -> bool {
        self.state != LegState::Gone
    }
}

/// Leg A, and the latest leg B.
#[derive(Debug)]
pub(super) struct Legs {
    pub(super) a: Leg,
    pub(super) b: Option<Leg>,
    /// Legs that were given up while they rang, and whose end is awaited.
    pub(super) leaving: Vec<LegId>,
    next: u32,
}

impl Legs {
    pub(super) fn new(a: Leg) -> Self {
        Self {
            a,
            b: None,
            leaving: Vec::new(),
            next: 1,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Leg> {
        std::iter::once(&self.a).chain(&self.b)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Leg> {
        std::iter::once(&mut self.a).chain(&mut self.b)
    }

    pub(super) fn get(&self, id: LegId) -> Option<&Leg> {
        self.iter().find(|leg| leg.id == id)
    }

    pub(super) fn get_mut(&mut self, id: LegId) -> Option<&mut Leg> {
        self.iter_mut().find(|leg| leg.id == id)
    }

    /// A leg that has not ended.
    pub(super) fn alive(&self, id: LegId) -> Option<&Leg> {
        self.get(id).filter(|leg| leg.is_alive())
    }

    pub(super) fn any_alive(&self) -> bool {
        self.iter().any(Leg::is_alive)
    }

    pub(super) fn is_connected(&self, id: LegId) -> bool {
        self.get(id)
            .is_some_and(|leg| leg.state == LegState::Connected)
    }

    /// The name for the next leg B.
    pub(super) fn next_id(&mut self) -> LegId {
        let id = LegId(self.next);
        self.next = self.next.saturating_add(1);
        id
    }

    pub(super) fn participants(&self) -> Vec<Participant> {
        self.iter().map(Leg::participant).collect()
    }
}
