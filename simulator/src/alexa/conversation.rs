//! An utterance, from the device's ear to what Alexa says.

use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Map, Value};
use skillcall_protocol::trace::{Direction, Message, Party, Protocol};

use super::{Alexa, view};
use crate::authority::AuthorityError;
use crate::customer::Customer;
use crate::line::Call;
use crate::model::{Heard, SlotValue};
use crate::skill::{Answer, Expected, Reply, RequestKind, Session, SkillFailure, new_id};
use crate::trace::Known;
use crate::trouble::{Fault, Place};

/// What Alexa says when the skill's answer is of no use.
const PROBLEM_WITH_SKILL: &str = "There was a problem with the requested skill's response.";
/// What Alexa says when it has not understood.
const NOT_UNDERSTOOD: &str = "Sorry, I don't know that one.";

/// How an utterance came out.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(
    tag = "outcome",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub enum Outcome {
    /// The skill answered.
    Answered,
    /// Alexa understood nothing that the skill could have been asked.
    NotUnderstood,
    /// The customer left; the skill was told if it was open.
    Left,
    /// The skill did not answer in time (facts A4).
    TimedOut {
        /// What happened.
        message: String,
    },
    /// The skill could not be reached.
    Unreachable {
        /// What happened.
        message: String,
    },
    /// The skill answered with another status than 200.
    Refused {
        /// The status.
        status: u16,
        /// What happened.
        message: String,
    },
    /// The skill's answer broke a rule (facts A3, A4).
    Invalid {
        /// Which.
        message: String,
    },
}

/// A skill session.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    /// `session.sessionId`.
    pub id: String,
    /// Whether the next utterance belongs to it.
    pub open: bool,
    /// What the next request would echo.
    pub attributes: Map<String, Value>,
}

/// What came of an utterance.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Said {
    /// The request's id; absent when no request was sent.
    pub request_id: Option<String>,
    /// The W3C trace id that the request belongs to, if the skill has told it: Alexa begins none.
    pub trace_id: Option<String>,
    /// The request's type, or the intent's name.
    pub heard: String,
    /// How it came out.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What the skill answered.
    pub reply: Option<Reply>,
    /// What Alexa says in the end, progressive responses first.
    pub spoken: Vec<String>,
    /// How long the skill took, in milliseconds.
    pub took_ms: u64,
    /// The session.
    pub session: Option<SessionView>,
    /// The call that was ordered in this request.
    pub call: Option<Call>,
    /// Statuses and bodies of repeated requests, if such were asked for as trouble.
    pub repeats: Vec<(u16, String)>,
}

/// Why an utterance could not be said at all.
#[derive(Debug, thiserror::Error)]
pub enum SayError {
    /// There is no such device.
    #[error("there is no device {0:?}")]
    NoSuchDevice(String),
    /// A request without a type.
    #[error("the request has no `type`; expected such as AlexaSkillEvent.SkillEnabled")]
    NoType,
    /// The utterance is too long.
    #[error("the utterance has more than 1000 characters")]
    TooLong,
    /// Signing failed.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

/// What came of a request.
pub(super) struct Sent {
    pub(super) answer: Answer,
    repeats: Vec<(u16, String)>,
    progressive: Vec<String>,
    call: Option<Call>,
}

impl Alexa {
    /// A device hears `utterance`. Utterances of one device follow one another.
    pub(crate) async fn say(
        self: &Arc<Self>,
        utterance: &str,
        device_id: Option<&str>,
    ) -> Result<Said, SayError> {
        if utterance.chars().count() > 1000 {
            return Err(SayError::TooLong);
        }
        let customer = self
            .customer(device_id)
            .ok_or_else(|| SayError::NoSuchDevice(device_id.unwrap_or_default().to_owned()))?;
        let conversation = self.conversation(&customer.device_id);
        let mut conversation = conversation.lock().await;
        conversation.turn += 1;
        let heard = self.model.hear(utterance);
        let mut known = Known::default();
        let in_dialog = conversation
            .session
            .as_ref()
            .and_then(|session| session.dialog.as_ref())
            .and_then(|dialog| self.in_dialog(dialog, utterance, &heard));
        let kind = match heard {
            _ if in_dialog.is_some() => in_dialog.unwrap_or(RequestKind::Launch),
            Heard::Launch => RequestKind::Launch,
            Heard::Intent { name, slots } => self.intent(name, slots),
            Heard::Exit => {
                return self.leave(&mut conversation, &customer, utterance).await;
            }
            Heard::NotUnderstood => {
                self.voice(&known, Party::Device, utterance);
                self.voice(&known, Party::Alexa, NOT_UNDERSTOOD);
                return Ok(not_understood(conversation.session.as_ref()));
            }
        };
        let session = conversation
            .session
            .get_or_insert_with(Session::begin)
            .clone();
        let request_id = new_id("amzn1.echo-api.request");
        known = known.request(Some(&request_id));
        self.voice(&known, Party::Device, utterance);
        let sent = self
            .send(&kind, &request_id, Some(&session), &customer)
            .await?;
        let mut spoken = sent.progressive;
        let took_ms = u64::try_from(sent.answer.took.as_millis()).unwrap_or(u64::MAX);
        let (outcome, reply) = match sent.answer.reply {
            Ok(reply) => {
                spoken.extend(reply.speech.clone());
                (Outcome::Answered, Some(reply))
            }
            Err(failure) => {
                spoken.push(PROBLEM_WITH_SKILL.to_owned());
                (outcome_of(&failure), None)
            }
        };
        if !spoken.is_empty() {
            self.voice(&known, Party::Alexa, &spoken.join(" "));
        }
        match (&reply, &outcome) {
            (Some(reply), _) => self.carry_on(&mut conversation, &customer, session.clone(), reply),
            (None, outcome) => {
                conversation.session = None;
                self.tell_failure(&customer, session.clone(), outcome);
            }
        }
        Ok(Said {
            trace_id: self.trace.trace_of(&request_id),
            request_id: Some(request_id),
            heard: kind.heard().to_owned(),
            outcome,
            reply,
            spoken,
            took_ms,
            session: Some(view(conversation.session.as_ref(), &session.id)),
            call: sent.call,
            repeats: sent.repeats,
        })
    }

    /// What is said between device and service; both of its ends write it down.
    pub(super) fn voice(&self, known: &Known, from: Party, words: &str) {
        let to = if from == Party::Device {
            Party::Alexa
        } else {
            Party::Device
        };
        let name = format!("say {words:?}");
        let message =
            |direction| Message::new(from.clone(), to.clone(), direction, Protocol::Voice, &name);
        self.trace
            .message(from.clone(), known, message(Direction::Sent));
        self.trace
            .message(to.clone(), known, message(Direction::Received));
    }

    fn intent(&self, name: String, slots: Vec<SlotValue>) -> RequestKind {
        let has_dialog = self.model.has_dialog(&name);
        RequestKind::Intent {
            name,
            slots,
            has_dialog,
        }
    }

    /// Signs and sends one request, with the trouble that is ordered, and takes the answer.
    pub(super) async fn send(
        &self,
        kind: &RequestKind,
        request_id: &str,
        session: Option<&Session>,
        customer: &Customer,
    ) -> Result<Sent, SayError> {
        let spoken = !matches!(kind, RequestKind::SessionEnded { .. });
        // Trouble is meant for what the customer says, not for the news of a session's end.
        let faults = if spoken {
            self.orders.take_all(Place::Request)
        } else {
            Vec::new()
        };
        self.send_with(kind, request_id, session, customer, &faults)
            .await
    }

    /// The same with this trouble.
    pub(super) async fn send_with(
        &self,
        kind: &RequestKind,
        request_id: &str,
        session: Option<&Session>,
        customer: &Customer,
        faults: &[Fault],
    ) -> Result<Sent, SayError> {
        let expected = kind.expected();
        let (body, headers) = self.signed(kind, request_id, session, customer, faults)?;
        let endpoint = self.endpoint();
        let begun = SystemTime::now();
        let path =
            url::Url::parse(&endpoint).map_or_else(|_| "/".to_owned(), |url| url.path().to_owned());
        let message = Message::new(
            Party::Alexa,
            Party::Component,
            Direction::Sent,
            Protocol::Http,
            &format!("POST {path} {}", kind.type_name()),
        );
        self.open_request(request_id, expected == Expected::Speech);
        let copies = faults.iter().find_map(|fault| match fault {
            Fault::Repeated { copies } => Some(*copies),
            _ => None,
        });
        let mut repeated = tokio::task::JoinSet::new();
        for _ in 0..copies.unwrap_or(0) {
            let (client, endpoint, body) = (self.client.clone(), endpoint.clone(), body.clone());
            let headers = headers.clone();
            repeated.spawn(async move { client.post(&endpoint, body, &headers, expected).await });
        }
        let answer = self
            .client
            .post(&endpoint, body.clone(), &headers, expected)
            .await;
        let mut repeats = Vec::new();
        while let Some(copy) = repeated.join_next().await {
            if let Ok(copy) = copy {
                repeats.push((
                    copy.status,
                    String::from_utf8_lossy(&copy.body).into_owned(),
                ));
            }
        }
        let progressive = self.close_request(request_id);
        let outcome = match &answer.reply {
            Ok(_) => "200".to_owned(),
            Err(failure) => reason(&answer.body)
                .filter(|_| answer.status >= 400)
                .map_or_else(
                    || failure.to_string(),
                    |reason| format!("{} {reason}", answer.status),
                ),
        };
        self.exchanges.add(&headers, &body, &answer);
        // The code of a grant is a secret (facts G7).
        let message = if expected == Expected::Grant {
            message.body(&exchange(b"", &answer.body))
        } else {
            message.body(&exchange(&body, &answer.body))
        };
        let took = u64::try_from(answer.took.as_micros()).unwrap_or(u64::MAX);
        let known = Known::default()
            .request(Some(request_id))
            .session(kind.signaling_session());
        self.trace.message_at(
            begun,
            Party::Alexa,
            &known,
            message.outcome(&outcome).took(took),
        );
        let call = self
            .book
            .all()
            .into_iter()
            .rev()
            .find(|call| call.request_id.as_deref() == Some(request_id));
        Ok(Sent {
            answer,
            repeats,
            progressive,
            call,
        })
    }
}

/// Request and answer as one JSON text, so that the redaction by names reaches both.
fn exchange(request: &[u8], reply: &[u8]) -> Vec<u8> {
    let request: Value = serde_json::from_slice(request).unwrap_or_default();
    let reply = match serde_json::from_slice::<Value>(reply) {
        Ok(reply) => reply,
        Err(_) if reply.is_empty() => Value::Null,
        Err(_) => Value::String(String::from_utf8_lossy(reply).into_owned()),
    };
    serde_json::json!({"request": request, "reply": reply})
        .to_string()
        .into_bytes()
}

/// The reason that the skill's problem document gives (RFC 9457).
fn reason(body: &[u8]) -> Option<String> {
    let problem: Value = serde_json::from_slice(body).ok()?;
    let reason = problem["detail"].as_str().or(problem["title"].as_str())?;
    Some(reason.to_owned())
}

fn outcome_of(failure: &SkillFailure) -> Outcome {
    let message = failure.to_string();
    match failure {
        SkillFailure::TimedOut(_) => Outcome::TimedOut { message },
        SkillFailure::Unreachable(_) => Outcome::Unreachable { message },
        SkillFailure::Status(status) => Outcome::Refused {
            status: *status,
            message,
        },
        SkillFailure::Invalid(_) => Outcome::Invalid { message },
    }
}

fn not_understood(session: Option<&Session>) -> Said {
    Said {
        request_id: None,
        trace_id: None,
        heard: String::new(),
        outcome: Outcome::NotUnderstood,
        reply: None,
        spoken: vec![NOT_UNDERSTOOD.to_owned()],
        took_ms: 0,
        session: session.map(|open| view(Some(open), &open.id)),
        call: None,
        repeats: Vec::new(),
    }
}
