//! What a STUN server sees of a socket (RFC 8489 §2, Binding), again and again, so that the address translation stays.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use turn_client_proto::stun::types::{
    attribute::{ErrorCode, XorMappedAddress},
    message::{BINDING, Message, MessageClass, MessageWriteVec, TransactionId},
    prelude::MessageWrite as _,
};

use super::problem::Why;

/// The first time-out; each repeat doubles it (RFC 8489 §6.2.1).
const FIRST: Duration = Duration::from_millis(500);
/// The last one.
const LONGEST: Duration = Duration::from_secs(8);
/// How often a mapping is renewed (RFC 8445 §11: no more often than each 15 s).
const RENEWAL: Duration = Duration::from_secs(15);
/// Requests without an answer, about half a minute, after which what was seen is forgotten: it may be another by now. Our choice.
const FORGOTTEN_AFTER: u32 = 7;

/// One server, asked again and again.
#[derive(Debug)]
pub(super) struct Binding {
    server: SocketAddr,
    mapped: Option<SocketAddr>,
    asked: Option<TransactionId>,
    due: Instant,
    pause: Duration,
    unanswered: u32,
    refusal: Option<u16>,
}

impl Binding {
    pub(super) const fn new(server: SocketAddr, now: Instant) -> Self {
        Self {
            server,
            mapped: None,
            asked: None,
            due: now,
            pause: FIRST,
            unanswered: 0,
            refusal: None,
        }
    }

    pub(super) const fn server(&self) -> SocketAddr {
        self.server
    }

    /// What it has seen last.
    pub(super) const fn mapped(&self) -> Option<SocketAddr> {
        self.mapped
    }

    /// Why nothing is known.
    pub(super) fn problem(&self) -> Option<Why> {
        match (self.mapped, self.refusal) {
            (Some(_), _) => None,
            (None, Some(code)) => Some(Why::Refused(code, String::new())),
            (None, None) => Some(Why::Silent),
        }
    }

    pub(super) const fn due(&self) -> Instant {
        self.due
    }

    /// A request, if one is due.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Vec<u8>> {
        if now < self.due {
            return None;
        }
        let request = Message::builder_request(BINDING, MessageWriteVec::new()).finish();
        let message = Message::from_bytes(&request).ok()?;
        // Another question each time: an answer to an old one says nothing of now.
        self.asked = Some(message.transaction_id());
        self.due = now + self.pause;
        self.pause = (self.pause * 2).min(LONGEST);
        self.unanswered = self.unanswered.saturating_add(1);
        if self.unanswered > FORGOTTEN_AFTER {
            self.mapped = None;
        }
        Some(request)
    }

    /// Takes an answer to the last request. False: it is none.
    pub(super) fn receive(&mut self, now: Instant, datagram: &[u8]) -> bool {
        let Ok(message) = Message::from_bytes(datagram) else {
            return false;
        };
        let id = message.transaction_id();
        if !message.is_response() || self.asked != Some(id) {
            return false;
        }
        if message.has_class(MessageClass::Success)
            && let Ok(mapped) = message.attribute::<XorMappedAddress>()
        {
            self.mapped = Some(mapped.addr(id));
            self.due = now + RENEWAL;
            self.pause = FIRST;
            self.refusal = None;
        } else {
            let refusal = message.attribute::<ErrorCode>();
            self.refusal = refusal.ok().map(|error| error.code());
        }
        self.unanswered = 0;
        self.asked = None;
        true
    }
}
