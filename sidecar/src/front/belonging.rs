//! Whose a message is while two processes share the listeners: the one that was taken over from and still has calls, or
//! the one that took over.
//!
//! Ids that one of both made say so. What a peer made, and begins or cancels a call, is the predecessor's where it has a call
//! with that Call-ID, or had one a short time ago; all else is the successor's.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use skillcall_sip::peek::Peek;

use super::admission::opens_dialog;
use super::dispatch::{generation_of, generation_of_branch};

/// How long requests that began something are repeated at most, and their transactions remembered: 64·T1 each
/// (RFC 3261 §17.1.1.2, §17.2.1).
const REPEATED: Duration = Duration::from_secs(64);
/// Call-IDs that are taken note of beyond those of the hand-over.
const MOST_MORE: usize = 100_000;

/// Which of both processes this one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The one whose calls end by and by.
    Predecessor,
    /// The one that reads what comes, and takes what is new.
    Successor,
}

/// The predecessor's calls that peers began, by their Call-IDs.
#[derive(Debug, Default)]
pub(crate) struct TheirCalls {
    staying: HashSet<Box<[u8]>>,
    recent: HashSet<Box<[u8]>>,
    more: usize,
}

impl TheirCalls {
    /// A call that stays.
    pub(crate) fn stays(&mut self, call_id: Vec<u8>) {
        self.staying.insert(call_id.into());
    }

    /// Something that began a short time ago.
    pub(crate) fn began(&mut self, call_id: Vec<u8>) {
        self.recent.insert(call_id.into());
    }

    fn note(&mut self, call_id: &[u8]) {
        if !self.staying.contains(call_id) && self.more < MOST_MORE {
            self.more += 1;
            self.staying.insert(call_id.into());
        }
    }
}

/// Tells whose messages are.
#[derive(Debug)]
pub(super) struct Belonging {
    side: Side,
    predecessor: u8,
    successor: u8,
    calls: TheirCalls,
    /// The predecessor's calls are not counted up yet: what no id tells is its own.
    counting: bool,
    recent_until: Instant,
}

impl Belonging {
    /// For a predecessor that is about to count up its calls.
    pub(super) fn counting(predecessor: u8, successor: u8, now: Instant) -> Self {
        Self {
            side: Side::Predecessor,
            predecessor,
            successor,
            calls: TheirCalls::default(),
            counting: true,
            recent_until: now + REPEATED,
        }
    }

    /// For a successor that was told the predecessor's calls.
    pub(super) fn told(predecessor: u8, successor: u8, calls: TheirCalls, now: Instant) -> Self {
        Self {
            side: Side::Successor,
            counting: false,
            calls,
            ..Self::counting(predecessor, successor, now)
        }
    }

    /// The predecessor has counted up its calls.
    pub(super) fn counted(&mut self, calls: TheirCalls) {
        self.calls.staying.extend(calls.staying);
        self.calls.recent.extend(calls.recent);
        self.counting = false;
    }

    /// Which of both processes this one is.
    pub(super) const fn side(&self) -> Side {
        self.side
    }

    /// Takes note of what the predecessor was given, or takes itself, and begins a call.
    pub(super) fn note(&mut self, seen: &Peek<'_>) {
        if opens_dialog(seen) {
            self.calls.note(seen.call_id);
        }
    }

    /// Whether a message is the other process's.
    pub(super) fn is_others(&mut self, seen: &Peek<'_>, now: Instant) -> bool {
        let owner = self.owner(seen, now);
        if owner == Some(Side::Predecessor) {
            // What comes behind it, a CANCEL for one, has no more than the Call-ID to tell by.
            self.note(seen);
        }
        owner.is_some_and(|owner| owner != self.side)
    }

    /// None: a response to nothing of both.
    fn owner(&mut self, seen: &Peek<'_>, now: Instant) -> Option<Side> {
        if !seen.is_request {
            return self.of_generation(generation_of_branch(seen.branch?));
        }
        let tags = [seen.to_tag, seen.replaces_tag].into_iter().flatten();
        for tag in tags {
            if let Some(side) = self.of_generation(generation_of(tag)) {
                return Some(side);
            }
        }
        if now >= self.recent_until {
            self.calls.recent = HashSet::new();
        }
        let known =
            self.calls.staying.contains(seen.call_id) || self.calls.recent.contains(seen.call_id);
        Some(if known || self.counting {
            Side::Predecessor
        } else {
            Side::Successor
        })
    }

    fn of_generation(&self, generation: Option<u8>) -> Option<Side> {
        let generation = generation?;
        if generation == self.predecessor {
            Some(Side::Predecessor)
        } else if generation == self.successor {
            Some(Side::Successor)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use skillcall_sip::peek::peek;

    use super::*;

    const INVITE: &str = "INVITE sip:a@b SIP/2.0\r\n";
    const CANCEL: &str = "CANCEL sip:a@b SIP/2.0\r\n";
    const BYE: &str = "BYE sip:a@b SIP/2.0\r\n";
    const REGISTER: &str = "REGISTER sip:b SIP/2.0\r\n";

    fn message(start: &str, branch: &str, to: &str, call_id: &str, more: &str) -> String {
        let method = start.split(' ').next().unwrap();
        let method = if method == "SIP/2.0" { "BYE" } else { method };
        format!(
            "{start}Via: SIP/2.0/UDP x;branch={branch}\r\nFrom: <sip:p@x>;tag=p\r\nTo: <sip:a@b>{to}\r\n\
             Call-ID: {call_id}\r\nCSeq: 1 {method}\r\n{more}\r\n"
        )
    }

    fn calls() -> TheirCalls {
        let mut calls = TheirCalls::default();
        calls.stays(b"stays".to_vec());
        calls.began(b"began".to_vec());
        calls
    }

    #[test]
    fn ids_and_call_ids_say_whose_a_message_is() {
        use Side::{Predecessor, Successor};
        let now = Instant::now();
        let replaces = "Replaces: x;to-tag=w01-7;from-tag=p\r\n";
        for (start, branch, to, call_id, more, owner) in [
            // A response by its branch, and by nothing else.
            (
                "SIP/2.0 200 OK\r\n",
                "z9hG4bKw00-1",
                "",
                "new",
                "",
                Some(Predecessor),
            ),
            (
                "SIP/2.0 200 OK\r\n",
                "z9hG4bKw07a-1",
                "",
                "stays",
                "",
                Some(Successor),
            ),
            ("SIP/2.0 200 OK\r\n", "z9hG4bKw07b-1", "", "stays", "", None),
            ("SIP/2.0 200 OK\r\n", "z9hG4bKabc", "", "stays", "", None),
            // A request within a dialog by our tag in it.
            (BYE, "z9hG4bKx", ";tag=w05-1", "new", "", Some(Predecessor)),
            (BYE, "z9hG4bKx", ";tag=w05a-1", "stays", "", Some(Successor)),
            // A tag that tells nothing: the Call-ID.
            (
                BYE,
                "z9hG4bKx",
                ";tag=w05c-1",
                "stays",
                "",
                Some(Predecessor),
            ),
            (BYE, "z9hG4bKx", ";tag=w05c-1", "other", "", Some(Successor)),
            // What has no tag yet.
            (INVITE, "z9hG4bKx", "", "new", "", Some(Successor)),
            (INVITE, "z9hG4bKx", "", "began", "", Some(Predecessor)),
            (CANCEL, "z9hG4bKx", "", "stays", "", Some(Predecessor)),
            (CANCEL, "z9hG4bKx", "", "other", "", Some(Successor)),
            (REGISTER, "z9hG4bKx", "", "other", "", Some(Successor)),
            // A call of ours that has come back as another one's is as new as any.
            (INVITE, "z9hG4bKx", "", "w00-9", "", Some(Successor)),
            // It takes the place of a call, and its CANCEL follows it.
            (
                INVITE,
                "z9hG4bKx",
                "",
                "instead",
                replaces,
                Some(Predecessor),
            ),
            (CANCEL, "z9hG4bKx", "", "instead", "", Some(Predecessor)),
        ] {
            let text = message(start, branch, to, call_id, more);
            let seen = peek(text.as_bytes()).unwrap();
            let mut successor = Belonging::told(0, 1, calls(), now);
            let mut predecessor = Belonging::counting(0, 1, now);
            predecessor.counted(calls());
            if call_id == "instead" {
                let invite = message(INVITE, "z9hG4bKx", "", "instead", replaces);
                let invite = peek(invite.as_bytes()).unwrap();
                assert!(successor.is_others(&invite, now));
                assert!(!predecessor.is_others(&invite, now));
            }
            let expected = (owner == Some(Predecessor), owner == Some(Successor));
            let said = (
                successor.is_others(&seen, now),
                predecessor.is_others(&seen, now),
            );
            assert_eq!(said, expected, "{text}");
        }
    }

    #[test]
    fn what_began_a_short_time_ago_is_forgotten_unless_it_goes_on() {
        let now = Instant::now();
        let invite = message(INVITE, "z9hG4bKx", "", "began", "");
        let invite = peek(invite.as_bytes()).unwrap();
        let mut silent = Belonging::told(0, 1, calls(), now);
        assert!(!silent.is_others(&invite, now + REPEATED));
        // A phone that was asked for its credentials has given them: that call is the predecessor's.
        let mut asked = Belonging::told(0, 1, calls(), now);
        assert!(asked.is_others(&invite, now));
        assert!(asked.is_others(&invite, now + REPEATED));
    }

    #[test]
    fn while_it_counts_a_predecessor_keeps_what_no_id_tells() {
        let now = Instant::now();
        let mut predecessor = Belonging::counting(0, 1, now);
        let [new, later] = ["new", "later"].map(|id| message(INVITE, "z9hG4bKx", "", id, ""));
        let new = peek(new.as_bytes()).unwrap();
        assert!(!predecessor.is_others(&new, now));
        predecessor.counted(calls());
        assert!(!predecessor.is_others(&new, now), "its CANCEL comes yet");
        assert!(predecessor.is_others(&peek(later.as_bytes()).unwrap(), now));
        assert_eq!(predecessor.side(), Side::Predecessor);
    }
}
