//! The shapes of Lex V2's runtime: what a bot is asked, and what its answer means (facts F6).

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::engine::{BotMessage, BotReply, BotStart};

/// The largest value that a compressed header may unpack to.
const LARGEST_HEADER: u64 = 256 * 1024;

/// Bot id and alias id in the ARN of a bot's alias.
pub(crate) fn address(arn: &str) -> Option<(&str, &str)> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, "lex", region, account, resource] = parts.as_slice() else {
        return None;
    };
    let named = |id: &str| {
        (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let (bot, alias) = resource.strip_prefix("bot-alias/")?.split_once('/')?;
    let digits = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    (partition.starts_with("aws") && !region.is_empty() && digits && named(bot) && named(alias))
        .then_some((bot, alias))
}

/// The path of a session's requests; `operation` is `text` or `utterance`.
pub(super) fn path(
    (bot, alias): (&str, &str),
    locale: &str,
    session: &str,
    operation: &str,
) -> String {
    format!("bots/{bot}/botAliases/{alias}/botLocales/{locale}/sessions/{session}/{operation}")
}

/// `sessionState` of the first request of a conversation.
pub(super) fn session_state(start: &BotStart) -> Value {
    let mut state = Map::new();
    if let Some(kind) = start.dialog_action {
        state.insert("dialogAction".to_owned(), json!({ "type": kind }));
    }
    state.insert(
        "sessionAttributes".to_owned(),
        json!(start.session_attributes),
    );
    Value::Object(state)
}

/// The body of RecognizeText.
pub(super) fn text_request(text: &str, start: Option<&BotStart>) -> Value {
    let mut body = json!({ "text": text });
    if let Some(start) = start {
        body["sessionState"] = session_state(start);
    }
    body
}

/// A header's value as RecognizeUtterance has it: JSON, compressed, in base64.
///
/// # Errors
/// Never: memory takes what is written.
pub(super) fn packed(value: &Value) -> std::io::Result<String> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(value.to_string().as_bytes())?;
    Ok(BASE64.encode(encoder.finish()?))
}

/// What a header of RecognizeUtterance's answer holds.
///
/// # Errors
/// What is wrong with it.
pub(super) fn unpacked(header: &str) -> Result<Value, String> {
    let compressed = BASE64
        .decode(header)
        .map_err(|error| format!("no base64: {error}"))?;
    let mut text = Vec::new();
    GzDecoder::new(compressed.as_slice())
        .take(LARGEST_HEADER)
        .read_to_end(&mut text)
        .map_err(|error| format!("not compressed by gzip: {error}"))?;
    serde_json::from_slice(&text).map_err(|error| format!("no JSON: {error}"))
}

/// The answer of RecognizeText; the headers of RecognizeUtterance's make the same.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Answer {
    pub(super) messages: Vec<Message>,
    pub(super) session_state: SessionState,
    pub(super) interpretations: Vec<Interpretation>,
    pub(super) session_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Message {
    content: Option<String>,
    content_type: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct SessionState {
    dialog_action: Option<DialogAction>,
    intent: Option<Intent>,
    session_attributes: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DialogAction {
    #[serde(rename = "type")]
    kind: String,
    slot_to_elicit: Option<String>,
}

/// An intent: read in Lex's case, told in that of the events (facts F6, IntentResult).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(
    rename_all(serialize = "PascalCase", deserialize = "camelCase"),
    default
)]
struct Intent {
    name: String,
    slots: Option<BTreeMap<String, Option<Slot>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmation_state: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(
    rename_all(serialize = "PascalCase", deserialize = "camelCase"),
    default
)]
struct Slot {
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<SlotValue>,
    values: Vec<Slot>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(
    rename_all(serialize = "PascalCase", deserialize = "camelCase"),
    default
)]
struct SlotValue {
    original_value: Option<String>,
    interpreted_value: Option<String>,
    resolved_values: Vec<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(
    rename_all(serialize = "PascalCase", deserialize = "camelCase"),
    default
)]
pub(super) struct Interpretation {
    #[serde(skip_serializing_if = "Option::is_none")]
    nlu_confidence: Option<Confidence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    intent: Option<Intent>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(
    rename_all(serialize = "PascalCase", deserialize = "camelCase"),
    default
)]
struct Confidence {
    score: f64,
}

impl Answer {
    /// What the conversation makes of it; `session` is the session's id.
    pub(super) fn reply(self, session: &str) -> BotReply {
        let Self {
            messages,
            session_state: state,
            interpretations,
            session_id,
        } = self;
        let action = state.dialog_action.unwrap_or_default();
        let mut shown = Map::new();
        let attributes = state.session_attributes.unwrap_or_default();
        shown.insert("SessionAttributes".to_owned(), json!(attributes));
        if let Some(intent) = &state.intent {
            shown.insert("Intent".to_owned(), json!(intent));
        }
        let spoken = messages
            .into_iter()
            .filter_map(|message| {
                let content = message
                    .content
                    .filter(|content| !content.trim().is_empty())?;
                match message.content_type.as_str() {
                    "PlainText" => Some(BotMessage::PlainText(content)),
                    "SSML" => Some(BotMessage::Ssml(content)),
                    // Cards and payloads of one's own are not for the ear.
                    _ => None,
                }
            })
            .collect();
        BotReply {
            messages: spoken,
            is_over: action.kind == "Close",
            intent: state.intent.map(|intent| intent.name),
            slot: action.slot_to_elicit,
            attributes,
            result: json!({
                "SessionId": session_id.as_deref().unwrap_or(session),
                "SessionState": shown,
                "Interpretations": interpretations,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_of_aliases() {
        assert_eq!(
            address("arn:aws:lex:us-east-1:111122223333:bot-alias/ABCDEFGHIJ/TSTALIASID"),
            Some(("ABCDEFGHIJ", "TSTALIASID"))
        );
        for other in [
            "",
            "arn:aws:lex:us-east-1:111122223333:bot/ABCDEFGHIJ",
            "arn:aws:lex:us-east-1:1:bot-alias/A/B",
            "arn:aws:lex:us-east-1:111122223333:bot-alias/../B",
            "arn:aws:lambda:us-east-1:111122223333:bot-alias/A/B",
        ] {
            assert_eq!(address(other), None, "{other}");
        }
    }

    /// The example of facts F6, in both cases.
    #[test]
    fn an_answer_becomes_an_intent_result() {
        let answer = json!({
            "sessionId": "a-leg-uuid",
            "messages": [
                {"content": "Thanks.", "contentType": "PlainText"},
                {"contentType": "ImageResponseCard", "imageResponseCard": {"title": "x"}},
            ],
            "sessionState": {
                "dialogAction": {"type": "Close"},
                "sessionAttributes": {"room": "12"},
                "intent": {"name": "Order", "state": "Fulfilled", "confirmationState": "Confirmed", "slots": {
                    "roomNumber": {"shape": "Scalar", "value": {"originalValue": "twelve", "interpretedValue": "12", "resolvedValues": ["12"]}},
                    "towels": null,
                }},
            },
            "interpretations": [{"nluConfidence": {"score": 0.84}, "intent": {"name": "Order", "slots": {}}}],
            "requestAttributes": {},
        });
        let answer: Answer = serde_json::from_value(answer).unwrap();
        let reply = answer.reply("x");
        assert_eq!(reply.messages, [BotMessage::PlainText("Thanks.".into())]);
        assert!(reply.is_over);
        assert_eq!(
            reply.result,
            json!({
                "SessionId": "a-leg-uuid",
                "SessionState": {
                    "SessionAttributes": {"room": "12"},
                    "Intent": {"Name": "Order", "State": "Fulfilled", "ConfirmationState": "Confirmed", "Slots": {
                        "roomNumber": {"Value": {"OriginalValue": "twelve", "InterpretedValue": "12", "ResolvedValues": ["12"]}, "Values": []},
                        "towels": null,
                    }},
                },
                "Interpretations": [{"NluConfidence": {"Score": 0.84}, "Intent": {"Name": "Order", "Slots": {}}}],
            })
        );
    }

    #[test]
    fn headers_are_packed_and_unpacked() {
        let value = json!([{"content": "grüß", "contentType": "PlainText"}]);
        assert_eq!(unpacked(&packed(&value).unwrap()).unwrap(), value);
        assert!(unpacked("e30=").unwrap_err().contains("gzip"));
        assert!(unpacked("!").unwrap_err().contains("base64"));
    }
}
