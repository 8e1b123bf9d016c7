//! The handler that the plan hands a call over to: it gets the event as a SIP media application handler does, signed, and
//! answers with actions (facts E2, F1).

use std::time::Duration;

use skillcall_protocol::signing::{NONCE, RequestParts, SignedReply, verify_reply};
use skillcall_protocol::sma::{Event, Reply, parse_reply};
use skillcall_protocol::traceparent::TRACEPARENT;

use crate::flow::HandOver;
use crate::host::{Host, OutboundRequest, outcome};
use crate::http;
use crate::settings::Settings;
use crate::sidecar_link;
use crate::trace::Recorder;

/// The SIP media application waits five seconds for the component (facts F3).
const LIMIT: Duration = Duration::from_millis(3500);
const MAX_REPLY: usize = 256 * 1024;

/// Asks the handler.
///
/// # Errors
/// Why there is no reply that could be used.
pub fn ask<H: Host>(
    host: &H,
    settings: &Settings,
    recorder: &Recorder,
    event: &Event,
    hand_over: &HandOver,
) -> Result<Reply, String> {
    let body = serde_json::to_vec(event).map_err(|error| error.to_string())?;
    let path = path_of(&hand_over.url);
    let signature = sidecar_link::sign(
        host,
        &settings.sidecar_keys,
        RequestParts {
            method: "POST",
            path_and_query: path,
            body: &body,
        },
    );
    let nonce = signature
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(NONCE))
        .map(|(_, value)| value.clone())
        .unwrap_or_default();
    let mut headers = vec![
        ("content-type", "application/json".to_owned()),
        (TRACEPARENT, recorder.traceparent(host)),
    ];
    headers.extend(signature);
    let request = OutboundRequest {
        method: "POST",
        url: hand_over.url.clone(),
        headers,
        body,
        timeout: LIMIT,
        max_reply: MAX_REPLY,
    };
    let reply = host.send(&request);
    let outcome = outcome(&reply);
    recorder.note(
        host,
        &format!("{} was handed over: {outcome}", event.invocation_event_type),
    );
    let reply = reply.map_err(|error| format!("the handler: {error}"))?;
    if hand_over.require_signed_replies {
        let headers: Vec<(String, Vec<u8>)> = reply
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), value.as_bytes().to_vec()))
            .collect();
        let signed = SignedReply {
            status: reply.status,
            nonce: &nonce,
            body: &reply.body,
        };
        let now = i64::try_from(host.now_ms() / 1000).unwrap_or(i64::MAX);
        let lookup = |name: &str| http::header(&headers, name);
        verify_reply(&settings.sidecar_keys, signed, &lookup, now)
            .map_err(|error| format!("the handler's reply: {error}"))?;
    }
    if reply.status != 200 {
        return Err(format!(
            "the handler answered {}; expected 200",
            reply.status
        ));
    }
    parse_reply(&reply.body).map_err(|error| format!("the handler: {error}"))
}

/// Path and query of a URL, which a request's signature covers.
fn path_of(url: &str) -> &str {
    url.split_once("://")
        .and_then(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..)))
        .unwrap_or("/")
}

#[cfg(test)]
mod tests;
