//! Finding a call's records by any of its ids.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use skillcall_protocol::redact;
use skillcall_protocol::trace::Record;

use super::TraceSink;
use super::store::list;

/// Records of one answer.
const MOST_RECORDS: usize = 20_000;
/// Times that the files are read for one answer: each finds what the ids of the last one lead to.
const MOST_ROUNDS: usize = 6;

/// The trace, for those who read it and for other parts that write to it.
#[derive(Clone)]
pub struct TraceStore {
    folder: PathBuf,
    sink: TraceSink,
}

/// Records that are not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTaken {
    /// One of them is no record.
    #[error("record {index} is none of the schema: {error}")]
    NoRecord {
        /// Its place in the list, from 0.
        index: usize,
        /// What is wrong.
        error: serde_json::Error,
    },
    /// Too much waits to be written.
    #[error("too much waits to be written")]
    Full,
}

impl TraceStore {
    pub(crate) fn new(folder: PathBuf, sink: TraceSink) -> Self {
        Self { folder, sink }
    }

    /// All records that share an id with `id`, or with a record found, in the order of time.
    pub async fn find(&self, id: &str) -> Vec<Record> {
        self.sink.flushed().await;
        let (folder, id) = (self.folder.clone(), id.to_owned());
        tokio::task::spawn_blocking(move || find(&folder, &id))
            .await
            .unwrap_or_default()
    }

    /// Takes records of another part. They are redacted once more: what is written here is
    /// redacted, whoever sent it.
    pub(crate) fn take(&self, records: &[serde_json::Value]) -> Result<(), NotTaken> {
        let lines = records
            .iter()
            .enumerate()
            .map(|(index, value)| {
                let fail = |error| NotTaken::NoRecord { index, error };
                let record: Record = serde_json::from_value(value.clone()).map_err(fail)?;
                let line = record.to_line();
                Ok(redact::json(line.as_bytes()).unwrap_or(line))
            })
            .collect::<Result<Vec<_>, NotTaken>>()?;
        if lines.into_iter().all(|line| self.sink.line(line)) {
            Ok(())
        } else {
            Err(NotTaken::Full)
        }
    }
}

fn find(folder: &Path, id: &str) -> Vec<Record> {
    let mut known = HashSet::from([id.to_owned()]);
    let mut records: Vec<Record> = Vec::new();
    for _ in 0..MOST_ROUNDS {
        records = read(folder, &known);
        let before = known.len();
        known.extend(
            records
                .iter()
                .flat_map(|record| record.ids.all())
                .map(str::to_owned),
        );
        if known.len() == before || records.len() >= MOST_RECORDS {
            break;
        }
    }
    skillcall_protocol::trace::find(&records, id).records
}

fn read(folder: &Path, ids: &HashSet<String>) -> Vec<Record> {
    let mut records = Vec::new();
    for (path, ..) in list(folder).into_iter().rev() {
        let Ok(file) = File::open(path) else { continue };
        for line in BufReader::new(file).lines() {
            let Ok(line) = line else { break };
            // Most lines are another call's; reading JSON costs more than looking for the ids.
            if !ids.iter().any(|id| line.contains(id.as_str())) {
                continue;
            }
            if let Ok(record) = serde_json::from_str::<Record>(&line)
                && record.ids.all().any(|id| ids.contains(id))
            {
                records.push(record);
                if records.len() >= MOST_RECORDS {
                    return records;
                }
            }
        }
    }
    records
}
