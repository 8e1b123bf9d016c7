//! How a skill's session goes on and ends (facts A2, A3).

use std::sync::Arc;

use skillcall_protocol::trace::Party;

use super::{Alexa, Conversation, Outcome, Said, SayError, view};
use crate::customer::Customer;
use crate::skill::{Reply, RequestKind, Session, new_id};
use crate::stopping::stopped;
use crate::trace::Known;

impl Alexa {
    /// "Exit": Alexa ends the session by itself and tells the skill (facts A2).
    pub(super) async fn leave(
        self: &Arc<Self>,
        conversation: &mut Conversation,
        customer: &Customer,
        utterance: &str,
    ) -> Result<Said, SayError> {
        let session = conversation.session.take();
        let request_id = session.as_ref().map(|_| new_id("amzn1.echo-api.request"));
        let known = Known::default().request(request_id.as_deref());
        self.voice(&known, Party::Device, utterance);
        if let (Some(session), Some(id)) = (&session, &request_id) {
            let kind = RequestKind::SessionEnded {
                reason: "USER_INITIATED",
                error: None,
            };
            self.send(&kind, id, Some(session), customer).await?;
        }
        Ok(Said {
            request_id,
            trace_id: None,
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
    pub(super) fn carry_on(
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
            dialog: reply.directives.iter().find_map(super::dialog::asked),
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
    pub(super) fn tell_failure(
        self: &Arc<Self>,
        customer: &Customer,
        session: Session,
        outcome: &Outcome,
    ) {
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
        if let Err(error) = self.send(kind, &request_id, Some(session), customer).await {
            tracing::warn!(%error, "the skill could not be told of its session's end");
        }
    }
}
