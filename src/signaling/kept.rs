//! Messages in `state` until the sidecar has them, each under a key of its own: there is no list that two requests could
//! write at once.

use skillcall_protocol::ids::RequestId;
use skillcall_protocol::signaling::Forward;

use crate::host::{Host, HostError};
use crate::once::{Entry, Table};

const MESSAGES: Table = Table {
    name: "signaling",
    slots: 16_384,
};
/// How long a message is kept that nobody takes, in seconds: longer than any call rings (our choice).
const KEPT_S: u32 = 3600;
/// The longest message: what `state` takes, without what a slot needs itself.
pub(super) const MAX_BYTES: usize = 60_000;

/// A message that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    entry: Entry,
    /// The body of the request to the sidecar.
    pub(super) body: Vec<u8>,
}

impl Kept {
    /// Forgets it.
    pub(super) fn forget<H: Host>(&self, host: &H) -> Result<(), HostError> {
        MESSAGES.release(host, &self.entry)
    }
}

/// Keeps a message.
///
/// # Errors
/// When the store cannot be reached.
pub(super) fn keep<H: Host>(host: &H, id: &RequestId, body: &[u8]) -> Result<(), HostError> {
    MESSAGES.put(host, id.as_str(), body, KEPT_S)
}

/// The message of a request, unless the sidecar has it.
///
/// # Errors
/// When the store cannot be reached.
pub(super) fn find<H: Host>(host: &H, id: &RequestId) -> Result<Option<Kept>, HostError> {
    let entry = MESSAGES.find(host, id.as_str())?;
    Ok(entry.map(|entry| Kept {
        body: entry.value.clone(),
        entry,
    }))
}

/// What a kept body says.
pub(super) fn read(body: &[u8]) -> Option<Forward> {
    serde_json::from_slice(body).ok()
}
