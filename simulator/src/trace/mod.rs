//! The trace records of devices, the Alexa service and the phone: in memory, bounded, and in a file if asked for.
//!
//! Alexa begins no trace. What belongs to a request of the skill takes the trace id that the skill's own requests name in
//! `traceparent`, as soon as the first of them has come.

use std::collections::{HashMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use skillcall_protocol::trace::{Ids, Level, MediaFigures, Message, Party, Record};
use skillcall_protocol::traceparent::TraceParent;

/// The trace file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("trace file {path}: {source}", path = path.display())]
pub struct TraceError {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub source: std::io::Error,
}

/// All records. Cloning gives another handle to the same ones.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    records: VecDeque<Record>,
    most: usize,
    next: u64,
    file: Option<BufWriter<File>>,
    /// Trace ids by requestId.
    traces: HashMap<String, String>,
    /// The requestIds, the oldest first.
    traced: VecDeque<String>,
}

/// Requests whose trace ids are remembered.
const MAX_TRACED: usize = 10_000;

impl Trace {
    /// Keeps `most` records; appends each to `file`, if there is one, as a line of JSON.
    pub(crate) fn open(most: usize, file: Option<&Path>) -> Result<Self, TraceError> {
        let file = file
            .map(|path| {
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder)?;
                }
                // Redacted, but still about people's calls.
                OpenOptions::new()
                    .create(true)
                    .append(true)
                    .mode(0o600)
                    .open(path)
            })
            .transpose()
            .map_err(|source| TraceError {
                path: file.unwrap_or(Path::new("")).to_owned(),
                source,
            })?;
        let inner = Inner {
            records: VecDeque::new(),
            most,
            next: 0,
            file: file.map(BufWriter::new),
            traces: HashMap::new(),
            traced: VecDeque::new(),
        };
        Ok(Self {
            inner: Arc::new(Mutex::new(inner)),
        })
    }

    /// A message that crosses a border now.
    pub(crate) fn message(&self, part: Party, known: &Known, message: Message) {
        self.message_at(SystemTime::now(), part, known, message);
    }

    /// A message that crossed a border, or an exchange that began, at `at`.
    pub(crate) fn message_at(&self, at: SystemTime, part: Party, known: &Known, message: Message) {
        self.add(Record::message(micros(at), part, known.ids(), message));
    }

    /// Something worth knowing that is no message.
    pub(crate) fn note(&self, part: Party, known: &Known, level: Level, text: &str) {
        self.add(Record::note(
            micros(SystemTime::now()),
            part,
            known.ids(),
            level,
            text,
        ));
    }

    /// A leg's figures, at its end.
    pub(crate) fn media(&self, part: Party, known: &Known, figures: MediaFigures) {
        self.add(Record::media(
            micros(SystemTime::now()),
            part,
            known.ids(),
            figures,
        ));
    }

    /// A recording that is complete: its file's name.
    pub(crate) fn recording(&self, part: Party, known: &Known, name: &str, seconds: f64) {
        self.add(Record::recording(
            micros(SystemTime::now()),
            part,
            known.ids(),
            None,
            name,
            seconds,
        ));
    }

    /// The skill has told which trace a request of Alexa belongs to: the records in memory that are there already take it
    /// too. The first that is told counts.
    pub(crate) fn learn(&self, request_id: &str, context: &TraceParent) {
        let mut inner = self.inner();
        if inner.traces.contains_key(request_id) {
            return;
        }
        let trace = context.trace_id();
        for record in &mut inner.records {
            if record.ids.request.as_deref() == Some(request_id) && record.ids.trace.is_none() {
                record.ids.trace = Some(trace.clone());
            }
        }
        inner.traces.insert(request_id.to_owned(), trace);
        inner.traced.push_back(request_id.to_owned());
        if inner.traced.len() > MAX_TRACED
            && let Some(oldest) = inner.traced.pop_front()
        {
            inner.traces.remove(&oldest);
        }
    }

    /// The trace that a request of Alexa belongs to, if the skill has told.
    pub(crate) fn trace_of(&self, request_id: &str) -> Option<String> {
        self.inner().traces.get(request_id).cloned()
    }

    fn add(&self, record: Record) {
        let mut inner = self.inner();
        let mut record = record.with_seq(inner.next);
        inner.next += 1;
        if record.ids.trace.is_none()
            && let Some(request) = &record.ids.request
        {
            record.ids.trace = inner.traces.get(request).cloned();
        }
        if let Some(file) = &mut inner.file
            && let Err(error) = writeln!(file, "{}", record.to_line()).and_then(|()| file.flush())
        {
            tracing::warn!(%error, "the trace file cannot be written any more");
            inner.file = None;
        }
        if inner.records.len() >= inner.most {
            inner.records.pop_front();
        }
        inner.records.push_back(record);
    }

    /// The records that belong together with `id`.
    pub(crate) fn find(&self, id: &str) -> Vec<Record> {
        let records: Vec<Record> = self.inner().records.iter().cloned().collect();
        skillcall_protocol::trace::find(&records, id).records
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn micros(at: SystemTime) -> u64 {
    u64::try_from(
        at.duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_micros(),
    )
    .unwrap_or(u64::MAX)
}

/// Collects ids.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known(Ids);

impl Known {
    /// The trace that a request names in `traceparent`.
    pub(crate) fn within(mut self, context: Option<&TraceParent>) -> Self {
        self.0.trace = context.map(TraceParent::trace_id).or(self.0.trace);
        self
    }

    pub(crate) fn request(mut self, id: Option<&str>) -> Self {
        self.0.request = id.map(str::to_owned).or(self.0.request);
        self
    }

    pub(crate) fn session(mut self, id: Option<&str>) -> Self {
        self.0.session = id.map(str::to_owned).or(self.0.session);
        self
    }

    pub(crate) fn csi(mut self, id: Option<&str>) -> Self {
        self.0.csi = id.map(str::to_owned).or(self.0.csi);
        self
    }

    pub(crate) fn call(mut self, id: &str) -> Self {
        self.0.call.push(id.to_owned());
        self
    }

    fn ids(&self) -> Ids {
        self.0.clone()
    }
}
