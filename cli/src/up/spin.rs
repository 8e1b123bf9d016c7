//! An installed Spin in place of the embedded host.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use skillcall_host::Host;
use skillcall_host::settings::{SettingName, Settings as _};
use tokio::process::{Child, Command};

use crate::installation::Installation;

/// How long Spin may take until it answers.
const START_WITHIN: Duration = Duration::from_secs(60);
/// How long it gets to stop.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// The settings that become Spin's variables.
const VARIABLES: [&str; 7] = [
    "sidecar_keys",
    "session_key",
    "sidecar_url",
    "api_hosts",
    "alexa_roots",
    "chain_origin",
    "tolerance_seconds",
];

/// A running `spin up`.
pub(super) struct Spin {
    child: Child,
    address: SocketAddr,
}

impl Spin {
    /// Starts `spin up` with the settings of host.toml as variables, and waits until it answers.
    pub(super) async fn start(
        installation: &Installation,
        manifest: &Path,
    ) -> anyhow::Result<Self> {
        let host = Host::read(installation.host())?;
        let address = host.config.listen;
        let mut command = Command::new("spin");
        command
            .arg("up")
            .arg("--file")
            .arg(manifest)
            .arg("--listen")
            .arg(address.to_string());
        let plan = std::fs::read(installation.compiled_plan()).context("the compiled call plan")?;
        command.env("SPIN_VARIABLE_PLAN", STANDARD.encode(plan));
        for name in VARIABLES {
            let known = SettingName::new(name).with_context(|| format!("setting {name}"))?;
            if let Some(value) = host
                .settings
                .get(&known)
                .with_context(|| format!("setting {name}"))?
            {
                command.env(format!("SPIN_VARIABLE_{}", name.to_uppercase()), value);
            }
        }
        let child = command
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("`spin` could not be started: install Spin, or leave out `--host spin`")?;
        let mut spin = Self { child, address };
        spin.wait_until_it_answers().await?;
        Ok(spin)
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    async fn wait_until_it_answers(&mut self) -> anyhow::Result<()> {
        let end = tokio::time::Instant::now() + START_WITHIN;
        let mut every = tokio::time::interval(Duration::from_millis(100));
        while tokio::time::Instant::now() < end {
            every.tick().await;
            if let Some(status) = self.child.try_wait().context("`spin up`")? {
                bail!("`spin up` ended with {status}; its own words stand above");
            }
            if tokio::net::TcpStream::connect(self.address).await.is_ok() {
                return Ok(());
            }
        }
        bail!(
            "`spin up` did not answer at {} within {} s",
            self.address,
            START_WITHIN.as_secs()
        )
    }

    /// Asks it to stop, and ends it if it does not.
    pub(super) async fn stop(mut self) {
        if let Some(pid) = self.child.id() {
            let interrupted = Command::new("kill")
                .args(["-INT", &pid.to_string()])
                .status()
                .await;
            if interrupted.is_ok_and(|status| status.success())
                && tokio::time::timeout(STOP_WITHIN, self.child.wait())
                    .await
                    .is_ok()
            {
                return;
            }
        }
        // It is gone already, or does not listen: either way nothing is left to ask.
        let _ = self.child.kill().await;
    }
}
