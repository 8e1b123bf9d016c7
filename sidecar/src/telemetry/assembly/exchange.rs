//! A request to a handler.

use skillcall_protocol::trace::Message;

use super::super::span::{Attribute, Span, SpanId, SpanKind};

/// A request to the handler and its reply.
pub(super) fn exchange(
    trace: &str,
    parent: SpanId,
    at: u64,
    message: &Message,
    id: SpanId,
) -> Span {
    let mut words = message.name.split(' ');
    let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let event = words.next().unwrap_or("");
    let attempt = message
        .name
        .rsplit_once("(attempt ")
        .and_then(|(_, rest)| rest.trim_end_matches(')').parse::<u64>().ok());
    let outcome = message
        .outcome
        .as_ref()
        .map_or("", |outcome| outcome.as_str());
    let status: Option<u16> = outcome.split(' ').next().and_then(|word| word.parse().ok());
    let mut attributes: Vec<Attribute> = vec![
        ("http.request.method", method.into()),
        ("url.path", path.into()),
        ("network.protocol.name", "http".into()),
        ("skillcall.event", event.into()),
        ("skillcall.peer", message.to.name().into()),
    ];
    if let Some(attempt) = attempt {
        attributes.push((
            "http.request.resend_count",
            attempt.saturating_sub(1).into(),
        ));
    }
    if let Some(status) = status {
        attributes.push(("http.response.status_code", status.into()));
    }
    let mut error = None;
    if message.is_failure() {
        let kind = status.map_or_else(|| "_OTHER".to_owned(), |status| status.to_string());
        attributes.push(("error.type", kind.into()));
        error = Some(outcome.to_owned());
    }
    Span {
        trace: trace.to_owned(),
        id,
        parent: Some(parent),
        name: format!("{method} {path}"),
        kind: SpanKind::Client,
        start: at,
        end: at.saturating_add(message.duration_us.unwrap_or(0)),
        attributes,
        events: Vec::new(),
        error,
    }
}
