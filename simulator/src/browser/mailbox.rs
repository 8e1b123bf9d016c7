//! What a page is told, until it has fetched it.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

use super::NotHere;
use crate::alexa::lock;

/// Events that a page may leave unfetched; of more the oldest are lost.
const MAX_EVENTS: usize = 256;

/// What a page is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum Told {
    /// Somebody calls: the page shows it, and answers the offer when the person does.
    Incoming {
        session: String,
        from: String,
        offer: String,
    },
    /// Who is called rings.
    Ringing { session: String },
    /// The answer to the page's last offer.
    Answer { session: String, sdp: String },
    /// A new offer of the other side, to be answered at once.
    Offer { session: String, sdp: String },
    /// The call is accepted.
    Accepted { session: String },
    /// The call is over.
    Ended {
        session: String,
        code: String,
        reason: String,
    },
}

/// An event with its number; numbers grow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Numbered {
    pub(crate) number: u64,
    #[serde(flatten)]
    pub(crate) told: Told,
}

#[derive(Debug)]
struct Inside {
    events: VecDeque<Numbered>,
    last: u64,
    /// Fetches that wait now, and when the last one ended.
    waiting: u32,
    asked: Instant,
    closed: bool,
}

/// One page's events.
#[derive(Debug)]
pub(super) struct Mailbox {
    id: String,
    inside: Mutex<Inside>,
    changes: watch::Sender<()>,
}

impl Mailbox {
    pub(super) fn new(id: String) -> Self {
        let inside = Inside {
            events: VecDeque::new(),
            last: 0,
            waiting: 0,
            asked: Instant::now(),
            closed: false,
        };
        Self {
            id,
            inside: Mutex::new(inside),
            changes: watch::Sender::new(()),
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn tell(&self, told: Told) {
        let mut inside = lock(&self.inside);
        inside.last += 1;
        let number = inside.last;
        if inside.events.len() >= MAX_EVENTS {
            inside.events.pop_front();
        }
        inside.events.push_back(Numbered { number, told });
        drop(inside);
        self.changes.send_replace(());
    }

    /// Nobody fetches from here any more.
    pub(super) fn close(&self) {
        lock(&self.inside).closed = true;
        self.changes.send_replace(());
    }

    /// Fetches that wait now.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> u32 {
        lock(&self.inside).waiting
    }

    pub(super) fn is_away(&self, away: Duration) -> bool {
        let inside = lock(&self.inside);
        inside.waiting == 0 && inside.asked.elapsed() >= away
    }

    /// The events after `after`: those that there are, else those that come until `until`.
    pub(super) async fn after(&self, after: u64, until: Instant) -> Result<Vec<Numbered>, NotHere> {
        let _waiting = Waiting::begin(self);
        let mut changes = self.changes.subscribe();
        loop {
            changes.borrow_and_update();
            {
                let mut inside = lock(&self.inside);
                if inside.closed {
                    return Err(NotHere);
                }
                inside.events.retain(|event| event.number > after);
                if !inside.events.is_empty() {
                    return Ok(inside.events.iter().cloned().collect());
                }
            }
            if tokio::time::timeout_at(until, changes.changed())
                .await
                .is_err()
            {
                return Ok(Vec::new());
            }
        }
    }
}

/// A fetch that waits; also one whose connection breaks ends.
struct Waiting<'a>(&'a Mailbox);

impl<'a> Waiting<'a> {
    fn begin(mailbox: &'a Mailbox) -> Self {
        lock(&mailbox.inside).waiting += 1;
        Self(mailbox)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut inside = lock(&self.0.inside);
        inside.waiting -= 1;
        inside.asked = Instant::now();
    }
}
