//! A SIP leg of a call, and its transactions.

use skillcall_protocol::trace::{Direction, Message};

use super::super::span::{Attribute, Span, SpanEvent, SpanId, SpanKind};
use super::{MOST, note};

/// A SIP dialog of a call.
pub(super) struct Leg {
    pub(super) id: SpanId,
    /// The Call-ID.
    pub(super) dialog: String,
    /// The CallId that events give it, if any.
    pub(super) call: Option<String>,
    pub(super) kind: SpanKind,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) over: bool,
    pub(super) attributes: Vec<Attribute>,
    pub(super) events: Vec<SpanEvent>,
    pub(super) error: Option<String>,
    pub(super) open: Vec<Transaction>,
    closed: Vec<(bool, String)>,
}

/// A request that has no final answer yet.
pub(super) struct Transaction {
    id: SpanId,
    /// Whether we sent the request, and its CSeq.
    key: (bool, String),
    method: String,
    start: u64,
    again: u64,
    in_dialog: bool,
}

impl Leg {
    /// A leg that begins with an INVITE.
    pub(super) fn new(id: SpanId, dialog: &str, at: u64, invite: &Message) -> Self {
        let (kind, peer) = match invite.direction {
            Direction::Sent => (SpanKind::Client, &invite.to),
            Direction::Received => (SpanKind::Server, &invite.from),
        };
        let attributes: Vec<Attribute> = vec![
            ("network.protocol.name", "sip".into()),
            ("network.protocol.version", "2.0".into()),
            ("sip.call_id", dialog.into()),
            ("skillcall.peer", peer.name().into()),
        ];
        Self {
            id,
            dialog: dialog.to_owned(),
            call: None,
            kind,
            start: at,
            end: at,
            over: false,
            attributes,
            events: Vec::new(),
            error: None,
            open: Vec::new(),
            closed: Vec::new(),
        }
    }

    /// A message of the leg; the transaction that ends with it.
    pub(super) fn message(
        &mut self,
        trace: &str,
        at: u64,
        message: &Message,
        id: SpanId,
    ) -> Option<Span> {
        self.end = self.end.max(at);
        let sequence = header(message, "CSeq", "CSeq")?.to_owned();
        let sent = message.direction == Direction::Sent;
        let Some(status) = status(message) else {
            self.request(at, message, (sent, sequence), id);
            return None;
        };
        // An answer goes the other way.
        let key = (!sent, sequence);
        let place = self.open.iter().position(|open| open.key == key)?;
        let first = self.open.get(place)?;
        let opening = first.method == "INVITE" && !first.in_dialog;
        let event = match status {
            101..=199 if opening => Some("ringing"),
            200..=299 if opening => Some("answered"),
            _ => None,
        };
        if let Some(event) = event {
            let attributes = vec![("sip.status_code", status.into())];
            note(&mut self.events, at, event, attributes);
        }
        if status < 200 {
            return None;
        }
        let transaction = self.open.swap_remove(place);
        if self.closed.len() < MOST {
            self.closed.push(key);
        }
        let challenged = matches!(status, 401 | 407);
        if transaction.method == "BYE" || (opening && status >= 300 && !challenged) {
            self.over = true;
        }
        if opening && status >= 300 && !challenged {
            self.error = Some(message.name.to_string());
        }
        Some(self.transaction(trace, transaction, at, Some((status, message))))
    }

    fn request(&mut self, at: u64, message: &Message, key: (bool, String), id: SpanId) {
        let method = message.name.to_string();
        if let Some(open) = self.open.iter_mut().find(|open| open.key == key) {
            open.again += 1;
            return;
        }
        // An ACK has no answer; what was answered may come again.
        if method == "ACK" || self.closed.contains(&key) || self.open.len() >= MOST {
            return;
        }
        if method == "INVITE" {
            // Another one after a challenge or a redirection.
            self.over = false;
            self.error = None;
        }
        self.open.push(Transaction {
            id,
            key,
            method,
            start: at,
            again: 0,
            in_dialog: header(message, "To", "t").is_some_and(|to| to.contains("tag=")),
        });
    }

    fn transaction(
        &self,
        trace: &str,
        transaction: Transaction,
        end: u64,
        answer: Option<(u16, &Message)>,
    ) -> Span {
        let sent = transaction.key.0;
        let mut attributes: Vec<Attribute> = vec![
            ("network.protocol.name", "sip".into()),
            ("network.protocol.version", "2.0".into()),
            ("sip.method", transaction.method.clone().into()),
            ("sip.cseq", transaction.key.1.into()),
            ("sip.call_id", self.dialog.clone().into()),
        ];
        if transaction.again > 0 {
            attributes.push(("sip.request.resend_count", transaction.again.into()));
        }
        let mut error = None;
        match answer {
            Some((status, message)) => {
                attributes.push(("sip.status_code", status.into()));
                // As for HTTP: what we refuse is no error of ours.
                if status >= if sent { 400 } else { 500 } {
                    attributes.push(("error.type", status.to_string().into()));
                    error = Some(message.name.to_string());
                }
            }
            None => {
                attributes.push(("error.type", "timeout".into()));
                error = Some("no final answer".to_owned());
            }
        }
        Span {
            trace: trace.to_owned(),
            id: transaction.id,
            parent: Some(self.id),
            name: transaction.method,
            kind: if sent {
                SpanKind::Client
            } else {
                SpanKind::Server
            },
            start: transaction.start,
            end,
            attributes,
            events: Vec::new(),
            error,
        }
    }

    /// What has become of it.
    pub(super) fn give(mut self, trace: &str, parent: SpanId) -> Span {
        // What has no answer by now is told as an event: its span would have no end.
        for open in std::mem::take(&mut self.open) {
            let attributes = vec![("sip.method", open.method.into())];
            note(&mut self.events, open.start, "unanswered", attributes);
        }
        Span {
            trace: trace.to_owned(),
            id: self.id,
            parent: Some(parent),
            name: "leg".to_owned(),
            kind: self.kind,
            start: self.start,
            end: self.end,
            attributes: self.attributes,
            events: self.events,
            error: self.error,
        }
    }
}

/// The status of a SIP response; none for a request.
fn status(message: &Message) -> Option<u16> {
    let first = message.name.split(' ').next()?;
    first
        .parse()
        .ok()
        .filter(|status| (100..700).contains(status))
}

/// The first value of a header in what a message carried.
fn header<'a>(message: &'a Message, name: &str, compact: &str) -> Option<&'a str> {
    let body = message.body.as_ref()?.as_str();
    body.lines()
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(':'))
        .find(|(found, _)| {
            let found = found.trim();
            found.eq_ignore_ascii_case(name) || found.eq_ignore_ascii_case(compact)
        })
        .map(|(_, value)| value.trim())
}
