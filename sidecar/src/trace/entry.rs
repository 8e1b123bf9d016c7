//! Raw things on their way to the trace, and the records that are made of them.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use skillcall_protocol::sma::action::S3Object;
use skillcall_protocol::trace::{Direction, Level, MediaFigures, Message, Party, Protocol, Record};

use super::CallIds;
use crate::engine::LegId;

/// What came of asking a handler.
#[derive(Debug)]
pub(crate) struct HandlerExchange {
    /// When it was asked.
    pub(crate) at: SystemTime,
    /// Path of the handler's URL.
    pub(crate) path: String,
    /// Whether the handler is the component: it signs its replies.
    pub(crate) is_component: bool,
    /// The event's type.
    pub(crate) event: String,
    /// 1 for the first attempt.
    pub(crate) attempt: u32,
    /// How long it took.
    pub(crate) elapsed: Duration,
    /// The HTTP status, if one came.
    pub(crate) status: Option<u16>,
    /// What was wrong with the reply.
    pub(crate) problem: Option<String>,
    /// The event.
    pub(crate) request: Vec<u8>,
    /// The reply.
    pub(crate) reply: Vec<u8>,
}

pub(super) struct Entry {
    pub(super) at: SystemTime,
    /// Whose call it is.
    pub(super) ids: Arc<CallIds>,
    /// The leg that it is about; none: the call.
    pub(super) leg: Option<LegId>,
    pub(super) what: What,
}

pub(super) enum What {
    Sip {
        direction: Direction,
        leg: LegId,
        wire: Vec<u8>,
    },
    Digit {
        direction: Direction,
        leg: LegId,
        sounded: Duration,
        shown: Option<char>,
    },
    Handler(Box<HandlerExchange>),
    Note {
        problem: bool,
        text: String,
    },
    Media(MediaFigures),
    Recording {
        object: S3Object,
        seconds: f64,
    },
}

impl Entry {
    pub(super) fn into_record(self, seq: u64) -> Record {
        let at = micros(self.at);
        let (ids, skill_call) = (self.ids.record_ids(self.leg), self.ids.is_skill_call());
        let record = match self.what {
            What::Sip {
                direction,
                leg,
                wire,
            } => {
                let mut ids = ids;
                // The leg's far end knows it by the Call-ID, and by nothing else.
                let seen = skillcall_sip::peek::peek(&wire);
                ids.call
                    .extend(seen.map(|seen| String::from_utf8_lossy(seen.call_id).into_owned()));
                let message = sip_message(direction, leg, skill_call, &wire);
                Record::message(at, Party::Sidecar, ids, message)
            }
            What::Digit {
                direction,
                leg,
                sounded,
                shown,
            } => {
                let (from, to) = ends(direction, leg, skill_call);
                // It is over when it is told; it stands where it began.
                let began = at.saturating_sub(whole_micros(sounded));
                let message = Message::digit(from, to, direction, whole_micros(sounded), shown);
                Record::message(began, Party::Sidecar, ids, message)
            }
            What::Handler(exchange) => Record::message(
                micros(exchange.at),
                Party::Sidecar,
                ids,
                http_message(&exchange),
            ),
            What::Note { problem, text } => {
                let level = if problem { Level::Warning } else { Level::Info };
                Record::note(at, Party::Sidecar, ids, level, &text)
            }
            What::Media(figures) => Record::media(at, Party::Sidecar, ids, figures),
            What::Recording { object, seconds } => Record::recording(
                at,
                Party::Sidecar,
                ids,
                Some(&object.bucket_name),
                &object.key,
                seconds,
            ),
        };
        record.with_seq(seq)
    }
}

fn micros(time: SystemTime) -> u64 {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    whole_micros(since)
}

fn whole_micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// From whom to whom: the far end of a leg is the device when Alexa made the call.
fn ends(direction: Direction, leg: LegId, skill_call: bool) -> (Party, Party) {
    let peer = if leg == LegId::A && skill_call {
        Party::Device
    } else {
        Party::Phone
    };
    match direction {
        Direction::Sent => (Party::Sidecar, peer),
        Direction::Received => (peer, Party::Sidecar),
    }
}

fn sip_message(direction: Direction, leg: LegId, skill_call: bool, wire: &[u8]) -> Message {
    let (from, to) = ends(direction, leg, skill_call);
    Message::new(from, to, direction, Protocol::Sip, &sip_name(wire)).body(wire)
}

/// The method of a request, the status and reason of a response.
fn sip_name(wire: &[u8]) -> String {
    let first = wire
        .split(|byte| matches!(byte, b'\r' | b'\n'))
        .next()
        .unwrap_or_default();
    let first = String::from_utf8_lossy(first);
    match first.strip_prefix("SIP/2.0 ") {
        Some(status) => status.to_owned(),
        None => first.split(' ').next().unwrap_or_default().to_owned(),
    }
}

fn http_message(exchange: &HandlerExchange) -> Message {
    let party = if exchange.is_component {
        Party::Component
    } else {
        Party::Handler
    };
    let again = if exchange.attempt > 1 {
        format!(" (attempt {})", exchange.attempt)
    } else {
        String::new()
    };
    let name = format!("POST {} {}{again}", exchange.path, exchange.event);
    let outcome = match (exchange.status, &exchange.problem) {
        (Some(status), None) => match reply_actions(&exchange.reply) {
            Some(actions) if !actions.is_empty() => format!("{status} {actions}"),
            _ => status.to_string(),
        },
        (Some(status), Some(problem)) => format!("{status} {problem}"),
        (None, Some(problem)) => problem.clone(),
        (None, None) => "no answer".to_owned(),
    };
    let body = body(&exchange.request, &exchange.reply);
    Message::new(
        Party::Sidecar,
        party,
        Direction::Sent,
        Protocol::Http,
        &name,
    )
    .outcome(&outcome)
    .took(whole_micros(exchange.elapsed))
    .body(&body)
}

/// The types of a reply's actions: what a reader of a ladder wants to know of it.
fn reply_actions(reply: &[u8]) -> Option<String> {
    let reply: serde_json::Value = serde_json::from_slice(reply).ok()?;
    let types = reply
        .get("Actions")?
        .as_array()?
        .iter()
        .filter_map(|action| action.get("Type")?.as_str());
    Some(types.collect::<Vec<_>>().join(", "))
}

/// Event and reply as one JSON text, so that the redaction by names reaches both.
fn body(request: &[u8], reply: &[u8]) -> Vec<u8> {
    let mut body = b"{\"event\":".to_vec();
    body.extend_from_slice(request);
    if !reply.is_empty() {
        body.extend_from_slice(b",\"reply\":");
        match serde_json::from_slice::<serde::de::IgnoredAny>(reply) {
            Ok(_) => body.extend_from_slice(reply),
            Err(_) => {
                let text = String::from_utf8_lossy(reply);
                body.extend(serde_json::to_vec(&text).unwrap_or_else(|_| b"null".to_vec()));
            }
        }
    }
    body.push(b'}');
    body
}
