//! The action that runs: which, on which leg, and how far it is.

use serde_json::{Map, Value};
use skillcall_protocol::sma::action::{Digit, DigitSet, S3Object};
use skillcall_protocol::sma::event::StoredRecording;
use skillcall_protocol::sma::{ActionData, InvocationEventType};

use super::bot::Conversation;
use super::call::Call;
use super::command::{Command, LegId, PlayId, RecordingId, SpeechId};
use super::get_digits::GetDigits;
use super::handler::ReplyUse;
use super::timers::Timer;

/// An action with what its events say.
#[derive(Debug)]
pub(super) struct Origin {
    /// `Type`.
    pub(super) name: String,
    /// `Parameters` as events give them back: as they were sent, with the CallId of the leg that was chosen.
    pub(super) echo: Map<String, Value>,
    /// The leg it is for.
    pub(super) leg: LegId,
}

impl Origin {
    pub(super) fn data(&self) -> ActionData {
        ActionData::new(self.name.clone(), self.echo.clone())
    }
}

/// The running action.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) origin: Origin,
    pub(super) since_unix_millis: u64,
    pub(super) step: Step,
}

/// How far it is.
#[derive(Debug)]
pub(super) enum Step {
    /// Pause.
    Waiting,
    /// Speak: rendering, then playing.
    Speaking {
        speech: SpeechId,
        play: Option<PlayId>,
    },
    /// PlayAudio.
    Playing { play: PlayId, terminators: DigitSet },
    /// SendDigits.
    Sending { play: PlayId },
    /// PlayAudioAndGetDigits, SpeakAndGetDigits.
    GettingDigits(Box<GetDigits>),
    /// RecordAudio.
    Recording {
        recording: RecordingId,
        object: S3Object,
        terminators: DigitSet,
        used: Option<Digit>,
        stopping: bool,
    },
    /// CallAndBridge: the other party is called.
    Calling {
        leg: LegId,
        ringback: Option<PlayId>,
        /// Whether the action names the tone that the caller hears until the answer.
        own_tone: bool,
    },
    /// JoinChimeMeeting: the meeting is asked.
    Joining { leg: LegId },
    /// ModifyChimeMeetingAttendees.
    ModifyingAttendees,
    /// StartBotConversation.
    Conversing(Box<Conversation>),
    /// StartCallRecording: the store is asked.
    StartingRecording { location: String },
}

impl Running {
    /// Whether it wants the leg's digits.
    pub(super) fn wants_digits(&self) -> bool {
        match &self.step {
            Step::GettingDigits(_) | Step::Conversing(_) => true,
            Step::Playing { terminators, .. } | Step::Recording { terminators, .. } => {
                !terminators.is_empty()
            }
            _ => false,
        }
    }

    /// Whether an update stops it (facts F8).
    fn is_interruptible(&self) -> bool {
        matches!(
            self.step,
            Step::Waiting | Step::Playing { .. } | Step::Recording { .. }
        )
    }
}

pub(super) fn stored(object: &S3Object) -> StoredRecording {
    StoredRecording {
        kind: "S3".to_owned(),
        bucket_name: object.bucket_name.clone(),
        key: object.key.clone(),
    }
}

impl Call {
    /// Takes the running action, whose timers are then forgotten.
    pub(super) fn take_running(&mut self) -> Option<Running> {
        self.timers.clear(Timer::Step);
        self.timers.clear(Timer::Gap);
        self.running.take()
    }

    /// Stops what the running action does on the media and SIP side, and gives the action back. Nothing is reported.
    pub(super) fn abort_running(&mut self) -> Option<Running> {
        let running = self.take_running()?;
        let leg = running.origin.leg;
        match &running.step {
            Step::Waiting | Step::ModifyingAttendees => {}
            Step::Joining { leg: meeting } => {
                self.forget_called(*meeting, 487);
                self.leave_meeting();
            }
            Step::Speaking { speech, play } => {
                if let Some(play) = *play {
                    self.stop_play(leg, play);
                }
                self.push(Command::DropSpeech { speech: *speech });
            }
            Step::Playing { play, .. } | Step::Sending { play } => self.stop_play(leg, *play),
            Step::GettingDigits(get) => {
                if let Some(play) = get.playing() {
                    self.stop_play(leg, play);
                }
                for speech in get.speeches() {
                    self.push(Command::DropSpeech { speech });
                }
            }
            Step::Recording {
                recording,
                stopping,
                ..
            } => {
                if !stopping {
                    self.push(Command::StopRecording {
                        recording: *recording,
                        leg,
                    });
                }
            }
            Step::Calling {
                leg: called,
                ringback,
                ..
            } => {
                if let Some(play) = *ringback {
                    self.stop_play(leg, play);
                }
                self.give_up_dialing(*called);
            }
            Step::Conversing(conversation) => {
                if conversation.is_listening() && self.legs.alive(leg).is_some() {
                    self.push(Command::ListenSpeech { leg, times: None });
                }
                if let Some(play) = conversation.playing() {
                    self.stop_play(leg, play);
                }
                if let Some(speech) = conversation.speeches() {
                    self.push(Command::DropSpeech { speech });
                }
                if let Some(turn) = conversation.asking() {
                    self.push(Command::DropBot { turn });
                }
            }
            Step::StartingRecording { .. } => {
                if self.legs.is_connected(leg) {
                    self.push(Command::StopCallRecording { leg });
                }
            }
        }
        Some(running)
    }

    /// Stops a playback, unless its leg is gone and the playback with it.
    pub(super) fn stop_play(&mut self, leg: LegId, play: PlayId) {
        if self.legs.alive(leg).is_some() {
            self.push(Command::StopPlay { play, leg });
        }
    }

    /// An update has a new list: an interruptible action stops and says so (facts F8), another one completes first.
    pub(super) fn interrupt_running(&mut self) {
        if !self.running.as_ref().is_some_and(Running::is_interruptible) {
            return;
        }
        let Some(running) = self.abort_running() else {
            return;
        };
        let mut data = running.origin.data();
        if let Step::Recording { object, .. } = &running.step {
            // The file is kept, so its place is told.
            data.recording_destination = Some(stored(object));
        }
        self.info(format!(
            "{} on {} was interrupted by an update",
            running.origin.name, running.origin.leg
        ));
        self.report(
            InvocationEventType::ActionInterrupted,
            Some(data),
            ReplyUse::Attributes,
            running.origin.leg,
        );
    }
}
