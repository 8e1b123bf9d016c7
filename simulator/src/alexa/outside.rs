//! Requests that nobody spoke: events, grants, messages, tasks that came back (facts A2, G7).

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::{Alexa, SayError};
use crate::skill::{RequestKind, Session, SkillFailure, new_id};

/// What came of a request that nobody spoke.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// The request's id.
    pub request_id: String,
    /// The status; 0 when no answer came.
    pub status: u16,
    /// The answer; null when it is no JSON.
    pub body: Value,
    /// What is wrong with the answer, if anything is.
    pub problem: Option<String>,
    /// How long the skill took, in milliseconds.
    pub took_ms: u64,
}

impl Alexa {
    /// Sends a request as it stands, with what each request has: id, time, locale, customer, signature. Those of a device
    /// belong to its open session, or to one of their own.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        request: Value,
        device_id: Option<&str>,
    ) -> Result<Told, SayError> {
        let customer = self
            .customer(device_id)
            .ok_or_else(|| SayError::NoSuchDevice(device_id.unwrap_or_default().to_owned()))?;
        let Value::Object(request) = request else {
            return Err(SayError::NoType);
        };
        let kind = RequestKind::Other { request };
        if kind.type_name().is_empty() {
            return Err(SayError::NoType);
        }
        let session = if kind.is_of_device() {
            let conversation = self.conversation(&customer.device_id);
            let open = conversation.lock().await.session.clone();
            Some(open.unwrap_or_else(Session::begin))
        } else {
            None
        };
        let request_id = new_id("amzn1.echo-api.request");
        let sent = self
            .send(&kind, &request_id, session.as_ref(), &customer)
            .await?;
        let answer = sent.answer;
        Ok(Told {
            request_id,
            status: answer.status,
            body: serde_json::from_slice(&answer.body).unwrap_or_default(),
            problem: answer.reply.err().as_ref().map(SkillFailure::to_string),
            took_ms: u64::try_from(answer.took.as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// A customer's grant: its code goes to the skill, which exchanges it (facts G7).
    pub(crate) async fn accept_grant(
        self: &Arc<Self>,
        device_id: Option<&str>,
    ) -> Result<Told, SayError> {
        let customer = self
            .customer(device_id)
            .ok_or_else(|| SayError::NoSuchDevice(device_id.unwrap_or_default().to_owned()))?;
        let code = self.login.code(&customer.user_id);
        let request = json!({
            "type": "Alexa.Authorization.Grant",
            "body": {"grant": {"type": "OAuth2.AuthorizationCode", "code": code}},
        });
        self.ask(request, device_id).await
    }
}
