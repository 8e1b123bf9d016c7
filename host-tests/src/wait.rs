//! Waiting for an event.

use std::time::Duration;

use tokio::time::Instant;

/// How long a test waits for what must come: long, because a loaded machine is slow, and waiting in vain is the
/// exception.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(25);

/// Asks `look` again and again until it finds something.
///
/// # Panics
/// When [`PATIENCE`] ends; `what` says what was waited for.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "waited {PATIENCE:?} in vain: {what}");
        tokio::time::sleep(LOOK).await;
    }
}
