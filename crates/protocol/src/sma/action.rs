//! The actions of a reply (facts F6): their parameters, ranges and defaults.
//!
//! Each action is a struct of its own. [`Action::parse`] reads it leniently and refuses by name; serialising writes
//! it strictly. Whether a thing exists (a file, a leg, a bot) is not known here: that fails when the action runs.

mod audio;
mod bot;
mod bridge;
mod control;
mod digits;
mod meeting;
mod recording;
mod speech;
mod types;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

pub use audio::PlayAudio;
pub use bot::{
    BotConfiguration, BotDialogAction, BotSessionState, MAX_CONFIGURATION_BYTES,
    StartBotConversation, WelcomeMessage,
};
pub use bridge::{BridgeEndpoint, CallAndBridge, is_aws_user, is_e164};
pub use control::{Hangup, HangupCode, Pause, VoiceFocus};
pub use digits::{
    DigitRules, MAX_DIGITS, MAX_REGEX_BYTES, PlayAudioAndGetDigits, ReceiveDigits, SendDigits,
    SpeakAndGetDigits,
};
pub use meeting::{AttendeeOperation, JoinChimeMeeting, ModifyChimeMeetingAttendees};
pub use recording::{
    CallRecordingDestination, MAX_PREFIX_CHARS, PauseCallRecording, RecordAudio,
    RecordingDestination, ResumeCallRecording, SilenceDetection, StartCallRecording,
    StopCallRecording, Track,
};
pub use speech::{Engine, MAX_TEXT_CHARS, Speak, SpeechParameters, TextType};
pub use types::{Digit, DigitSet, LegSelector, S3Object};

use super::error_type::ErrorType;
use super::fields::{FieldError, Fields};

/// Most actions in a reply (facts F1).
pub const MAX_ACTIONS: usize = 10;

/// Parameters of one action that can be read from a reply.
trait Parameters: Sized + Serialize {
    fn read(fields: &Fields<'_>) -> Result<Self, FieldError>;
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// One action (facts F6).
        #[derive(Debug, Clone, PartialEq)]
        pub enum Action {
            $($(#[$doc])* $name($name),)+
            /// An action that this version does not know: its type and its parameters.
            Other(String, Value),
        }

        impl Action {
            /// The types of all actions that there are.
            pub const TYPES: &'static [&'static str] = &[$(stringify!($name)),+];

            /// The action's `Type`.
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$name(_) => stringify!($name),)+
                    Self::Other(name, _) => name,
                }
            }

            /// The action's `Parameters`, strictly written.
            pub fn parameters(&self) -> Value {
                let written = match self {
                    $(Self::$name(parameters) => serde_json::to_value(parameters),)+
                    Self::Other(_, parameters) => Ok(parameters.clone()),
                };
                // These are plain structs with string keys, which cannot fail; an empty object is refused by name.
                written.unwrap_or_else(|_| Value::Object(Map::new()))
            }

            /// Reads the parameters of an action.
            ///
            /// # Errors
            /// [`ActionError`] names the field, what was found and what was expected. `index` (from 0) is the place
            /// in the reply and only serves the message.
            pub fn parse(index: usize, name: &str, parameters: &Map<String, Value>) -> Result<Self, ActionError> {
                let fields = Fields::new(parameters);
                let (known, read) = match name {
                    $(stringify!($name) => {
                        (stringify!($name), <$name as Parameters>::read(&fields).map(Self::$name))
                    })+
                    other => return Ok(Self::Other(other.to_owned(), Value::Object(parameters.clone()))),
                };
                read.map_err(|error| ActionError {
                    index,
                    action: known,
                    field: error.field,
                    found: error.found,
                    expected: error.expected,
                    error_type: error.error_type,
                })
            }
        }

        $(impl From<$name> for Action {
            fn from(parameters: $name) -> Self {
                Self::$name(parameters)
            }
        })+
    };
}

actions! {
    /// Call another party and bridge it with leg A.
    CallAndBridge,
    /// End a leg.
    Hangup,
    /// Join a meeting.
    JoinChimeMeeting,
    /// Mute or unmute attendees.
    ModifyChimeMeetingAttendees,
    /// Wait.
    Pause,
    /// Go on with a paused call recording's silence.
    PauseCallRecording,
    /// Play a file.
    PlayAudio,
    /// Play a file and collect digits.
    PlayAudioAndGetDigits,
    /// Arm a listener for digits.
    ReceiveDigits,
    /// Record what the caller says.
    RecordAudio,
    /// Go on recording the call.
    ResumeCallRecording,
    /// Send tones.
    SendDigits,
    /// Say a text.
    Speak,
    /// Say a text and collect digits.
    SpeakAndGetDigits,
    /// Talk to a bot.
    StartBotConversation,
    /// Record a leg from now on.
    StartCallRecording,
    /// End the recording of a leg.
    StopCallRecording,
    /// Suppress noise.
    VoiceFocus,
}

impl Action {
    /// Whether the action would be accepted: its own strict form, read again. For those who build actions.
    ///
    /// # Errors
    /// What [`Action::parse`] finds.
    pub fn check(&self) -> Result<(), ActionError> {
        match self.parameters() {
            Value::Object(map) => Self::parse(0, self.name(), &map).map(|_| ()),
            _ => Ok(()),
        }
    }
}

impl Serialize for Action {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut action = serializer.serialize_struct("Action", 2)?;
        action.serialize_field("Type", self.name())?;
        action.serialize_field("Parameters", &self.parameters())?;
        action.end()
    }
}

/// Why an action is refused: it ends in ACTION_FAILED (facts F7).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("action {} ({action}): {field} is {found}; expected {expected}", .index + 1)]
pub struct ActionError {
    /// The action's place in the reply, from 0.
    pub index: usize,
    /// The action's type.
    pub action: &'static str,
    /// The parameter's path, such as `AudioSource.Key`.
    pub field: String,
    /// What was found, shortened.
    pub found: String,
    /// What would be right.
    pub expected: String,
    /// InvalidActionParameter or MissingRequiredActionParameter.
    pub error_type: ErrorType,
}

impl ActionError {
    /// The text for the event's ErrorMessage: field, finding and expectation without the action, which the event
    /// names anyway. Refused SIP headers are told in Amazon's words alone (facts F9); where Amazon's words for another
    /// field are known, they come first.
    pub fn message(&self) -> String {
        if self.field == "SipHeaders" {
            return self.expected.clone();
        }
        // Facts F6, SendDigits: Amazon's words first.
        let amazon = match self.field.as_str() {
            "ToneDurationInMilliseconds" => "ToneDuration parameter value is invalid. ",
            _ => "",
        };
        format!(
            "{amazon}{} is {}; expected {}",
            self.field, self.found, self.expected
        )
    }
}

#[cfg(test)]
mod tests;
