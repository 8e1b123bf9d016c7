//! A sidecar that hands over: its folder, its process, and what its callers get.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::json;
use tempfile::TempDir;

use crate::support::process::Process;
use crate::support::{self, Handler, hang_up_all};
use crate::{ENDS, PROMPT};

/// Plays to a caller; whoever says so, and all of a crowd, are put through to somebody.
pub(crate) async fn handler() -> Handler {
    Handler::start(|event| {
        let from = event["CallDetails"]["Participants"][0]["From"].as_str();
        let to_desk = event["CallDetails"]["Participants"][0]["SipHeaders"]["X-To"] == "desk";
        match event["InvocationEventType"].as_str() {
            Some("NEW_INBOUND_CALL") if to_desk || from.unwrap() != "+12045550100" => {
                let from = from.unwrap();
                let number = &from[from.len() - 3..];
                json!([{"Type": "CallAndBridge", "Parameters": {
                    "CallTimeoutSeconds": 60, "CallerIdNumber": "+16075550199",
                    "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": format!("+16075551{number}")}]}}])
            }
            Some("NEW_INBOUND_CALL") => json!([{"Type": "PlayAudio", "Parameters": {"Repeat": 600,
                "AudioSource": {"Type": "S3", "BucketName": "prompts", "Key": "a.wav"}}}]),
            Some("ACTION_FAILED") => json!([{"Type": "Hangup", "Parameters": {"SipResponseCode": "486"}}]),
            Some("HANGUP") => hang_up_all(event),
            _ => json!([]),
        }
    })
    .await
}

/// The folder of a sidecar that hands over, and its file.
pub(crate) fn installation(
    handler: &Handler,
    desk: Option<SocketAddr>,
    extra: &str,
) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let extra = format!(
        "[limits]\ncalls-per-second = 1000\n[handover]\nsocket = \"handover.sock\"\n{extra}"
    );
    let text = support::config_text(folder.path(), &handler.url, desk, &extra);
    let tone = skillcall_media::tone::sine(PROMPT, -10.0, 8000);
    let tone = skillcall_media::wav::to_bytes(&tone, 1).unwrap();
    std::fs::write(folder.path().join("prompts/a.wav"), tone).unwrap();
    let file = folder.path().join("sidecar.toml");
    std::fs::write(&file, text).unwrap();
    (folder, file)
}

/// A sidecar as a process, with its addresses.
pub(crate) struct Running {
    pub(crate) process: Process,
    pub(crate) sip: SocketAddr,
    pub(crate) control: SocketAddr,
}

impl Running {
    pub(crate) fn start(file: &Path) -> Self {
        let (process, sip, control) = Process::sidecar_with_control(file);
        Self {
            process,
            sip,
            control,
        }
    }

    /// A newer one in its place: the addresses stay.
    pub(crate) fn hands_over(&self, file: &Path) -> Self {
        let next = Self::start(file);
        assert_eq!((next.sip, next.control), (self.sip, self.control));
        next
    }

    pub(crate) fn kill(&mut self) -> Instant {
        self.process.0.kill().unwrap();
        self.process.0.wait().unwrap();
        Instant::now()
    }

    pub(crate) fn ends_by_itself(mut self) {
        self.process.succeeds("the older process", ENDS);
    }

    pub(crate) fn runs(&mut self) {
        assert!(self.process.0.try_wait().unwrap().is_none());
    }
}

/// One that does not start, and what it says.
pub(crate) fn does_not_start(file: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_skillcall-sidecar"))
        .arg("--config")
        .arg(file)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}
