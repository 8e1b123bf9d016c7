//! Traces for OpenTelemetry: each traced call as a trace of spans, posted to a collector by OTLP over HTTP with JSON.
//!
//! | file | |
//! |---|---|
//! | `mod` | the way from the trace's thread: bounded, never waited for |
//! | `span` | what a span is |
//! | `assembly` | spans made of trace records, without I/O |
//! | `otlp` | their JSON |
//! | `export` | batches, the collector's answers, repetitions |
//!
//! Spans are made of the trace's records, which are redacted already: what is not in the trace is in no span, and bodies are
//! in none.

mod assembly;
mod export;
mod otlp;
mod span;

use std::sync::Arc;

use skillcall_protocol::trace::Record;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::config::{OpenTelemetryConfig, SidecarConfig};
use crate::figures::{Figures, count};

/// Takes records for the collector; never waits.
#[derive(Debug, Clone)]
pub(crate) struct Telemetry {
    records: mpsc::Sender<Record>,
    figures: Arc<Figures>,
}

impl Telemetry {
    /// Starts the export where the configuration names a collector. The task ends once all senders are gone and the last
    /// spans are posted.
    ///
    /// # Errors
    /// The headers' file cannot be read, or has lines that are no headers; the client cannot be made.
    pub(crate) fn start(
        config: &SidecarConfig,
        figures: Arc<Figures>,
    ) -> Result<Option<(Self, JoinHandle<()>)>, String> {
        let settings: &OpenTelemetryConfig = &config.opentelemetry;
        let Some(endpoint) = settings.traces_url() else {
            return Ok(None);
        };
        let exporter = export::Exporter::new(
            endpoint,
            settings.headers(config)?,
            settings.clone(),
            Arc::clone(&figures),
        )
        .map_err(|error| error.to_string())?;
        let (records, queue) = mpsc::channel(settings.queue.max(1) as usize);
        let task = tokio::spawn(exporter.run(queue));
        Ok(Some((Self { records, figures }, task)))
    }

    /// Takes a record over, if there is room.
    pub(crate) fn take(&self, record: &Record) {
        if self.records.try_send(record.clone()).is_err() {
            count(&self.figures.spans_dropped);
        }
    }
}
