//! The skill in a Rust program of one's own, without HTTP: state and settings from the program, requests and events in types.
//!
//! `crates/host` brings wasmtime, a pool of instances, deadlines and memory limits; what an embedder gives is a
//! [`State`](skillcall_host::state::State) and a [`Settings`].

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use skillcall_host::outbound::OutboundConfig;
use skillcall_host::settings::{SettingName, Settings, SettingsError};
use skillcall_host::state::{Bounds, MemoryState};
use skillcall_host::{EngineConfig, LoadError, Skill};

/// The settings of an installation that lies in the program's own configuration.
#[derive(Default)]
pub struct OwnSettings(BTreeMap<String, Vec<u8>>);

impl OwnSettings {
    /// Sets a setting of `docs/settings.md`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }
}

impl Settings for OwnSettings {
    fn get(&self, name: &SettingName) -> Result<Option<String>, SettingsError> {
        let text = |value: &Vec<u8>| String::from_utf8_lossy(value).into_owned();
        Ok(self.0.get(name.as_str()).map(text))
    }

    fn get_bytes(&self, name: &SettingName) -> Result<Option<Bytes>, SettingsError> {
        Ok(self.0.get(name.as_str()).cloned().map(Bytes::from))
    }
}

/// Loads the component. Its code is compiled once and kept in `code_cache`, which belongs to this program's user alone.
///
/// # Errors
/// When the component cannot be used.
pub fn load(
    component: &Path,
    settings: OwnSettings,
    code_cache: &Path,
) -> Result<Skill, LoadError> {
    let engine = EngineConfig {
        concurrency: 8,
        code_cache: Some(code_cache.to_owned()),
        ..EngineConfig::default()
    };
    // Where several processes serve one skill, a store that they share stands here.
    let state = Arc::new(MemoryState::new(Bounds::default()));
    Skill::load(
        component,
        engine,
        state,
        Arc::new(settings),
        &OutboundConfig::default(),
    )
}
