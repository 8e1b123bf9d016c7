//! The skill's answer, read as strictly as Alexa reads it (facts A3, A4).

use serde::Serialize;
use serde_json::{Map, Value};

use super::ssml;

/// The whole response: 24 KB (facts A4).
pub(crate) const MAX_REPLY: usize = 24 * 1024;
/// `outputSpeech`: 8000 characters (facts A4).
const MAX_SPEECH: usize = 8000;

/// A rule that the skill's answer breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReplyProblem {
    /// Where in the answer, such as `response.outputSpeech.type`.
    pub place: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl std::fmt::Display for ReplyProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// What the skill answered, as far as Alexa acts on it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reply {
    /// What is said, as plain text.
    pub speech: Option<String>,
    /// What is said, as the SSML that came.
    pub ssml: Option<String>,
    /// What is said when the customer does not answer, as plain text.
    pub reprompt: Option<String>,
    /// The card in the companion app.
    pub card: Option<Value>,
    /// `true`, `false` and absent are three different things (facts A3).
    pub should_end_session: Option<bool>,
    /// Directives, as they came.
    pub directives: Vec<Value>,
    /// What the next request of the session will echo.
    pub session_attributes: Map<String, Value>,
}

/// What may answer a request (facts A2, A3, G7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Speech and all the rest.
    Speech,
    /// No speech: nobody listens.
    Nothing,
    /// `canFulfillIntent`, and no speech.
    CanFulfill,
    /// No speech, or the event that defers the answer (facts G6).
    Deferred,
    /// The event that answers a grant, which is no response of a custom skill.
    Grant,
}

/// Reads the body of a 200 answer.
pub(crate) fn read(
    content_type: Option<&str>,
    body: &[u8],
    expected: Expected,
) -> Result<Reply, Vec<ReplyProblem>> {
    let mut problems = Problems(Vec::new());
    let media_type = content_type
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        problems.add(
            "Content-Type",
            format!("is {media_type:?}; expected application/json"),
        );
    }
    if body.len() > MAX_REPLY {
        problems.add(
            "",
            format!("has more than {MAX_REPLY} bytes; the response may have 24 KB"),
        );
        return Err(problems.0);
    }
    let answer: Value = match serde_json::from_slice(body) {
        Ok(answer) => answer,
        Err(error) => {
            problems.add("", format!("is no JSON: {error}"));
            return Err(problems.0);
        }
    };
    let reply = match expected {
        Expected::Grant => {
            problems.grant(&answer);
            Reply::default()
        }
        Expected::Deferred if answer.get("event").is_some() => {
            problems.deferred(&answer);
            Reply::default()
        }
        _ => problems.reply(&answer, expected == Expected::Speech),
    };
    if expected == Expected::CanFulfill {
        problems.can_fulfill(&answer["response"]["canFulfillIntent"]);
    }
    if problems.0.is_empty() {
        Ok(reply)
    } else {
        Err(problems.0)
    }
}

struct Problems(Vec<ReplyProblem>);

impl Problems {
    fn add(&mut self, place: &str, message: impl Into<String>) {
        let place = if place.is_empty() {
            "response body"
        } else {
            place
        };
        self.0.push(ReplyProblem {
            place: place.to_owned(),
            message: message.into(),
        });
    }

    /// Facts G7.
    fn grant(&mut self, answer: &Value) {
        let header = &answer["event"]["header"];
        for (name, expected) in [
            ("namespace", "Alexa.Authorization"),
            ("payloadVersion", "3"),
        ] {
            if header[name] != expected {
                self.add(
                    &format!("event.header.{name}"),
                    format!("is {}; expected {expected:?}", shown(header.get(name))),
                );
            }
        }
        if header["messageId"].as_str().is_none_or(str::is_empty) {
            self.add("event.header.messageId", "is missing");
        }
        let payload = &answer["event"]["payload"];
        match header["name"].as_str() {
            Some("AcceptGrant.Response") if payload.is_object() => {}
            Some("ErrorResponse") if payload["type"] == "ACCEPT_GRANT_FAILED" => {}
            _ => self.add(
                "event",
                "is neither AcceptGrant.Response with a payload nor ErrorResponse with ACCEPT_GRANT_FAILED",
            ),
        }
    }

    /// Facts G6, as smart-home skills defer.
    fn deferred(&mut self, answer: &Value) {
        let header = &answer["event"]["header"];
        for (name, expected) in [("namespace", "Alexa"), ("name", "DeferredResponse")] {
            if header[name] != expected {
                self.add(
                    &format!("event.header.{name}"),
                    format!("is {}; expected {expected:?}", shown(header.get(name))),
                );
            }
        }
        if !answer["event"]["payload"]["estimatedDeferralInSeconds"].is_u64() {
            self.add(
                "event.payload.estimatedDeferralInSeconds",
                "is missing; expected seconds",
            );
        }
    }

    /// Facts A3.
    fn can_fulfill(&mut self, answer: &Value) {
        let is_sure = |value: &Value| matches!(value.as_str(), Some("YES" | "NO" | "MAYBE"));
        if !is_sure(&answer["canFulfill"]) {
            self.add(
                "response.canFulfillIntent.canFulfill",
                "expected YES, NO or MAYBE",
            );
        }
        for (name, slot) in answer["slots"].as_object().into_iter().flatten() {
            let able = matches!(slot["canFulfill"].as_str(), None | Some("YES" | "NO"));
            if !is_sure(&slot["canUnderstand"]) || !able {
                self.add(
                    &format!("response.canFulfillIntent.slots.{name}"),
                    "expected YES, NO or MAYBE for canUnderstand, YES or NO for canFulfill",
                );
            }
        }
    }

    fn reply(&mut self, answer: &Value, spoken: bool) -> Reply {
        let mut reply = Reply::default();
        let Some(answer) = answer.as_object() else {
            self.add("", "is no JSON object");
            return reply;
        };
        match answer.get("version") {
            Some(Value::String(version)) if version == "1.0" => {}
            other => self.add("version", format!("is {}; expected \"1.0\"", shown(other))),
        }
        match answer.get("sessionAttributes") {
            None | Some(Value::Null) => {}
            Some(Value::Object(attributes)) => reply.session_attributes = attributes.clone(),
            other => self.add(
                "sessionAttributes",
                format!("is {}; expected an object", shown(other)),
            ),
        }
        let Some(response) = answer.get("response").and_then(Value::as_object) else {
            self.add(
                "response",
                format!("is {}; expected an object", shown(answer.get("response"))),
            );
            return reply;
        };
        if let Some(speech) = present(response, "outputSpeech") {
            if !spoken {
                self.add(
                    "response.outputSpeech",
                    "a request that nobody spoke cannot be answered by speech",
                );
            }
            reply.ssml = speech
                .get("ssml")
                .and_then(Value::as_str)
                .map(str::to_owned);
            reply.speech = self.speech("response.outputSpeech", speech);
        }
        if let Some(reprompt) = present(response, "reprompt") {
            match present_in(reprompt, "outputSpeech") {
                Some(speech) => {
                    reply.reprompt = self.speech("response.reprompt.outputSpeech", speech)
                }
                None if reprompt.get("directives").is_some() => {}
                None => self.add("response.reprompt", "has no outputSpeech"),
            }
        }
        if let Some(card) = present(response, "card") {
            self.card(card);
            reply.card = Some(card.clone());
        }
        match response.get("shouldEndSession") {
            None | Some(Value::Null) => {}
            Some(Value::Bool(end)) => reply.should_end_session = Some(*end),
            other => self.add(
                "response.shouldEndSession",
                format!("is {}; expected true or false", shown(other)),
            ),
        }
        match response.get("directives") {
            None | Some(Value::Null) => {}
            Some(Value::Array(directives)) => {
                for (at, directive) in directives.iter().enumerate() {
                    if !directive.get("type").is_some_and(Value::is_string) {
                        self.add(
                            &format!("response.directives[{at}].type"),
                            "is missing; expected the directive's name",
                        );
                    }
                }
                reply.directives.clone_from(directives);
            }
            other => self.add(
                "response.directives",
                format!("is {}; expected an array", shown(other)),
            ),
        }
        reply
    }

    fn speech(&mut self, place: &str, speech: &Value) -> Option<String> {
        let (field, text) = match speech.get("type").and_then(Value::as_str) {
            Some("PlainText") => ("text", speech.get("text")),
            Some("SSML") => ("ssml", speech.get("ssml")),
            _ => {
                self.add(
                    &format!("{place}.type"),
                    format!(
                        "is {}; expected PlainText or SSML",
                        shown(speech.get("type"))
                    ),
                );
                return None;
            }
        };
        let Some(text) = text.and_then(Value::as_str) else {
            self.add(
                &format!("{place}.{field}"),
                "is missing; expected the words to say",
            );
            return None;
        };
        let count = text.chars().count();
        if count > MAX_SPEECH {
            self.add(
                &format!("{place}.{field}"),
                format!("has {count} characters; exceeds allowed size of {MAX_SPEECH} characters"),
            );
        }
        if let Some(behaviour) = speech.get("playBehavior")
            && !matches!(
                behaviour.as_str(),
                Some("ENQUEUE" | "REPLACE_ALL" | "REPLACE_ENQUEUED")
            )
        {
            self.add(
                &format!("{place}.playBehavior"),
                format!("is {behaviour}; expected ENQUEUE, REPLACE_ALL or REPLACE_ENQUEUED"),
            );
        }
        if field == "text" {
            return Some(text.to_owned());
        }
        match ssml::said(text) {
            Ok(said) => Some(said),
            Err(problem) => {
                self.add(&format!("{place}.ssml"), problem);
                None
            }
        }
    }

    fn card(&mut self, card: &Value) {
        let has = |name: &str| card.get(name).is_some_and(Value::is_string);
        match card.get("type").and_then(Value::as_str) {
            Some("Simple") if !has("content") => {
                self.add("response.card.content", "is missing from a Simple card")
            }
            Some("Standard") if !has("text") => {
                self.add("response.card.text", "is missing from a Standard card")
            }
            Some("AskForPermissionsConsent") => {
                let scopes = card.get("permissions").and_then(Value::as_array);
                if !scopes
                    .is_some_and(|scopes| !scopes.is_empty() && scopes.iter().all(Value::is_string))
                {
                    self.add(
                        "response.card.permissions",
                        "must be an array of scopes, not empty",
                    );
                }
            }
            Some("Simple" | "Standard" | "LinkAccount") => {}
            _ => self.add(
                "response.card.type",
                format!(
                    "is {}; expected Simple, Standard, LinkAccount or AskForPermissionsConsent",
                    shown(card.get("type"))
                ),
            ),
        }
    }
}

fn present<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    object.get(key).filter(|value| !value.is_null())
}

fn present_in<'a>(object: &'a Value, key: &str) -> Option<&'a Value> {
    object.get(key).filter(|value| !value.is_null())
}

fn shown(value: Option<&Value>) -> String {
    let text = value.map_or_else(|| "missing".to_owned(), Value::to_string);
    if text.chars().count() > 60 {
        format!("{}…", text.chars().take(60).collect::<String>())
    } else {
        text
    }
}

#[cfg(test)]
mod tests;
