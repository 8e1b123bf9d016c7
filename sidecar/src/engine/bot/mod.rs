//! StartBotConversation (facts F6): what is said, what is heard, and when it is over.
//!
//! The bot's messages are spoken, then the caller's turn comes: digits, or speech where the bot hears. `#` ends digits, `*`
//! takes them back, and so do 5 s without another one. A turn goes to the bot, and its answer says what is spoken next, until
//! its dialog action is Close. The session attributes of Lex change these times and keys.

mod conversation;
mod turns;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

pub(super) use conversation::Conversation;
/// A message of a bot.
pub use skillcall_protocol::sma::action::WelcomeMessage as BotMessage;

/// What an application's bots can do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BotAbility {
    /// Whether speech is for it, or digits only.
    pub hears: bool,
    /// The voice of its messages, by Amazon's name; none: a default for its locale.
    pub voice: Option<String>,
}

/// A turn of a conversation: what the bot is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct BotTurn {
    /// Which bot.
    pub alias_arn: String,
    /// Its locale, such as `en_US`.
    pub locale: String,
    /// The session: the leg's CallId (facts F6).
    pub session: String,
    /// The first turn alone says how the session begins.
    pub start: Option<BotStart>,
    /// What the caller said.
    pub said: Said,
}

/// How a session begins: `Configuration.SessionState`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotStart {
    /// `SessionAttributes`.
    pub session_attributes: BTreeMap<String, String>,
    /// `DialogAction.Type`.
    pub dialog_action: Option<&'static str>,
}

/// What a caller said to a bot.
#[derive(Clone, PartialEq)]
pub enum Said {
    /// Digits.
    Text(String),
    /// Speech, 8 kHz.
    Audio(Arc<[i16]>),
}

impl std::fmt::Debug for Said {
    /// Neither digits, which may be a PIN, nor samples.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{} digits", text.len()),
            Self::Audio(audio) => write!(f, "{} samples", audio.len()),
        }
    }
}

/// What came of a turn.
#[derive(Debug, Clone, PartialEq)]
pub enum BotOutcome {
    /// The bot answered.
    Replied(Box<BotReply>),
    /// There was speech, and no word in it.
    NothingSaid,
}

/// A bot's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct BotReply {
    /// What is to be said.
    pub messages: Vec<BotMessage>,
    /// Whether the conversation is over.
    pub is_over: bool,
    /// The intent, once one is known.
    pub intent: Option<String>,
    /// The slot that is asked for.
    pub slot: Option<String>,
    /// `SessionAttributes` now.
    pub attributes: BTreeMap<String, String>,
    /// `IntentResult` as events tell it.
    pub result: Value,
}

/// A turn that the bot is asked, unique within the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TurnId(pub(in crate::engine) u32);

impl TurnId {
    /// The number.
    pub fn number(self) -> u32 {
        self.0
    }
}
