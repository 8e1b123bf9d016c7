//! Requests with their answers, whole, for whoever judges them.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};

use super::Answer;
use crate::trace::TraceError;

/// The file that exchanges are appended to; none: they are not kept.
#[derive(Debug, Default)]
pub(crate) struct Exchanges(Option<Mutex<File>>);

impl Exchanges {
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, TraceError> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let file = File::options()
            .append(true)
            .create(true)
            .open(path)
            .map_err(|source| TraceError {
                path: path.to_owned(),
                source,
            })?;
        Ok(Self(Some(Mutex::new(file))))
    }

    /// Appends one exchange: the signature's headers, the bodies as text, the status.
    pub(crate) fn add(&self, headers: &[(&'static str, String)], body: &[u8], answer: &Answer) {
        let Some(file) = &self.0 else {
            return;
        };
        let headers: Map<String, Value> = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_str().into()))
            .collect();
        let line = json!({
            "headers": headers,
            "request": String::from_utf8_lossy(body),
            "status": answer.status,
            "reply": String::from_utf8_lossy(&answer.body),
        });
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = writeln!(file, "{line}") {
            tracing::warn!(%error, "an exchange could not be kept");
        }
    }
}
