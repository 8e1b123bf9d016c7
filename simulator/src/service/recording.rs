//! Records each request of the Alexa APIs in the trace, with what became of it.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use skillcall_protocol::trace::{Direction, Level, Message, Party, Protocol};
use skillcall_protocol::traceparent::{TRACEPARENT, TraceParent};

use super::listener::CloseUnanswered;
use super::{MAX_BODY, refusal};
use crate::alexa::Alexa;
use crate::trace::Known;

/// In a response's extensions: what the trace shall know of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct About {
    pub(crate) session_id: Option<String>,
    pub(crate) csi: Option<String>,
    pub(crate) problems: Vec<String>,
}

/// A request on its way. Dropped before it is answered (the client has gone, the simulator stops), it is recorded all
/// the same.
struct Exchange {
    alexa: Arc<Alexa>,
    known: Known,
    at: SystemTime,
    begun: Instant,
    message: Option<Message>,
}

impl Exchange {
    fn end(&mut self, outcome: &str) {
        if let Some(message) = self.message.take() {
            let took = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.alexa.trace.message_at(
                self.at,
                Party::Alexa,
                &self.known,
                message.outcome(outcome).took(took),
            );
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.end("no answer");
    }
}

pub(super) async fn record(
    State(alexa): State<Arc<Alexa>>,
    request: Request,
    next: Next,
) -> Response {
    let (at, begun) = (SystemTime::now(), Instant::now());
    let (parts, body) = request.into_parts();
    let context: Option<TraceParent> = parts
        .headers
        .get(TRACEPARENT)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    // The request's own id is known from its token alone, before anything else about it is checked.
    let authorization = parts
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let grant = alexa.mint.check(authorization, &alexa.skill_id).ok();
    if let (Some(grant), Some(context)) = (&grant, &context) {
        alexa.trace.learn(&grant.request_id, context);
    }
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return refusal(
            StatusCode::PAYLOAD_TOO_LARGE,
            "InvalidInput",
            format!("the body has more than {MAX_BODY} bytes"),
        );
    };
    let path = parts.uri.path().to_owned();
    let name = format!("{} {path}", parts.method);
    let message = Message::new(
        Party::Component,
        Party::Alexa,
        Direction::Received,
        Protocol::Http,
        &name,
    );
    let mut exchange = Exchange {
        known: Known::default()
            .within(context.as_ref())
            .request(grant.as_ref().map(|grant| grant.request_id.as_str())),
        alexa,
        at,
        begun,
        // What is posted to Login with Amazon is secrets (facts H).
        message: Some(if body.is_empty() || path.starts_with("/auth/") {
            message
        } else {
            message.body(&body)
        }),
    };
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    let about = response
        .extensions()
        .get::<About>()
        .cloned()
        .unwrap_or_default();
    exchange.known = std::mem::take(&mut exchange.known)
        .session(about.session_id.as_deref())
        .csi(about.csi.as_deref());
    if response.extensions().get::<CloseUnanswered>().is_some() {
        exchange.end("closed without an answer");
    } else {
        exchange.end(response.status().as_str());
    }
    for problem in about.problems {
        exchange
            .alexa
            .trace
            .note(Party::Alexa, &exchange.known, Level::Warning, &problem);
    }
    response
}
