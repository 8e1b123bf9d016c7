//! A trace as a ladder: each message once, from lane to lane.

use std::collections::{HashMap, HashSet, VecDeque};

use super::{Direction, Ids, Kind, MediaFigures, Message, Party, Protocol, Record, Trace};

/// One rung of the ladder.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step<'a> {
    /// When, in microseconds since the first step.
    pub offset_us: u64,
    /// Who wrote the record.
    pub part: &'a Party,
    /// The record's ids.
    pub ids: &'a Ids,
    /// Whether a SIP message is one that was sent before: a retransmission (RFC 3261 §17).
    pub again: bool,
    /// What is drawn.
    pub kind: StepKind<'a>,
}

impl<'a> Step<'a> {
    /// The SIP Call-ID of a SIP message, by which its dialog is known. A part that has CallIds of its own writes it last.
    #[must_use]
    pub fn dialog(&self) -> Option<&'a str> {
        self.ids.call.last().map(String::as_str)
    }
}

/// What is drawn on a rung.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum StepKind<'a> {
    /// An arrow from lane to lane.
    Arrow(&'a Message),
    /// A box on the writer's lane.
    Note {
        /// How grave it is.
        level: super::Level,
        /// The text.
        text: &'a str,
    },
    /// A leg's figures.
    Media(&'a MediaFigures),
    /// A recording.
    Recording {
        /// The bucket that it lies in, if it lies in one.
        bucket: Option<&'a str>,
        /// Its key, or its file name.
        path: &'a str,
        /// Its length in seconds.
        seconds: f64,
    },
}

/// How much earlier than it was sent a message may have been received, because clocks differ.
const SKEW_US: u64 = 1_000_000;

impl Trace {
    /// The rungs, in the order of time.
    ///
    /// A message that both ends recorded is drawn once, as its sender saw it; one that only its receiver recorded is drawn as
    /// the receiver saw it. The two ends are joined by parties, protocol and name: each receipt with the first sending of that
    /// name that is left and not later than the receipt (by more than the second that clocks may differ). Of a digit the name
    /// is drawn of the end that tells more.
    #[must_use]
    pub fn ladder(&self) -> Vec<Step<'_>> {
        let start = self.records.first().map_or(0, |record| record.at);
        let mut sent: HashMap<Ends<'_>, VecDeque<usize>> = HashMap::new();
        for (index, record) in self.records.iter().enumerate() {
            if let Kind::Message(message) = &record.kind
                && message.direction == Direction::Sent
            {
                sent.entry(Ends::of(message)).or_default().push_back(index);
            }
        }
        let at = |index: usize| self.records.get(index).map_or(0, |record| record.at);
        // By the sending's place, what its receiver wrote.
        let mut joined: HashMap<usize, &Message> = HashMap::new();
        let mut drawn_ones: Vec<usize> = Vec::new();
        for (index, record) in self.records.iter().enumerate() {
            if let Kind::Message(message) = &record.kind
                && message.direction == Direction::Received
                && let Some(left) = sent.get_mut(&Ends::of(message))
                && let Some(sending) =
                    left.pop_front_if(|sending| at(*sending) <= record.at.saturating_add(SKEW_US))
            {
                joined.insert(sending, message);
            } else {
                drawn_ones.push(index);
            }
        }
        let mut seen: HashSet<(&Party, &str)> = HashSet::new();
        drawn_ones
            .into_iter()
            .filter_map(|index| Some((index, self.records.get(index)?)))
            .map(|(index, record)| Step {
                offset_us: record.at.saturating_sub(start),
                part: &record.part,
                ids: &record.ids,
                again: matches!(&record.kind, Kind::Message(message)
                    if message.protocol == Protocol::Sip
                        && message.body.as_deref().is_some_and(|body| !seen.insert((&message.from, body)))),
                kind: match (drawn(record), joined.get(&index)) {
                    (StepKind::Arrow(sent), Some(&received))
                        if sent.protocol == Protocol::Rtp
                            && received.name.len() > sent.name.len() =>
                    {
                        StepKind::Arrow(received)
                    }
                    (kind, _) => kind,
                },
            })
            .collect()
    }

    /// The lanes: every party of an arrow or a note, in the order in which a call crosses them.
    #[must_use]
    pub fn lanes(&self) -> Vec<&Party> {
        let mut lanes: Vec<&Party> = Vec::new();
        for step in self.ladder() {
            match step.kind {
                StepKind::Arrow(message) => lanes.extend([&message.from, &message.to]),
                _ => lanes.push(step.part),
            }
        }
        lanes.sort();
        lanes.dedup();
        lanes
    }
}

fn drawn(record: &Record) -> StepKind<'_> {
    match &record.kind {
        Kind::Message(message) => StepKind::Arrow(message),
        Kind::Note { level, text } => StepKind::Note {
            level: *level,
            text,
        },
        Kind::Media(figures) => StepKind::Media(figures),
        Kind::Recording {
            bucket,
            path,
            seconds,
        } => StepKind::Recording {
            bucket: bucket.as_deref(),
            path,
            seconds: *seconds,
        },
    }
}

/// What both ends of a message agree on.
#[derive(PartialEq, Eq, Hash)]
struct Ends<'a> {
    from: &'a Party,
    to: &'a Party,
    protocol: Protocol,
    name: (&'a str, &'a str),
}

impl<'a> Ends<'a> {
    fn of(message: &'a Message) -> Self {
        let name = match message.protocol {
            // Method and path: what follows (the type of the request) may be known to one end only.
            Protocol::Http => {
                let mut words = message.name.split_whitespace();
                let method = words.next().unwrap_or_default();
                let path = words.next().and_then(|path| path.split('?').next());
                (method, path.unwrap_or_default())
            }
            // The digit itself may be told by one end only.
            Protocol::Rtp => (
                message.name.split_whitespace().next().unwrap_or_default(),
                "",
            ),
            Protocol::Sip | Protocol::Voice => (message.name.trim(), ""),
        };
        Self {
            from: &message.from,
            to: &message.to,
            protocol: message.protocol,
            name,
        }
    }
}
