//! `skillcall trace --pcap`: the packets of one call, as the sidecar sees them.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::json;

use crate::control::Control;

/// How often it is looked whether the call is over.
const LOOK: Duration = Duration::from_millis(250);

/// What is to be captured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// The id of a running call, or a number.
    pub(super) call: &'a str,
    /// Whether it is a number, whose next call is captured.
    pub(super) next: bool,
    /// With the packets of the audio.
    pub(super) rtp: bool,
}

/// Captures a call until it is over, or until it is interrupted, and writes what came by then. Nobody else may read the
/// file: it is not redacted.
pub(super) async fn capture(
    sidecar: &Control,
    wanted: Wanted<'_>,
    file: &Path,
) -> anyhow::Result<usize> {
    let whose = if wanted.next { "number" } else { "call" };
    let asked = json!({whose: wanted.call, "rtp": wanted.rtp});
    let begun = sidecar.post("/v1/captures", &asked).await?;
    let Some(id) = begun["id"].as_str() else {
        bail!("the sidecar named no capture: {begun}");
    };
    let path = format!("/v1/captures/{id}");
    let whole = tokio::select! {
        ended = until_over(sidecar, &path) => ended,
        _ = tokio::signal::ctrl_c() => sidecar.download(&path).await.map(|(packets, _)| packets),
    };
    // It would take one of the sidecar's places otherwise.
    let forgotten = sidecar.delete(&path).await;
    let packets = whole?;
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(file)
        .and_then(|mut open| open.write_all(&packets))
        .with_context(|| format!("file {}", file.display()))?;
    forgotten?;
    Ok(packets.len())
}

async fn until_over(sidecar: &Control, path: &str) -> anyhow::Result<Vec<u8>> {
    loop {
        let (packets, state) = sidecar.download(path).await?;
        if state.as_deref() == Some("over") {
            return Ok(packets);
        }
        tokio::time::sleep(LOOK).await;
    }
}
