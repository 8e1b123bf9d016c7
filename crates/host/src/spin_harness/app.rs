//! An application of `spin.toml`, started under Spin's rules.

use super::allowed_hosts::AllowedHost;
use super::gate::gate;
use super::imports::SpinImports;
use super::key_value::KeyValueStore;
use super::manifest::{Component, HttpTrigger, Manifest};
use super::variables::{Resolved, VariableError, check_name};
use crate::config::ComponentSource;
use crate::engine::EngineConfig;
use crate::instance::Platform;
use crate::outbound::{Outbound, OutboundConfig};
use crate::server::{Server, StartError, listen};
use crate::skill::{LoadError, Skill};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Why Spin would not start the application.
#[derive(Debug, thiserror::Error)]
pub enum SpinError {
    /// The manifest has the wrong shape.
    #[error("Failed to read Spin app manifest from {path:?}: {reason}")]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A variable has no value, a wrong name, or a template that names none.
    #[error("{0}")]
    Variable(String),
    /// An entry of `allowed_outbound_hosts` is malformed.
    #[error("`allowed_outbound_hosts` is malformed: {0}")]
    AllowedHosts(String),
    /// A label of `key_value_stores` names no store.
    #[error("unknown key_value_stores label {label:?} for component {component:?}")]
    StoreLabel {
        /// The label.
        label: String,
        /// The component.
        component: String,
    },
    /// A value that was given for a store does not fit.
    #[error("the key-value entry {key:?} is refused: {reason}")]
    Entry {
        /// The key.
        key: String,
        /// Why.
        reason: String,
    },
    /// The component cannot be loaded.
    #[error("Failed to load component {component:?}: {error}")]
    Component {
        /// The component.
        component: String,
        /// Why.
        error: LoadError,
    },
    /// The server does not start.
    #[error(transparent)]
    Start(#[from] StartError),
}

impl From<VariableError> for SpinError {
    fn from(error: VariableError) -> Self {
        Self::Variable(error.to_string())
    }
}

/// What `spin up` would be told.
#[derive(Debug, Clone)]
pub struct SpinOptions {
    /// `spin.toml`.
    pub manifest: PathBuf,
    /// `--variable NAME=VALUE`.
    pub variables: BTreeMap<String, String>,
    /// `--key-value KEY=VALUE`, into the store `default`.
    pub key_values: BTreeMap<String, Vec<u8>>,
    /// Labels beside `default` that a runtime configuration would define.
    pub further_stores: BTreeSet<String>,
    /// `--listen`; a free port of the loopback interface by default.
    pub listen: SocketAddr,
    /// Time-outs of outbound requests, and roots to trust beside the public ones; its allow-list is not used.
    pub outbound: OutboundConfig,
    /// A component in place of the manifest's `source`.
    pub source: Option<PathBuf>,
}

impl SpinOptions {
    /// The defaults for a manifest.
    #[must_use]
    pub fn new(manifest: impl Into<PathBuf>) -> Self {
        Self {
            manifest: manifest.into(),
            variables: BTreeMap::new(),
            key_values: BTreeMap::new(),
            further_stores: BTreeSet::new(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            outbound: OutboundConfig::default(),
            source: None,
        }
    }
}

/// A running application.
pub struct SpinHarness {
    server: Server,
    imports: Arc<SpinImports>,
}

impl SpinHarness {
    /// Reads the manifest, checks all that Spin checks, and serves its one HTTP component.
    ///
    /// # Errors
    /// See [`SpinError`].
    pub async fn start(options: SpinOptions) -> Result<Self, SpinError> {
        let mut manifest = Manifest::read(&options.manifest)?;
        let (name, component) = served(&options.manifest, &mut manifest)?;
        let resolved = Resolved::new(&manifest.variables, &options.variables)?;
        let allowed = allowed_hosts(&component, &resolved)?;
        let imports = Arc::new(imports(&name, &component, &resolved, &options)?);
        let source = options.source.clone().unwrap_or_else(|| {
            let folder = options.manifest.parent().unwrap_or(Path::new(""));
            folder.join(&component.source)
        });
        let policy = move |uri: &http::Uri| allowed.iter().any(|entry| entry.allows(uri));
        let outbound = Outbound::with_policy(&options.outbound, Arc::new(policy))
            .map_err(|error| unloadable(&name, error.into()))?;
        let platform = Platform::Spin(Arc::clone(&imports));
        let loading = tokio::task::spawn_blocking(move || {
            Skill::on_platform(&ComponentSource::File(source), limits(), platform, outbound)
        });
        let skill = loading
            .await
            .map_err(|error| LoadError::Component(error.to_string()))
            .flatten()
            .map_err(|error| unloadable(&name, error))?;
        let listener = listen(options.listen).await?;
        let ours = |trigger: &HttpTrigger| trigger.component == name;
        let triggers = manifest.trigger.http.into_iter().filter(ours);
        let gate = gate(triggers.map(|trigger| trigger.route).collect());
        let server = Server::run(skill, listener, Duration::from_secs(10), gate)?;
        Ok(Self { server, imports })
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// A key-value store, by its label.
    #[must_use]
    pub fn store(&self, label: &str) -> Option<&KeyValueStore> {
        self.imports.stores.get(label)
    }

    /// Ends it. Spin itself has no drain: it would drop the work that goes on after replies.
    pub async fn shutdown(self) -> bool {
        self.server.shutdown().await
    }
}

/// Akamai's limits, the strictest.
fn limits() -> EngineConfig {
    EngineConfig {
        memory: 128 << 20,
        deadline: Duration::from_secs(30),
        after_reply: Duration::from_secs(30),
        ..EngineConfig::default()
    }
}

fn unloadable(component: &str, error: LoadError) -> SpinError {
    SpinError::Component {
        component: component.to_owned(),
        error,
    }
}

fn served(path: &Path, manifest: &mut Manifest) -> Result<(String, Component), SpinError> {
    let refused = |reason: &str| SpinError::Manifest {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let triggers = &manifest.trigger.http;
    let first = triggers
        .first()
        .ok_or_else(|| refused("there is no [[trigger.http]]"))?;
    let name = first.component.clone();
    if triggers.iter().any(|trigger| trigger.component != name) {
        return Err(refused("this harness serves one component"));
    }
    let component = manifest.component.remove(&name);
    let component = component.ok_or_else(|| refused("the component is not there"))?;
    Ok((name, component))
}

fn allowed_hosts(
    component: &Component,
    resolved: &Resolved,
) -> Result<Vec<AllowedHost>, SpinError> {
    let entries = component.allowed_outbound_hosts.iter();
    let parse = |entry: &String| {
        let filled = resolved.fill(entry)?;
        AllowedHost::parse(&filled).map_err(SpinError::AllowedHosts)
    };
    entries.map(parse).collect()
}

fn imports(
    name: &str,
    component: &Component,
    resolved: &Resolved,
    options: &SpinOptions,
) -> Result<SpinImports, SpinError> {
    let mut variables = BTreeMap::new();
    for (variable, template) in &component.variables {
        check_name(variable)?;
        variables.insert(variable.clone(), resolved.fill(template)?);
    }
    let labels = options.further_stores.iter().map(String::as_str);
    let stores: BTreeMap<String, KeyValueStore> = std::iter::once("default")
        .chain(labels)
        .map(|label| (label.to_owned(), KeyValueStore::default()))
        .collect();
    let granted: BTreeSet<String> = component.key_value_stores.iter().cloned().collect();
    if let Some(label) = granted.iter().find(|label| !stores.contains_key(*label)) {
        return Err(SpinError::StoreLabel {
            label: label.clone(),
            component: name.to_owned(),
        });
    }
    if let Some(default) = stores.get("default") {
        for (key, value) in &options.key_values {
            default.set(key, value).map_err(|reason| SpinError::Entry {
                key: key.clone(),
                reason,
            })?;
        }
    }
    Ok(SpinImports {
        component: name.to_owned(),
        variables,
        granted,
        stores,
    })
}
