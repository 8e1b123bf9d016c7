//! What a STUN server sees of a socket (RFC 8489 §2, Binding), again and again, so that the address translation stays.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use turn_client_proto::stun::types::{
    attribute::XorMappedAddress,
    message::{BINDING, Message, MessageClass, MessageWriteVec, TransactionId},
    prelude::MessageWrite as _,
};

/// The first time-out; each repeat doubles it (RFC 8489 §6.2.1).
const FIRST: Duration = Duration::from_millis(500);
/// The last one.
const LONGEST: Duration = Duration::from_secs(8);
/// How often a mapping is renewed (RFC 8445 §11: no more often than each 15 s).
const RENEWAL: Duration = Duration::from_secs(15);

/// One server, asked again and again.
#[derive(Debug)]
pub(super) struct Binding {
    server: SocketAddr,
    mapped: Option<SocketAddr>,
    asked: Option<TransactionId>,
    due: Instant,
    pause: Duration,
}

impl Binding {
    pub(super) const fn new(server: SocketAddr, now: Instant) -> Self {
        Self {
            server,
            mapped: None,
            asked: None,
            due: now,
            pause: FIRST,
        }
    }

    pub(super) const fn server(&self) -> SocketAddr {
        self.server
    }

    /// What it has seen last.
    pub(super) const fn mapped(&self) -> Option<SocketAddr> {
        self.mapped
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
        Some(request)
    }

    /// Takes an answer to the last request. False: it is none.
    pub(super) fn receive(&mut self, datagram: &[u8]) -> bool {
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
            self.due += RENEWAL;
            self.pause = FIRST;
        }
        self.asked = None;
        true
    }
}
