//! An installation's folder: where each file lies, and what runs from it now.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// The folder that `skillcall init` makes.
#[derive(Debug, Clone)]
pub(crate) struct Installation {
    folder: PathBuf,
}

impl Installation {
    /// The installation in `folder`; nothing is read yet.
    pub(crate) fn at(folder: &Path) -> Self {
        Self {
            folder: folder.to_path_buf(),
        }
    }

    /// The folder itself.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file or folder of the installation, by its path inside.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.folder.join(inside)
    }

    /// The call plan.
    pub(crate) fn plan(&self) -> PathBuf {
        self.path("skillcall.toml")
    }

    /// The sidecar's configuration.
    pub(crate) fn sidecar(&self) -> PathBuf {
        self.path("sidecar.toml")
    }

    /// The embedded host's configuration.
    pub(crate) fn host(&self) -> PathBuf {
        self.path("host.toml")
    }

    /// The simulator's configuration.
    pub(crate) fn simulator(&self) -> PathBuf {
        self.path("simulator.toml")
    }

    /// The compiled call plan, which the component reads.
    pub(crate) fn compiled_plan(&self) -> PathBuf {
        self.path("state/plan.bin")
    }

    /// The manifest that `skillcall up --host spin` writes.
    pub(crate) fn spin_manifest(&self) -> PathBuf {
        self.path("state/spin.toml")
    }

    /// What `skillcall up` writes while it runs.
    fn running_file(&self) -> PathBuf {
        self.path("state/running.json")
    }

    /// Fails with the remedy when this is no installation.
    pub(crate) fn must_exist(&self) -> anyhow::Result<()> {
        if self.plan().is_file() {
            return Ok(());
        }
        anyhow::bail!(
            "{} has no skillcall.toml. Make an installation with `skillcall init {}`, or name its folder with --folder",
            self.folder.display(),
            self.folder.display()
        )
    }

    /// What runs from this folder.
    ///
    /// # Errors
    /// When nothing does, with the remedy.
    pub(crate) fn running(&self) -> anyhow::Result<Running> {
        let file = self.running_file();
        let text = std::fs::read_to_string(&file).with_context(|| {
            format!(
                "nothing runs from {}: start it with `skillcall up` (no {})",
                self.folder.display(),
                file.display()
            )
        })?;
        serde_json::from_str(&text).with_context(|| {
            format!(
                "{}: not what `skillcall up` writes; delete it",
                file.display()
            )
        })
    }

    /// Notes what runs; the note goes away with the returned guard.
    pub(crate) fn note_running(&self, running: &Running) -> anyhow::Result<RunningNote> {
        let file = self.running_file();
        if let Some(parent) = file.parent() {
            std::fs::create_dir_all(parent)
                .with_context(|| format!("folder {}", parent.display()))?;
        }
        std::fs::write(&file, serde_json::to_vec_pretty(running)?)
            .with_context(|| format!("file {}", file.display()))?;
        Ok(RunningNote { file })
    }
}

/// The addresses of what `skillcall up` started.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Running {
    /// The process.
    pub(crate) pid: u32,
    /// The component's HTTP address.
    pub(crate) component: SocketAddr,
    /// The sidecar's control API.
    pub(crate) sidecar: SocketAddr,
    /// Where the sidecar takes SIP.
    pub(crate) sip: Vec<String>,
    /// The simulator's HTTP address, unless it was left out.
    pub(crate) simulator: Option<SocketAddr>,
}

/// Removes the note of what runs when the program ends.
#[derive(Debug)]
pub(crate) struct RunningNote {
    file: PathBuf,
}

impl Drop for RunningNote {
    fn drop(&mut self) {
        // Nothing can be done about a note that is gone already.
        let _ = std::fs::remove_file(&self.file);
    }
}

/// Finds `skillcall.wasm`, as [`find`] does.
pub(crate) fn find_component() -> anyhow::Result<PathBuf> {
    find("skillcall.wasm", "SKILLCALL_COMPONENT")
}

/// Finds `skillcall-spin.wasm`, as [`find`] does.
pub(crate) fn find_spin_component() -> anyhow::Result<PathBuf> {
    find("skillcall-spin.wasm", "SKILLCALL_SPIN_COMPONENT")
}

/// Finds a WebAssembly file: where the environment's `variable` says, beside this program, in the folder above it, or in
/// `target/` of the working folder.
fn find(name: &str, variable: &str) -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os(variable).map(PathBuf::from) {
        anyhow::ensure!(
            path.is_file(),
            "{variable} names {}, which is no file: build it with `make component`",
            path.display()
        );
        return Ok(path);
    }
    let program = std::env::current_exe().context("this program's own path")?;
    let mut places = Vec::new();
    if let Some(beside) = program.parent() {
        places.push(beside.join(name));
        places.extend(beside.parent().map(|above| above.join(name)));
    }
    places.push(std::env::current_dir()?.join("target").join(name));
    places
        .iter()
        .find(|path| path.is_file())
        .cloned()
        .with_context(|| {
            let looked: Vec<String> = places
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            format!(
                "no {name} ({}). Build it with `make component`, or name it in {variable}",
                looked.join(", ")
            )
        })
}
