//! Compiles the call plan, and again whenever it changes: the component takes up the new one with
//! its next request.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use tokio::task::JoinHandle;

use crate::check::plan as findings;
use crate::installation::Installation;

/// How often the plan's file is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Watches the plan's file.
pub(super) struct Watch(JoinHandle<()>);

impl Watch {
    /// Compiles the plan, and watches it from now on.
    ///
    /// # Errors
    /// When the plan has errors: all of them, with line, column and remedy.
    pub(super) fn start(installation: &Installation) -> anyhow::Result<Self> {
        let (source, compiled) = (installation.plan(), installation.compiled_plan());
        let seen = changed(&source);
        compile(&source, &compiled)?;
        Ok(Self(tokio::spawn(watch(source, compiled, seen))))
    }

    /// Ends the watch.
    pub(super) fn stop(&self) {
        self.0.abort();
    }
}

async fn watch(source: PathBuf, compiled: PathBuf, mut seen: Option<SystemTime>) {
    let mut every = tokio::time::interval(LOOK_EVERY);
    loop {
        every.tick().await;
        let now = changed(&source);
        if now.is_none() || now == seen {
            continue;
        }
        seen = now;
        match compile(&source, &compiled) {
            Ok(()) => eprintln!(
                "skillcall: {} changed; the new plan is in force",
                source.display()
            ),
            Err(error) => eprintln!("skillcall: the old plan stays in force.\n{error:#}"),
        }
    }
}

fn changed(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file)
        .and_then(|meta| meta.modified())
        .ok()
}

/// Compiles a plan's file into another, which appears whole or not at all.
fn compile(source: &Path, compiled: &Path) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(source)
        .with_context(|| format!("the call plan {}", source.display()))?;
    let (bytes, warnings) = match skillcall_plan::compile(&text) {
        Ok(done) => done,
        Err(found) => {
            let lines: Vec<String> = findings(source, &found)
                .iter()
                .map(ToString::to_string)
                .collect();
            bail!("{}", lines.join("\n"));
        }
    };
    for warning in findings(source, &warnings) {
        tracing::warn!("{warning}");
    }
    if let Some(folder) = compiled.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("folder {}", folder.display()))?;
    }
    let fresh = compiled.with_extension("new");
    std::fs::write(&fresh, bytes).with_context(|| format!("file {}", fresh.display()))?;
    std::fs::rename(&fresh, compiled).with_context(|| format!("file {}", compiled.display()))
}
