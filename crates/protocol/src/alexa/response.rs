//! The response envelope (facts A3) and its limits (facts A4).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Characters that `outputSpeech` may have (facts A4).
pub const SPEECH_MAX_CHARS: usize = 8000;

/// Bytes that a whole response may have (facts A4).
pub const WHOLE_MAX_BYTES: usize = 24 * 1024;

/// A whole response (facts A3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResponseEnvelope {
    /// Always `1.0`.
    #[serde(default = "super::request::version")]
    pub version: String,
    /// What comes back in the session's next request.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub session_attributes: Map<String, Value>,
    /// What Alexa says and shows.
    pub response: Response,
    /// Members that this version does not know.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// `response` itself (facts A3).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// What Alexa says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_speech: Option<OutputSpeech>,
    /// What the app shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<Card>,
    /// What Alexa says when the customer says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reprompt: Option<Reprompt>,
    /// Directives, as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub directives: Vec<Value>,
    /// True, false and absent are three different things.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub should_end_session: Option<bool>,
    /// The answer to CanFulfillIntentRequest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub can_fulfill_intent: Option<super::CanFulfill>,
    /// The answer to an API request of Alexa Conversations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_response: Option<Value>,
    /// Members that this version does not know.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// What Alexa says (facts A3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum OutputSpeech {
    /// Text.
    PlainText {
        /// The text.
        text: String,
        /// ENQUEUE, REPLACE_ALL or REPLACE_ENQUEUED.
        #[serde(
            rename = "playBehavior",
            default,
            skip_serializing_if = "Option::is_none"
        )]
        play_behavior: Option<String>,
    },
    /// SSML, in one `speak` element.
    #[serde(rename = "SSML")]
    Ssml {
        /// The SSML.
        ssml: String,
        /// ENQUEUE, REPLACE_ALL or REPLACE_ENQUEUED.
        #[serde(
            rename = "playBehavior",
            default,
            skip_serializing_if = "Option::is_none"
        )]
        play_behavior: Option<String>,
    },
}

/// What Alexa says when the customer says nothing (facts A3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reprompt {
    /// The question again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_speech: Option<OutputSpeech>,
    /// Directives, as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub directives: Vec<Value>,
    /// Members that this version does not know.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// What the app shows (facts A3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Card {
    /// A title and a text.
    Simple {
        /// The title.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// The text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content: Option<String>,
    },
    /// A title, a text and a picture.
    Standard {
        /// The title.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// The text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// `smallImageUrl`, `largeImageUrl`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        image: Option<Value>,
    },
    /// Asks the customer to link an account; it has no other field.
    LinkAccount,
    /// Asks the customer for permissions.
    AskForPermissionsConsent {
        /// The scopes, such as [`crate::profile::MOBILE_NUMBER_SCOPE`].
        permissions: Vec<String>,
    },
}

/// Whether a text is SSML: one `speak` element (facts A3).
#[must_use]
pub fn is_ssml(text: &str) -> bool {
    text.trim_start().starts_with("<speak>") && text.trim_end().ends_with("</speak>")
}

impl OutputSpeech {
    /// Plain text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::PlainText {
            text: text.into(),
            play_behavior: None,
        }
    }

    /// SSML when it is one `speak` element, else plain text.
    #[must_use]
    pub fn speech(speech: impl Into<String>) -> Self {
        let speech = speech.into();
        if is_ssml(&speech) {
            Self::Ssml {
                ssml: speech,
                play_behavior: None,
            }
        } else {
            Self::text(speech)
        }
    }

    /// The text or the SSML.
    #[must_use]
    pub fn content(&self) -> &str {
        match self {
            Self::PlainText { text, .. } => text,
            Self::Ssml { ssml, .. } => ssml,
        }
    }
}

impl ResponseEnvelope {
    /// The empty response: nothing is said, and whether the session ends is left to Alexa.
    #[must_use]
    pub fn empty() -> Self {
        Self::new(Response::default())
    }

    /// A response without session attributes.
    #[must_use]
    pub fn new(response: Response) -> Self {
        Self {
            version: super::request::version(),
            session_attributes: Map::new(),
            response,
            more: Map::new(),
        }
    }

    /// Says a text, or SSML, and ends the session.
    #[must_use]
    pub fn tell(text: impl Into<String>) -> Self {
        Self::new(Response {
            output_speech: Some(OutputSpeech::speech(text)),
            should_end_session: Some(true),
            ..Response::default()
        })
    }

    /// Says a text, or SSML, and waits for the customer; `reprompt` is said when nothing comes.
    #[must_use]
    pub fn ask(text: impl Into<String>, reprompt: impl Into<String>) -> Self {
        Self::new(Response {
            output_speech: Some(OutputSpeech::speech(text)),
            reprompt: Some(Reprompt {
                output_speech: Some(OutputSpeech::speech(reprompt)),
                directives: Vec::new(),
                more: Map::new(),
            }),
            should_end_session: Some(false),
            ..Response::default()
        })
    }

    /// The same response with a directive.
    #[must_use]
    pub fn with_directive(mut self, directive: Value) -> Self {
        self.response.directives.push(directive);
        self
    }

    /// The same response with something that comes back in the session's next request.
    #[must_use]
    pub fn with_attribute(mut self, name: &str, value: Value) -> Self {
        self.session_attributes.insert(name.to_owned(), value);
        self
    }

    /// The same response with a card.
    #[must_use]
    pub fn with_card(mut self, card: Card) -> Self {
        self.response.card = Some(card);
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_empty_response_has_no_members() {
        assert_eq!(
            serde_json::to_value(ResponseEnvelope::empty()).unwrap(),
            json!({ "version": "1.0", "response": {} })
        );
    }

    #[test]
    fn cards_and_speech_have_amazons_form() {
        let response = ResponseEnvelope::tell("Hello").with_card(Card::AskForPermissionsConsent {
            permissions: vec![crate::profile::MOBILE_NUMBER_SCOPE.to_owned()],
        });
        let json = json!({ "version": "1.0", "response": {
            "outputSpeech": { "type": "PlainText", "text": "Hello" },
            "card": { "type": "AskForPermissionsConsent", "permissions": ["alexa::profile:mobile_number:read"] },
            "shouldEndSession": true } });
        assert_eq!(serde_json::to_value(&response).unwrap(), json);
        assert_eq!(
            serde_json::from_value::<ResponseEnvelope>(json).unwrap(),
            response
        );
        assert_eq!(
            serde_json::to_value(Card::LinkAccount).unwrap(),
            json!({ "type": "LinkAccount" })
        );
        let ssml =
            json!({ "type": "SSML", "ssml": "<speak>Hi</speak>", "playBehavior": "ENQUEUE" });
        let speech: OutputSpeech = serde_json::from_value(ssml.clone()).unwrap();
        assert_eq!(speech.content(), "<speak>Hi</speak>");
        assert_eq!(serde_json::to_value(speech).unwrap(), ssml);
    }
}
