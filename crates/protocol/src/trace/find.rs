//! Finds the records of one call among many.

use std::collections::HashSet;

use super::{Ids, Kind, Party, Record};

/// The records of one call, in the order of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trace {
    /// The records.
    pub records: Vec<Record>,
    /// Every id that any of them has.
    pub ids: Ids,
    /// Parties that sent or received a message, but wrote no record themselves.
    pub missing: Vec<Party>,
}

/// Gathers the records that share an id with `id`, or with a record found, until nothing is added.
///
/// Records that are there twice (a part asked twice) are taken once.
#[must_use]
pub fn find<'a>(records: impl IntoIterator<Item = &'a Record>, id: &str) -> Trace {
    let mut left: Vec<&Record> = records.into_iter().collect();
    let mut known: HashSet<&str> = HashSet::from([id]);
    let mut found: Vec<&Record> = Vec::new();
    loop {
        let (joined, rest): (Vec<_>, Vec<_>) = left
            .into_iter()
            .partition(|record| record.ids.all().any(|id| known.contains(id)));
        left = rest;
        if joined.is_empty() {
            break;
        }
        known.extend(joined.iter().flat_map(|record| record.ids.all()));
        found.extend(joined);
    }
    found.sort_by_key(|record| (record.at, &record.part, record.seq));
    let mut trace = Trace::default();
    for record in found {
        if trace.records.last() != Some(record) {
            trace.ids.merge(&record.ids);
            trace.records.push(record.clone());
        }
    }
    trace.missing = missing(&trace.records);
    trace
}

fn missing(records: &[Record]) -> Vec<Party> {
    let writers: HashSet<&Party> = records.iter().map(|record| &record.part).collect();
    let mut missing: Vec<Party> = records
        .iter()
        .filter_map(|record| match &record.kind {
            Kind::Message(message) => Some([&message.from, &message.to]),
            _ => None,
        })
        .flatten()
        .filter(|party| !writers.contains(party))
        .cloned()
        .collect();
    missing.sort();
    missing.dedup();
    missing
}
