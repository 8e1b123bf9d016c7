//! SIP messages by method and status, without a lock: each has its own counter.

use std::sync::atomic::{AtomicU64, Ordering};

use skillcall_sip::peek::Peek;

/// Methods that are counted by name; all others are counted together.
const METHODS: [&str; 15] = [
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "OPTIONS",
    "REGISTER",
    "PRACK",
    "UPDATE",
    "REFER",
    "NOTIFY",
    "SUBSCRIBE",
    "INFO",
    "MESSAGE",
    "PUBLISH",
    "other",
];
/// Statuses, of which the ones outside RFC 3261's classes are not counted.
const STATUSES: usize = 700;

/// One direction.
#[derive(Debug)]
struct Way {
    methods: [AtomicU64; METHODS.len()],
    statuses: Box<[AtomicU64]>,
}

impl Default for Way {
    fn default() -> Self {
        Self {
            methods: Default::default(),
            statuses: (0..STATUSES).map(|_| AtomicU64::new(0)).collect(),
        }
    }
}

impl Way {
    fn method(&self, method: &[u8]) {
        let place = METHODS
            .iter()
            .position(|known| known.as_bytes() == method)
            .unwrap_or(METHODS.len() - 1);
        if let Some(counter) = self.methods.get(place) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn status(&self, status: usize) {
        if let Some(counter) = self.statuses.get(status) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Counters of all messages.
#[derive(Debug, Default)]
pub(crate) struct SipCounts {
    received: Way,
    sent: Way,
}

impl SipCounts {
    /// A message that came.
    pub(crate) fn received(&self, seen: &Peek<'_>) {
        match seen.status {
            Some(status) => self.received.status(status.get().into()),
            None => self.received.method(seen.method),
        }
    }

    /// A message that was sent: its first line says what it is.
    pub(crate) fn sent(&self, message: &[u8]) {
        match message.strip_prefix(b"SIP/2.0 ") {
            Some(rest) => {
                let digits = rest
                    .get(..3)
                    .and_then(|text| std::str::from_utf8(text).ok());
                if let Some(status) = digits.and_then(|text| text.parse().ok()) {
                    self.sent.status(status);
                }
            }
            None => {
                let end = memchr::memchr(b' ', message.get(..16).unwrap_or(message));
                self.sent
                    .method(message.get(..end.unwrap_or(0)).unwrap_or_default());
            }
        }
    }

    /// Requests by direction and method; those that there were.
    pub(super) fn requests(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> + '_ {
        self.ways().into_iter().flat_map(|(direction, way)| {
            METHODS
                .iter()
                .zip(&way.methods)
                .map(move |(method, count)| (direction, *method, count.load(Ordering::Relaxed)))
                .filter(|(_, _, count)| *count > 0)
        })
    }

    /// Responses by direction and status; those that there were.
    pub(super) fn responses(&self) -> impl Iterator<Item = (&'static str, usize, u64)> + '_ {
        self.ways().into_iter().flat_map(|(direction, way)| {
            way.statuses
                .iter()
                .enumerate()
                .map(move |(status, count)| (direction, status, count.load(Ordering::Relaxed)))
                .filter(|(_, _, count)| *count > 0)
        })
    }

    fn ways(&self) -> [(&'static str, &Way); 2] {
        [("received", &self.received), ("sent", &self.sent)]
    }
}

#[cfg(test)]
mod tests {
    use skillcall_sip::peek::peek;

    use super::*;

    #[test]
    fn messages_are_counted_by_what_they_are() {
        let counts = SipCounts::default();
        counts.sent(b"SIP/2.0 486 Busy Here\r\n");
        counts.sent(b"BYE sip:a@b SIP/2.0\r\n");
        counts.sent(b"FETCH sip:a@b SIP/2.0\r\n");
        counts.sent(b"SIP/2.0 9");
        counts.sent(b"");
        for message in [
            "INVITE sip:a SIP/2.0\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n",
            "SIP/2.0 200 OK\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n",
        ] {
            counts.received(&peek(message.as_bytes()).unwrap());
        }
        let requests: Vec<_> = counts.requests().collect();
        assert_eq!(
            requests,
            [
                ("received", "INVITE", 1),
                ("sent", "BYE", 1),
                ("sent", "other", 2)
            ]
        );
        let responses: Vec<_> = counts.responses().collect();
        assert_eq!(responses, [("received", 200, 1), ("sent", 486, 1)]);
    }
}
