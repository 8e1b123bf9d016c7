//! A trace as a ladder: each message once, from lane to lane.

use std::collections::HashSet;

use super::{Direction, Kind, MediaFigures, Message, Party, Record, Trace};

/// One rung of the ladder.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step<'a> {
    /// When, in microseconds since the first step.
    pub offset_us: u64,
    /// Who wrote the record.
    pub part: &'a Party,
    /// What is drawn.
    pub kind: StepKind<'a>,
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
        /// Where it is.
        path: &'a str,
        /// Its length in seconds.
        seconds: f64,
    },
}

impl Trace {
    /// The rungs, in the order of time.
    ///
    /// A message that both ends recorded is drawn once, as its sender saw it; one whose sender wrote
    /// nothing at all is drawn as its receiver saw it.
    #[must_use]
    pub fn ladder(&self) -> Vec<Step<'_>> {
        let writers: HashSet<&Party> = self.records.iter().map(|record| &record.part).collect();
        let start = self.records.first().map_or(0, |record| record.at);
        self.records
            .iter()
            .filter_map(|record| {
                Some(Step {
                    offset_us: record.at.saturating_sub(start),
                    part: &record.part,
                    kind: drawn(record, &writers)?,
                })
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

fn drawn<'a>(record: &'a Record, writers: &HashSet<&Party>) -> Option<StepKind<'a>> {
    Some(match &record.kind {
        Kind::Message(message) => {
            if message.direction == Direction::Received && writers.contains(&message.from) {
                return None;
            }
            StepKind::Arrow(message)
        }
        Kind::Note { level, text } => StepKind::Note {
            level: *level,
            text,
        },
        Kind::Media(figures) => StepKind::Media(figures),
        Kind::Recording { path, seconds } => StepKind::Recording {
            path,
            seconds: *seconds,
        },
    })
}
