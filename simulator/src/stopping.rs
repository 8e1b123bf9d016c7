//! The signal that the simulator stops.

use tokio::sync::watch;

/// Waits until the simulator stops.
pub(crate) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error says that the simulator is gone, which is the same.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}
