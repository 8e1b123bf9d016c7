//! What the engine wants done, and the names of what it is done with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use skillcall_protocol::sma::action::{
    BridgeEndpoint, S3Object, SilenceDetection, SpeechParameters, Track,
};
use skillcall_protocol::sma::event::Direction;
use skillcall_protocol::sma::{CallId, Event, ParticipantTag, SipHeaders};

use super::bot::{BotTurn, TurnId};

/// A leg within its call: A is 0, every B gets the next number, so that one that is still being cancelled is not
/// taken for its successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LegId(pub(super) u32);

impl LegId {
    /// The leg that called.
    pub const A: Self = Self(0);
    /// The first leg that is bridged with it.
    pub const B: Self = Self(1);

    /// A leg that the engine knows nothing of: another party dialled to take a leg's place.
    pub(crate) const fn aside(number: u32) -> Self {
        Self(Self::ASIDE + number % Self::ASIDE)
    }

    /// The first of [`LegId::aside`]; no call bridges so often.
    const ASIDE: u32 = 1 << 31;

    pub(crate) const fn is_aside(self) -> bool {
        self.0 >= Self::ASIDE
    }

    /// The leg's role in events (facts E2).
    pub fn tag(self) -> ParticipantTag {
        if self == Self::A {
            ParticipantTag::LegA
        } else {
            ParticipantTag::LegB
        }
    }

    /// The leg's number: 0 for A.
    pub fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("leg A"),
            1 => f.write_str("leg B"),
            _ if self.is_aside() => f.write_str("another party"),
            n => write!(f, "leg B (the {n}. one)"),
        }
    }
}

macro_rules! number {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        $($(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub(super) u32);

        impl $name {
            /// The number, unique within the call.
            pub fn number(self) -> u32 {
                self.0
            }
        })+
    };
}

number! {
    /// A text that is rendered to speech.
    SpeechId,
    /// A playback on one leg.
    PlayId,
    /// A RecordAudio recording.
    RecordingId,
}

impl PlayId {
    /// The music on hold of the gateway's calls, which have no other playback.
    pub(crate) const MUSIC: Self = Self(0);
}

/// What a playback plays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlaySource {
    /// A rendered text; `Input::SpeechReady` has been given for it.
    Speech(SpeechId),
    /// A file in a bucket. That it is missing or no audio is told by `Input::PlayFailed`.
    File(S3Object),
    /// An ordinary ringing tone.
    RingingTone,
    /// DTMF digits (SendDigits): telephone events where the peer takes them, tones in the audio where not.
    Digits {
        /// `0-9 * # A-D`, and `,` for a pause of half a second (facts F6).
        digits: String,
        /// How long each of them sounds.
        tone: Duration,
    },
}

/// One thing to do. They are to be done in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Tell the unanswered leg's caller that it rings: 180, or 183 with an SDP answer when media is to flow before
    /// the answer. May come twice.
    Ring {
        /// Which leg.
        leg: LegId,
        /// Whether something will be played to it before it is answered.
        early_media: bool,
    },
    /// Answer the leg: 200 with an SDP answer. Media commands for it may follow at once.
    Answer {
        /// Which leg.
        leg: LegId,
    },
    /// Refuse the unanswered leg. It is gone then; nothing need be reported.
    Reject {
        /// Which leg.
        leg: LegId,
        /// The SIP status, 4xx or 5xx.
        status: u16,
    },
    /// Post the event to the handler; the result comes as `Input::Handler` with the same two numbers.
    Ask {
        /// The event's Sequence.
        sequence: u32,
        /// 1 for the first attempt; retries carry the same event.
        attempt: u32,
        /// The event, whose serde form is the body.
        event: Arc<Event>,
    },
    /// The rule's next application takes the call (facts F3): what is asked from now on is asked there.
    NextTarget,
    /// Nobody waits for this attempt any more; its connection may be dropped. Its result is ignored if it comes.
    AbandonAsk {
        /// The event's Sequence.
        sequence: u32,
        /// The attempt.
        attempt: u32,
    },
    /// Render a text; the result comes as `Input::SpeechReady` or `Input::SpeechFailed`.
    Render {
        /// The name for it.
        speech: SpeechId,
        /// What to say, and how.
        parameters: SpeechParameters,
    },
    /// The rendered text, or the rendering that is under way, is not needed any more.
    DropSpeech {
        /// Which one.
        speech: SpeechId,
    },
    /// Play to a leg, over what a bridge would send it; the end comes as `Input::PlayEnded` or `Input::PlayFailed`.
    Play {
        /// The name for it.
        play: PlayId,
        /// To whom.
        leg: LegId,
        /// What.
        source: PlaySource,
        /// How often; `None`: until stopped.
        times: Option<u32>,
    },
    /// Stop a playback at once. Nothing need be reported.
    StopPlay {
        /// Which one.
        play: PlayId,
        /// On which leg.
        leg: LegId,
    },
    /// Whether anybody wants the leg's digits. Digits that come while nobody does are discarded by the engine too,
    /// so this only saves work.
    ListenDigits {
        /// Which leg.
        leg: LegId,
        /// On or off.
        on: bool,
    },
    /// Record what the leg says (RecordAudio); the end comes as `Input::RecordingEnded` or `Input::RecordingFailed`.
    StartRecording {
        /// The name for it.
        recording: RecordingId,
        /// Whom.
        leg: LegId,
        /// Where to: a WAV file.
        object: S3Object,
        /// End by itself after this time.
        limit: Option<Duration>,
        /// End by itself after so much silence.
        silence: Option<SilenceDetection>,
    },
    /// End a recording and keep what there is; `Input::RecordingEnded` or `RecordingFailed` is still expected, except
    /// when the leg is gone.
    StopRecording {
        /// Which one.
        recording: RecordingId,
        /// On which leg.
        leg: LegId,
    },
    /// Record a leg until it ends (StartCallRecording); `Input::CallRecordingStarted` or `CallRecordingFailed` is
    /// expected.
    StartCallRecording {
        /// Which leg.
        leg: LegId,
        /// The leg's CallId, for the object's metadata (facts F6).
        call_id: CallId,
        /// Which side.
        track: Track,
        /// Where to: a WAV file.
        object: S3Object,
    },
    /// End the recording of a leg and keep the file.
    StopCallRecording {
        /// Which leg.
        leg: LegId,
    },
    /// Record a short tone, then silence (facts F6), until the recording goes on. Nothing need be reported.
    PauseCallRecording {
        /// Which leg.
        leg: LegId,
    },
    /// Record again what is heard.
    ResumeCallRecording {
        /// Which leg.
        leg: LegId,
    },
    /// Suppress the noise in what the leg says, or leave it as it is. Nothing need be reported.
    VoiceFocus {
        /// Which leg.
        leg: LegId,
        /// On or off.
        on: bool,
    },
    /// Call another party. `Input::Ringing`, `Answered` or `Refused` is expected; the engine keeps the time.
    Dial {
        /// The name of the new leg.
        leg: LegId,
        /// The leg's CallId in events.
        call_id: CallId,
        /// Whom.
        endpoint: BridgeEndpoint,
        /// The caller's number to show.
        caller_id: String,
        /// Headers for the INVITE.
        headers: SipHeaders,
    },
    /// Give up calling. `Input::Refused` (with 487), or `Answered` if the other side was faster, is expected.
    CancelDial {
        /// Which leg.
        leg: LegId,
    },
    /// Let leg A take part in a meeting; `Input::MeetingJoined` or `MeetingRefused` is expected, for the meeting's leg.
    JoinMeeting {
        /// Leg A.
        leg: LegId,
        /// The leg that the meeting is.
        meeting: LegId,
        /// `MeetingId`, if the action gave one.
        meeting_id: Option<String>,
        /// `JoinToken`.
        join_token: String,
    },
    /// Leg A takes no part in its meeting any more. Nothing need be reported, and there may be none.
    LeaveMeeting {
        /// Leg A.
        leg: LegId,
    },
    /// Mute or unmute attendees; `Input::AttendeesModified` is expected.
    MuteAttendees {
        /// The leg that takes part in the meeting.
        leg: LegId,
        /// Muted, or not.
        muted: bool,
        /// `MeetingId`.
        meeting_id: String,
        /// Their ids.
        attendees: Vec<String>,
    },
    /// Hear what a leg says, until one utterance is complete: `Input::SpeechBegan` and `Input::Said` are expected, if
    /// anybody speaks. None: nobody wants to hear any more, and what was begun is forgotten.
    ListenSpeech {
        /// Which leg.
        leg: LegId,
        /// The silence that ends an utterance, and its longest time.
        times: Option<(Duration, Duration)>,
    },
    /// Ask a bot; `Input::Bot` is expected.
    AskBot {
        /// The name of the turn.
        turn: TurnId,
        /// What is asked.
        asked: Box<BotTurn>,
    },
    /// The bot's answer is not wanted any more.
    DropBot {
        /// Which one.
        turn: TurnId,
    },
    /// Let the two legs hear each other.
    Bridge {
        /// Leg A.
        a: LegId,
        /// The other one.
        b: LegId,
    },
    /// They shall not hear each other any more, because one of them has gone.
    Unbridge {
        /// Leg A.
        a: LegId,
        /// The other one.
        b: LegId,
    },
    /// End an answered leg: BYE. It is gone then; nothing need be reported.
    HangUp {
        /// Which leg.
        leg: LegId,
    },
    /// A leg has ended, answered or not: for its call detail record (facts F11).
    LegEnded(Box<LegRecord>),
    /// For the trace: what happened and why, for people.
    Note(Note),
    /// The call is over. Nothing follows, and no input is taken any more.
    End,
}

/// What a call detail record says of a leg (facts F11). Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegRecord {
    /// Which leg.
    pub leg: LegId,
    /// Its CallId.
    pub call_id: CallId,
    /// The calling number or user.
    pub from: String,
    /// The called number or user.
    pub to: String,
    /// Who called whom.
    pub direction: Direction,
    /// The Arn of the Voice Connector that it was called through, if the action named one.
    pub voice_connector: Option<String>,
    /// Whether it is a meeting.
    pub is_meeting: bool,
    /// When it called, or was called.
    pub began: u64,
    /// When it was answered, if it was.
    pub answered: Option<u64>,
    /// When it ended.
    pub ended: u64,
    /// 0 for a normal end, else the SIP status that describes it best.
    pub code: u16,
    /// How long VoiceFocus was on.
    pub voice_focus: Duration,
}

/// A line for the trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Whether something went wrong.
    pub severity: Severity,
    /// The line. It may hold numbers and digits; redaction is the trace's duty.
    pub text: String,
}

/// How much a note matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The ordinary course.
    Info,
    /// Something that somebody should look at.
    Problem,
}
