//! An installed Spin in place of the embedded host.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use skillcall_host::Host;
use skillcall_host::settings::{SettingName, Settings as _};
use skillcall_host::spin_manifest;
use tokio::process::{Child, Command};

use crate::installation::{Installation, find_spin_component};

/// How long Spin may take until it answers.
const START_WITHIN: Duration = Duration::from_secs(60);
/// How long it gets to stop.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// The project's manifest.
const BUILT_IN: &str = include_str!("../../../spin.toml");

/// The settings that become Spin's variables.
const VARIABLES: [&str; 11] = [
    "sidecar_keys",
    "session_key",
    "sidecar_url",
    "api_hosts",
    "alexa_roots",
    "chain_origin",
    "tolerance_seconds",
    "lwa_client_secrets",
    "token_keys",
    "lwa_url",
    "deferred_response",
];

/// A running `spin up`.
pub(super) struct Spin {
    child: Child,
    address: SocketAddr,
}

impl Spin {
    /// Writes this installation's manifest, starts `spin up` with the settings of host.toml as variables, and waits
    /// until it answers.
    pub(super) async fn start(
        installation: &Installation,
        manifest: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let host = Host::read(installation.host())?;
        let address = host.config.listen;
        let manifest = write_manifest(installation, manifest, &host)?;
        let mut command = Command::new("spin");
        command
            .arg("up")
            .arg("--file")
            .arg(&manifest)
            .arg("--listen")
            .arg(address.to_string());
        let plan = std::fs::read(installation.compiled_plan()).context("the compiled call plan")?;
        command.env("SPIN_VARIABLE_PLAN", STANDARD.encode(plan));
        for name in VARIABLES {
            let known = SettingName::new(name).with_context(|| format!("setting {name}"))?;
            let value = host
                .settings
                .get(&known)
                .with_context(|| format!("setting {name}"))?;
            // The manifest has a default for it; empty counts as not set, and its origin is not allowed then.
            let value = value.or_else(|| (name == "sidecar_url").then(String::new));
            if let Some(value) = value {
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

/// Writes the manifest with this installation's origins and the component's absolute path. Gives its path, absolute too.
fn write_manifest(
    installation: &Installation,
    made_from: Option<&Path>,
    host: &Host,
) -> anyhow::Result<PathBuf> {
    let (text, component) = match made_from {
        None => (BUILT_IN.to_owned(), find_spin_component()?),
        Some(file) => {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("the manifest {}", file.display()))?;
            let source = spin_manifest::source(&text)
                .with_context(|| format!("the manifest {}", file.display()))?;
            (text, file.parent().unwrap_or(Path::new("")).join(source))
        }
    };
    let component = component.canonicalize().with_context(|| {
        format!(
            "the component {}: build it with `make component`",
            component.display()
        )
    })?;
    let mut origins = spin_manifest::origins(&host.settings)?;
    let plan = std::fs::read(installation.compiled_plan()).context("the compiled call plan")?;
    let plan = skillcall_plan::Plan::decode(&plan).context("the compiled call plan")?;
    for origin in plan.origins().context("the compiled call plan")? {
        if !origins.contains(&origin) {
            origins.push(origin);
        }
    }
    let made = spin_manifest::of_installation(&text, &component, &origins)?;
    let file = installation.spin_manifest();
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("folder {}", folder.display()))?;
    }
    let head = "# Written by `skillcall up --host spin` at each start, from host.toml: changes here are lost.\n";
    std::fs::write(&file, format!("{head}{made}"))
        .with_context(|| format!("file {}", file.display()))?;
    file.canonicalize()
        .with_context(|| format!("file {}", file.display()))
}
