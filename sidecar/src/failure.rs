//! A thread that ended and without which the sidecar is deaf.

use std::any::Any;
use std::sync::Arc;

use tokio::sync::watch;

/// A thread ended that nothing replaces: the sidecar has to end.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct ThreadFailed(Arc<str>);

/// Where threads tell that they have failed. The first one is kept.
#[derive(Debug, Clone)]
pub(crate) struct Failures(Arc<watch::Sender<Option<ThreadFailed>>>);

impl Default for Failures {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Failures {
    /// Tells that a thread has ended, and why.
    pub(crate) fn report(&self, thread: &str, why: &str) {
        tracing::error!(thread, why, "a thread ended; the sidecar cannot go on");
        let failed = ThreadFailed(format!("the {thread} thread ended: {why}").into());
        self.0.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert(failed);
            is_first
        });
    }

    /// Whether a thread has failed.
    pub(crate) fn any(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Waits for the first failure.
    pub(crate) async fn first(&self) -> ThreadFailed {
        let mut failures = self.0.subscribe();
        let failed = failures.wait_for(Option::is_some).await;
        match failed.ok().and_then(|failed| failed.clone()) {
            Some(failed) => failed,
            // The sender lives in `self`, so that waiting cannot fail.
            None => std::future::pending().await,
        }
    }
}

/// What a panic said.
pub(crate) fn said(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without words")
}
