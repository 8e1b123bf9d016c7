//! The component as `host.toml` says, without a listener.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use skillcall_host::state::{DurableState, MemoryState, State};
use skillcall_host::{ComponentSource, HostConfig, Skill, StateConfig};

/// Loads what `host.toml` in `folder` names.
pub(crate) fn load(folder: &Path) -> anyhow::Result<Skill> {
    let config = HostConfig::read(folder.join("host.toml"))?;
    if let ComponentSource::File(path) = &config.component {
        anyhow::ensure!(path.is_file(), "{} is not there", path.display());
    }
    let state: Arc<dyn State> = match config.state {
        StateConfig::Memory(bounds) => Arc::new(MemoryState::new(bounds)),
        StateConfig::File(path, bounds) => {
            Arc::new(DurableState::open(&path, bounds).context("state.file")?)
        }
        StateConfig::Custom(state) => state,
    };
    let (component, engine) = (config.component, config.engine);
    Ok(Skill::load(
        component,
        engine,
        state,
        config.settings,
        &config.outbound,
    )?)
}
