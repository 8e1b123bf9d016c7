//! What the host is told at its start: [`HostConfig`], in code or from `host.toml`.

mod file;
mod position;

pub use file::Host;
pub use position::ConfigError;

use crate::engine::EngineConfig;
use crate::outbound::OutboundConfig;
use crate::settings::Settings;
use crate::state::Bounds;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The default address: port 3000 of the loopback interface.
pub const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 3000);

/// Where the component comes from.
#[derive(Clone)]
pub enum ComponentSource {
    /// A `.wasm` file.
    File(PathBuf),
    /// The bytes of one.
    Bytes(Arc<[u8]>),
}

impl From<PathBuf> for ComponentSource {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

impl From<&std::path::Path> for ComponentSource {
    fn from(path: &std::path::Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl From<Vec<u8>> for ComponentSource {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

/// Where `state` is kept.
#[derive(Clone)]
pub enum StateConfig {
    /// In memory: it ends with the process.
    Memory(Bounds),
    /// In a file, which is made when it is not there.
    File(PathBuf, Bounds),
    /// In a store of the embedder's.
    Custom(Arc<dyn crate::state::State>),
}

/// What the host is told at its start. Every field may be changed after [`Self::new`].
#[derive(Clone)]
pub struct HostConfig {
    /// The address to listen on; port 0 takes a free one. [`DEFAULT_LISTEN`].
    pub listen: SocketAddr,
    /// Whether an address other than loopback is allowed. False.
    pub public: bool,
    /// The component.
    pub component: ComponentSource,
    /// How instances run and how many.
    pub engine: EngineConfig,
    /// Where `state` is kept. In memory.
    pub state: StateConfig,
    /// Where settings come from.
    pub settings: Arc<dyn Settings>,
    /// What the component may call, and how long that may take.
    pub outbound: OutboundConfig,
    /// The longest wait for requests and for work after replies when the server stops. 10 s.
    pub drain: Duration,
}

impl HostConfig {
    /// The defaults for `component` with `settings`.
    pub fn new(component: impl Into<ComponentSource>, settings: Arc<dyn Settings>) -> Self {
        Self {
            listen: DEFAULT_LISTEN,
            public: false,
            component: component.into(),
            engine: EngineConfig::default(),
            state: StateConfig::Memory(Bounds::default()),
            settings,
            outbound: OutboundConfig::default(),
            drain: Duration::from_secs(10),
        }
    }

    /// Reads `host.toml`. Paths in it are relative to its folder. Warnings go to the log;
    /// [`Host::read`] returns them, and leaves the settings open to further sources.
    ///
    /// # Errors
    /// [`ConfigError`] says file, line, column, what is wrong, and what would be right.
    pub fn read(path: impl AsRef<std::path::Path>) -> Result<Self, ConfigError> {
        let host = Host::read(path)?;
        for warning in &host.warnings {
            tracing::warn!("{warning}");
        }
        Ok(host.into_config())
    }
}
