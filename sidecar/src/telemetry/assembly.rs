//! Spans made of a call's records: the call, its SIP legs with their transactions, and the exchanges with its handler.
//!
//! What is over is given at once, under parents whose ids are known from the beginning; a leg and the call itself follow once
//! every leg has ended and nothing has come for a while.

mod exchange;
mod leg;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use skillcall_protocol::trace::{Kind, Level, MediaFigures, Message, Protocol, Record};

use super::span::{Attribute, Span, SpanEvent, SpanId, SpanKind, Value};
use exchange::exchange;
use leg::Leg;

/// Calls that are followed at a time; the one that was silent longest is given unfinished for another.
const MOST_CALLS: usize = 10_000;
/// Legs, events of a span, and transactions of a leg that are followed; more are left out.
const MOST: usize = 64;
/// How long a call of which every leg has ended is followed: the last events and figures come meanwhile.
const QUIET: Duration = Duration::from_secs(2);
/// How long a call is followed that has no leg: of the last words to a handler.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// The calls that are followed, by their trace ids.
pub(super) struct Assembly {
    calls: HashMap<String, Call>,
    /// What span ids are drawn from.
    seed: u64,
    drawn: u64,
}

struct Call {
    id: SpanId,
    first: u64,
    last: u64,
    heard: Instant,
    attributes: Vec<Attribute>,
    events: Vec<SpanEvent>,
    legs: Vec<Leg>,
    error: Option<String>,
}

impl Assembly {
    /// `seed`: what no other process has.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            calls: HashMap::new(),
            seed,
            drawn: 0,
        }
    }

    fn draw(&mut self) -> SpanId {
        self.drawn += 1;
        let mut digest = Sha256::new();
        digest.update(self.seed.to_be_bytes());
        digest.update(self.drawn.to_be_bytes());
        first_bytes(&digest.finalize())
    }

    /// Takes a record; gives what is over by it.
    pub(super) fn take(&mut self, record: &Record, now: Instant) -> Vec<Span> {
        let mut spans = Vec::new();
        let Some(trace) = record.ids.trace.clone() else {
            return spans;
        };
        if !self.calls.contains_key(&trace) && self.calls.len() >= MOST_CALLS {
            let silent = self.calls.iter().min_by_key(|(_, call)| call.heard);
            if let Some(trace) = silent.map(|(trace, _)| trace.clone()) {
                self.give(&trace, &mut spans);
            }
        }
        let (leg_id, own_id) = (self.draw(), self.draw());
        let call = self
            .calls
            .entry(trace.clone())
            .or_insert_with(|| Call::new(&trace, record, now));
        call.heard = now;
        call.first = call.first.min(record.at);
        call.last = call.last.max(end_of(record));
        match &record.kind {
            Kind::Message(message) => match message.protocol {
                Protocol::Sip => {
                    let dialog = record.ids.call.last().map_or("", String::as_str);
                    if let Some(leg) = call.leg(dialog, record, message, leg_id) {
                        spans.extend(leg.message(&trace, record.at, message, own_id));
                    }
                }
                Protocol::Http => {
                    spans.push(exchange(&trace, call.id, record.at, message, own_id));
                }
                // Digits are for those alone who look into the trace.
                Protocol::Rtp | Protocol::Voice => {}
            },
            Kind::Note { level, text, .. } => {
                if *level == Level::Error {
                    call.error = Some(text.to_string());
                }
                let attributes = vec![("skillcall.note", text.to_string().into())];
                note(&mut call.events, record.at, "note", attributes);
            }
            Kind::Media(figures) => call.figures(record, figures),
            Kind::Recording {
                bucket,
                path,
                seconds,
                ..
            } => {
                let mut attributes = vec![
                    ("skillcall.recording.key", path.to_string().into()),
                    ("skillcall.recording.seconds", (*seconds).into()),
                ];
                if let Some(bucket) = bucket {
                    attributes.push(("skillcall.recording.bucket", bucket.to_string().into()));
                }
                note(&mut call.events, record.at, "recording", attributes);
            }
        }
        spans
    }

    /// The calls that are over.
    pub(super) fn over(&mut self, now: Instant) -> Vec<Span> {
        let over: Vec<String> = (self.calls.iter())
            .filter(|(_, call)| {
                let silent = now.saturating_duration_since(call.heard);
                let ended = call.legs.iter().all(|leg| leg.over);
                ended
                    && silent
                        >= if call.legs.is_empty() {
                            FORGOTTEN
                        } else {
                            QUIET
                        }
            })
            .map(|(trace, _)| trace.clone())
            .collect();
        let mut spans = Vec::new();
        for trace in over {
            self.give(&trace, &mut spans);
        }
        spans
    }

    /// All calls, over or not: nothing more will come.
    pub(super) fn all(&mut self) -> Vec<Span> {
        let traces: Vec<String> = self.calls.keys().cloned().collect();
        let mut spans = Vec::new();
        for trace in traces {
            self.give(&trace, &mut spans);
        }
        spans
    }

    fn give(&mut self, trace: &str, spans: &mut Vec<Span>) {
        let Some(call) = self.calls.remove(trace) else {
            return;
        };
        // What comes late belongs to a call that was given already.
        if call.legs.is_empty() {
            return;
        }
        for leg in call.legs {
            spans.push(leg.give(trace, call.id));
        }
        spans.push(Span {
            trace: trace.to_owned(),
            id: call.id,
            parent: None,
            name: "call".to_owned(),
            kind: SpanKind::Internal,
            start: call.first,
            end: call.last,
            attributes: call.attributes,
            events: call.events,
            error: call.error,
        });
    }
}

impl Call {
    fn new(trace: &str, record: &Record, now: Instant) -> Self {
        let mut attributes: Vec<Attribute> = Vec::new();
        let ids = &record.ids;
        for (key, id) in [
            ("skillcall.transaction_id", &ids.transaction),
            ("skillcall.client_session_id", &ids.csi),
        ] {
            attributes.extend(id.clone().map(|id| (key, Value::from(id))));
        }
        Self {
            // Whoever follows the same call again has the same parent for what comes late.
            id: first_bytes(
                &Sha256::new()
                    .chain_update("skillcall-call\n")
                    .chain_update(trace)
                    .finalize(),
            ),
            first: record.at,
            last: record.at,
            heard: now,
            attributes,
            events: Vec::new(),
            legs: Vec::new(),
            error: None,
        }
    }

    /// The leg of a message; a new one for the first INVITE of a dialog.
    fn leg(
        &mut self,
        dialog: &str,
        record: &Record,
        message: &Message,
        id: SpanId,
    ) -> Option<&mut Leg> {
        let known = self.legs.iter().position(|leg| leg.dialog == dialog);
        if known.is_none() {
            if self.legs.len() >= MOST || message.name.as_str() != "INVITE" {
                return None;
            }
            self.legs.push(Leg::new(id, dialog, record.at, message));
        }
        let at = known.unwrap_or(self.legs.len().saturating_sub(1));
        let leg = self.legs.get_mut(at)?;
        // The Call-ID stands behind the leg's own id, once it has one.
        if let ([own, _, ..], None) = (record.ids.call.as_slice(), &leg.call) {
            leg.call = Some(own.clone());
            let attribute = ("skillcall.call_id", own.clone().into());
            leg.attributes.push(attribute);
        }
        Some(leg)
    }

    /// The figures of a leg's audio.
    fn figures(&mut self, record: &Record, figures: &MediaFigures) {
        let of =
            |leg: &&mut Leg| leg.call.is_some() && leg.call.as_ref() == record.ids.call.first();
        let attributes: Vec<Attribute> = vec![
            ("skillcall.leg", figures.leg.to_string().into()),
            ("skillcall.media.codec", figures.codec.to_string().into()),
            ("skillcall.media.packets_sent", figures.sent.into()),
            ("skillcall.media.packets_received", figures.received.into()),
            ("skillcall.media.packets_lost", figures.lost.into()),
            ("skillcall.media.packets_late", figures.late.into()),
            ("skillcall.media.jitter_ms", figures.jitter_ms.into()),
            ("skillcall.media.mos", figures.mos.into()),
        ];
        match self.legs.iter_mut().find(of) {
            Some(leg) => leg.attributes.extend(attributes),
            None => note(&mut self.events, record.at, "media", attributes),
        }
    }
}

fn note(events: &mut Vec<SpanEvent>, at: u64, name: &'static str, attributes: Vec<Attribute>) {
    if events.len() < MOST {
        events.push(SpanEvent {
            at,
            name,
            attributes,
        });
    }
}

/// When what a record tells was over.
fn end_of(record: &Record) -> u64 {
    match &record.kind {
        Kind::Message(message) => record.at.saturating_add(message.duration_us.unwrap_or(0)),
        _ => record.at,
    }
}

fn first_bytes(digest: &[u8]) -> SpanId {
    let mut bytes = [0; 8];
    for (byte, drawn) in bytes.iter_mut().zip(digest) {
        *byte = *drawn;
    }
    SpanId::new(bytes)
}

#[cfg(test)]
mod tests;
