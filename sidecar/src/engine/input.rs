//! What the engine is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use skillcall_protocol::sma::action::Digit;
use skillcall_protocol::sma::{
    CallId, ErrorType, Reply, ReplyError, SipHeaders, TransactionId, parse_reply,
};

use super::bot::{BotOutcome, TurnId};
use super::command::{LegId, PlayId, RecordingId, SpeechId};

/// The time of an input, by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The clock for durations.
    pub instant: Instant,
    /// The clock on the wall: milliseconds since 1970, UTC; for events and the names of recordings.
    pub unix_millis: u64,
}

impl Now {
    /// The time by the system's clocks.
    pub fn from_system() -> Self {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            instant: Instant::now(),
            unix_millis: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// A call that has come in and passed admission.
#[derive(Debug, Clone, PartialEq)]
pub struct InboundCall {
    /// A new id for the whole call.
    pub transaction_id: TransactionId,
    /// A new id for leg A.
    pub call_id: CallId,
    /// The called number or user.
    pub to: String,
    /// The calling number or user.
    pub from: String,
    /// All of the INVITE's headers, or only those that are shown; the rest is left out here (facts F9).
    pub headers: SipHeaders,
}

/// Something that happened to a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// An attempt to ask the handler came to an end.
    Handler {
        /// From the command.
        sequence: u32,
        /// From the command.
        attempt: u32,
        /// What came of it.
        outcome: HandlerOutcome,
    },
    /// A text is rendered and can be played.
    SpeechReady {
        /// Which one.
        speech: SpeechId,
    },
    /// A text could not be rendered.
    SpeechFailed {
        /// Which one.
        speech: SpeechId,
        /// Why: SystemException, AccessDenied, ActionExecutionThrottled or InvalidActionParameter (facts F6).
        failure: Failure,
    },
    /// A playback has played everything, to its last packet.
    PlayEnded {
        /// Which one.
        play: PlayId,
    },
    /// A playback could not start, or broke off.
    PlayFailed {
        /// Which one.
        play: PlayId,
        /// Why: InvalidAudioSource or SystemException (facts F6).
        failure: Failure,
    },
    /// A leg sent a digit. Once for each key press.
    Digit {
        /// Which leg.
        leg: LegId,
        /// Which digit.
        digit: Digit,
    },
    /// A RecordAudio recording has ended and its file is stored.
    RecordingEnded {
        /// Which one.
        recording: RecordingId,
        /// How long it is.
        length: Duration,
        /// Why it ended.
        end: RecordingEnd,
    },
    /// A RecordAudio recording failed, or could not be stored.
    RecordingFailed {
        /// Which one.
        recording: RecordingId,
        /// Why: InvalidActionParameter for the store's errors (facts F6), else SystemException.
        failure: Failure,
    },
    /// A call recording runs.
    CallRecordingStarted {
        /// Which leg.
        leg: LegId,
    },
    /// A call recording could not start, or broke off.
    CallRecordingFailed {
        /// Which leg.
        leg: LegId,
        /// Why: NoAccessToDestination or SystemException (facts F6).
        failure: Failure,
    },
    /// The called leg rings, or sends a session progress.
    Ringing {
        /// Which leg.
        leg: LegId,
    },
    /// The called leg sends before it answers: a provisional response described its media.
    EarlyMedia {
        /// Which leg.
        leg: LegId,
    },
    /// The called leg answered.
    Answered {
        /// Which leg.
        leg: LegId,
    },
    /// The called leg refused, could not be reached, or was cancelled.
    Refused {
        /// Which leg.
        leg: LegId,
        /// The SIP status; 408 when nobody replied, 503 when no message could be sent (RFC 3261 §8.1.3.1).
        status: u16,
        /// In words.
        reason: String,
    },
    /// An answered leg ended, by a BYE or because it is lost.
    HungUp {
        /// Which leg.
        leg: LegId,
        /// HANGUP's SipResponseCode: 0 for a BYE, else what describes it, such as 408 for a lost peer.
        code: u16,
    },
    /// The caller gave up before the answer: CANCEL.
    Cancelled {
        /// Which leg.
        leg: LegId,
    },
    /// Our answer was never acknowledged (RFC 3261 §13.3.1.4).
    AckTimeout {
        /// Which leg.
        leg: LegId,
    },
    /// Leg A hears a meeting, and the meeting hears it.
    MeetingJoined {
        /// The meeting's leg.
        leg: LegId,
    },
    /// A meeting cannot be joined.
    MeetingRefused {
        /// The meeting's leg.
        leg: LegId,
        /// Why: ErrorJoiningMeeting (facts F6).
        failure: Failure,
    },
    /// Attendees were muted or unmuted; or why not, and who is none of the meeting's.
    AttendeesModified {
        /// What came of it.
        result: Result<(), (String, Vec<String>)>,
    },
    /// Somebody begins to speak on a leg that is listened to.
    SpeechBegan {
        /// Which leg.
        leg: LegId,
    },
    /// An utterance is complete.
    Said {
        /// Which leg.
        leg: LegId,
        /// The utterance, 8 kHz.
        audio: Arc<[i16]>,
    },
    /// A bot has answered, or not.
    Bot {
        /// Which turn.
        turn: TurnId,
        /// What came of it; or why not: ResourceNotFound, ResourceAccessDenied, ActionExecutionThrottled,
        /// InvalidActionParameter or SystemException (facts F6).
        result: Result<BotOutcome, Failure>,
    },
    /// Somebody asks for an update of the call (facts F8).
    UpdateRequested {
        /// `Arguments`.
        arguments: BTreeMap<String, String>,
    },
    /// An operator ends the call.
    Terminate,
    /// The sidecar goes down: like [`Input::Terminate`], but an unanswered caller gets 503.
    Shutdown,
}

impl Input {
    /// The leg that it is about, of those that are told of a leg's own SIP dialog.
    pub(crate) const fn leg(&self) -> Option<LegId> {
        match self {
            Self::Ringing { leg }
            | Self::Answered { leg }
            | Self::Refused { leg, .. }
            | Self::HungUp { leg, .. } => Some(*leg),
            _ => None,
        }
    }
}

/// What came of asking the handler.
#[derive(Debug, Clone, PartialEq)]
pub enum HandlerOutcome {
    /// It replied with status 200.
    Replied(Result<Reply, ReplyError>),
    /// It replied with another status.
    Status {
        /// The HTTP status.
        status: u16,
        /// The beginning of the body, or the error header of a Lambda emulator; for the trace.
        detail: String,
    },
    /// No connection, a broken one, or a reply whose signature is wrong.
    Unreachable {
        /// In words.
        reason: String,
    },
}

impl HandlerOutcome {
    /// The outcome of an HTTP exchange: any 2xx status is a reply.
    pub fn from_http(status: u16, body: &[u8]) -> Self {
        if (200..300).contains(&status) {
            return Self::Replied(parse_reply(body));
        }
        let detail = String::from_utf8_lossy(body).chars().take(200).collect();
        Self::Status { status, detail }
    }
}

/// Why something that an action needs failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For the event's ErrorType.
    pub error_type: ErrorType,
    /// For the event's ErrorMessage: what is wrong, and what would be right.
    pub message: String,
}

impl Failure {
    /// A failure with its reason.
    pub fn new(error_type: ErrorType, message: impl Into<String>) -> Self {
        Self {
            error_type,
            message: message.into(),
        }
    }
}

/// Why a recording ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordingEnd {
    /// By StopRecording.
    Stopped,
    /// Nobody spoke for the time that was set.
    Silence,
    /// It reached its limit.
    Limit,
}
