//! An utterance, from the device's ear to what Alexa says.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};
use skillcall_protocol::trace::{Direction, Message, Party, Protocol};
use skillcall_protocol::traceparent::TraceParent;

use super::{Alexa, Conversation, view};
use crate::authority::AuthorityError;
use crate::customer::Customer;
use crate::line::Call;
use crate::model::{Heard, SlotValue};
use crate::skill::{Answer, Asking, Reply, RequestKind, Session, SkillFailure, new_id};
use crate::stopping::stopped;
use crate::tokens::{Grant, TOKEN_LIFE};
use crate::trace::{Known, begin};
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
    /// The trace id of `traceparent`.
    pub trace_id: String,
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
    /// The utterance is too long.
    #[error("the utterance has more than 1000 characters")]
    TooLong,
    /// Signing failed.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

struct Sent {
    answer: Answer,
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
        let context = begin();
        let heard = self.model.hear(utterance);
        let mut known = Known::context(&context);
        let kind = match heard {
            Heard::Launch => RequestKind::Launch,
            Heard::Intent { name, slots } => self.intent(name, slots),
            Heard::Exit => {
                self.voice(&known, Party::Device, utterance);
                return self.leave(&mut conversation, &customer, context).await;
            }
            Heard::NotUnderstood => {
                self.voice(&known, Party::Device, utterance);
                self.voice(&known, Party::Alexa, NOT_UNDERSTOOD);
                return Ok(not_understood(context, conversation.session.as_ref()));
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
            .send(&kind, &request_id, &session, &customer, context)
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
            request_id: Some(request_id),
            trace_id: context.trace_id(),
            heard: match &kind {
                RequestKind::Intent { name, .. } => name.clone(),
                other => other.type_name().to_owned(),
            },
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

    /// "Exit": Alexa ends the session by itself and tells the skill (facts A2).
    async fn leave(
        self: &Arc<Self>,
        conversation: &mut Conversation,
        customer: &Customer,
        context: TraceParent,
    ) -> Result<Said, SayError> {
        let session = conversation.session.take();
        let mut request_id = None;
        if let Some(session) = &session {
            let id = new_id("amzn1.echo-api.request");
            let kind = RequestKind::SessionEnded {
                reason: "USER_INITIATED",
                error: None,
            };
            self.send(&kind, &id, session, customer, context).await?;
            request_id = Some(id);
        }
        Ok(Said {
            request_id,
            trace_id: context.trace_id(),
            heard: "exit".to_owned(),
            outcome: Outcome::Left,
            reply: None,
            spoken: Vec::new(),
            took_ms: 0,
            session: session.map(|session| view(None, &session.id)),
            call: None,
            repeats: Vec::new(),
        })
    }

    /// Keeps or ends the session as the answer says; absent means end, on a device without a screen.
    fn carry_on(
        self: &Arc<Self>,
        conversation: &mut Conversation,
        customer: &Customer,
        session: Session,
        reply: &Reply,
    ) {
        if reply.should_end_session != Some(false) {
            conversation.session = None;
            return;
        }
        conversation.session = Some(Session {
            new: false,
            attributes: reply.session_attributes.clone(),
            ..session
        });
        let turn = conversation.turn;
        let alexa = Arc::clone(self);
        let customer = customer.clone();
        // Once for the answer, and once more after the reprompt.
        let patience = if reply.reprompt.is_some() {
            self.limits.listen * 2
        } else {
            self.limits.listen
        };
        let mut stopping = self.stopping.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(patience) => alexa.give_up(&customer, turn).await,
                () = stopped(&mut stopping) => {}
            }
        });
    }

    /// Nobody answered the skill's question.
    async fn give_up(self: &Arc<Self>, customer: &Customer, turn: u64) {
        let conversation = self.conversation(&customer.device_id);
        let mut conversation = conversation.lock().await;
        if conversation.turn != turn {
            return;
        }
        if let Some(session) = conversation.session.take() {
            let kind = RequestKind::SessionEnded {
                reason: "EXCEEDED_MAX_REPROMPTS",
                error: None,
            };
            self.tell(&kind, &session, customer).await;
        }
    }

    /// After an answer of no use, the skill hears why its session ended (facts A2).
    fn tell_failure(self: &Arc<Self>, customer: &Customer, session: Session, outcome: &Outcome) {
        let (kind, message) = match outcome {
            Outcome::TimedOut { message } => ("ENDPOINT_TIMEOUT", message),
            Outcome::Unreachable { message } | Outcome::Refused { message, .. } => {
                ("INTERNAL_SERVICE_ERROR", message)
            }
            Outcome::Invalid { message } => ("INVALID_RESPONSE", message),
            Outcome::Answered | Outcome::NotUnderstood | Outcome::Left => return,
        };
        let kind = RequestKind::SessionEnded {
            reason: "ERROR",
            error: Some((kind, message.clone())),
        };
        let alexa = Arc::clone(self);
        let customer = customer.clone();
        let session = Session {
            new: false,
            ..session
        };
        let mut stopping = self.stopping.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = alexa.tell(&kind, &session, &customer) => {}
                () = stopped(&mut stopping) => {}
            }
        });
    }

    /// Sends what needs no answer.
    async fn tell(self: &Arc<Self>, kind: &RequestKind, session: &Session, customer: &Customer) {
        let request_id = new_id("amzn1.echo-api.request");
        if let Err(error) = self
            .send(kind, &request_id, session, customer, begin())
            .await
        {
            tracing::warn!(%error, "the skill could not be told of its session's end");
        }
    }

    /// Signs and sends one request, with the trouble that is ordered, and takes the answer.
    async fn send(
        &self,
        kind: &RequestKind,
        request_id: &str,
        session: &Session,
        customer: &Customer,
        context: TraceParent,
    ) -> Result<Sent, SayError> {
        let spoken = !matches!(kind, RequestKind::SessionEnded { .. });
        // Trouble is meant for what the customer says, not for the news of a session's end.
        let faults = if spoken {
            self.orders.take_all(Place::Request)
        } else {
            Vec::new()
        };
        let (body, headers) = self.signed(kind, request_id, session, customer, &faults)?;
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
        )
        .body(&body);
        self.open_request(request_id, spoken);
        let copies = faults.iter().find_map(|fault| match fault {
            Fault::Repeated { copies } => Some(*copies),
            _ => None,
        });
        let mut repeated = tokio::task::JoinSet::new();
        for _ in 0..copies.unwrap_or(0) {
            let (client, endpoint, body) = (self.client.clone(), endpoint.clone(), body.clone());
            let (headers, traceparent) = (headers.clone(), child(context));
            repeated.spawn(async move {
                client
                    .post(&endpoint, body, &headers, &traceparent, spoken)
                    .await
            });
        }
        let answer = self
            .client
            .post(&endpoint, body, &headers, &child(context), spoken)
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
            Err(failure) => failure.to_string(),
        };
        let took = u64::try_from(answer.took.as_micros()).unwrap_or(u64::MAX);
        let known = Known::context(&context).request(Some(request_id));
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

    fn signed(
        &self,
        kind: &RequestKind,
        request_id: &str,
        session: &Session,
        customer: &Customer,
        faults: &[Fault],
    ) -> Result<(Vec<u8>, Vec<(&'static str, String)>), SayError> {
        let mut skill_id = self.skill_id.as_str();
        let mut api_endpoint = self.api_endpoint.as_str();
        let mut timestamp = Some(Timestamp::now());
        let mut token_age = Duration::ZERO;
        let mut with_token = true;
        for fault in faults {
            match fault {
                Fault::OtherSkill { skill_id: other } => skill_id = other,
                Fault::OtherApiEndpoint { url } => api_endpoint = url,
                Fault::NoTimestamp => timestamp = None,
                Fault::Stale { seconds } => timestamp = shifted(timestamp, *seconds, true),
                Fault::Future { seconds } => timestamp = shifted(timestamp, *seconds, false),
                Fault::ExpiredToken => token_age = TOKEN_LIFE + Duration::from_secs(1),
                Fault::NoToken => with_token = false,
                _ => {}
            }
        }
        let token = if with_token {
            let grant = Grant {
                request_id: request_id.to_owned(),
                skill_id: self.skill_id.clone(),
                device_id: customer.device_id.clone(),
                user_id: customer.user_id.clone(),
                audience: self.api_endpoint.clone(),
                scopes: customer.granted.iter().cloned().collect(),
            };
            Some(self.mint.mint(grant, token_age)?)
        } else {
            None
        };
        let asking = Asking {
            kind,
            request_id,
            timestamp,
            locale: self.model.locale(),
            skill_id,
            session,
            customer,
            api_endpoint,
            api_access_token: token.as_deref(),
            // The older form of the same token (facts A1).
            consent_token: token.as_deref(),
        };
        let body = asking.to_json().to_string().into_bytes();
        let headers = self.signature(&body, faults)?;
        Ok((body, headers))
    }

    fn signature(
        &self,
        body: &[u8],
        faults: &[Fault],
    ) -> Result<Vec<(&'static str, String)>, AuthorityError> {
        let mut chain = self.authority.chain();
        for fault in faults {
            if let Fault::BadChain { chain: fault } = fault {
                chain = self.authority.faulty_chain(*fault)?;
            }
        }
        let tampered: Vec<u8>;
        let signed_body = if faults.contains(&Fault::Tampered) {
            tampered = [body, b" "].concat();
            &tampered
        } else {
            body
        };
        let mut signature = chain.sign(signed_body)?;
        let mut without: Vec<&str> = Vec::new();
        for fault in faults {
            match fault {
                Fault::ChainUrl { url } => signature.chain_url.clone_from(url),
                Fault::NoChainUrl => without.push("SignatureCertChainUrl"),
                Fault::LegacySignatureOnly => without.push("Signature-256"),
                Fault::Unsigned => {
                    without.extend(["SignatureCertChainUrl", "Signature-256", "Signature"])
                }
                _ => {}
            }
        }
        Ok(signature
            .pairs()
            .into_iter()
            .filter(|(name, _)| !without.contains(name))
            .map(|(name, value)| (name, value.to_owned()))
            .collect())
    }
}

/// The `traceparent` of one message out.
fn child(context: TraceParent) -> String {
    context.child(rand::random()).to_string()
}

fn shifted(timestamp: Option<Timestamp>, seconds: u64, back: bool) -> Option<Timestamp> {
    let by = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    timestamp.map(|at| {
        let moved = if back {
            at.checked_sub(by)
        } else {
            at.checked_add(by)
        };
        moved.unwrap_or(at)
    })
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

fn not_understood(context: TraceParent, session: Option<&Session>) -> Said {
    Said {
        request_id: None,
        trace_id: context.trace_id(),
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
