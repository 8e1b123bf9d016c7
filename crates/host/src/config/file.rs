//! `host.toml`.
//!
//! ```toml
//! listen = "127.0.0.1:3000"      # port 0: a free one
//! public = false                 # true: an address other than loopback is allowed
//! component = "skillcall.wasm"
//! code_cache = "state/code"      # compiled code for the next start; "": it is compiled each time
//! drain_seconds = 10             # wait at the stop for work that still runs
//!
//! [limits]
//! deadline_seconds = 10          # a request's time until its reply
//! after_reply_seconds = 30       # and the time for work after it
//! memory_mib = 64                # an instance's memory
//! concurrency = 64               # instances at once
//! queue_wait_ms = 2000           # the wait for a free one, then 503
//! wasm_stack_kib = 512
//!
//! [state]
//! file = "state/skill.redb"      # absent: in memory
//! max_entries = 100000
//! max_mib = 64
//!
//! [outbound]
//! allow = ["https://api.amazonalexa.com"]   # absent: any origin
//! connect_ms = 2000
//! first_byte_ms = 7000
//! roots_file = "ca.pem"          # certificates trusted beside the public ones
//!
//! [settings]                     # the component's; NAME_file names a file that holds the value
//! plan_file = "state/plan.bin"
//! sidecar_keys_file = "secrets/sidecar.key"
//! sidecar_url = "http://127.0.0.1:7080"
//! ```

use super::{ComponentSource, ConfigError, DEFAULT_LISTEN, HostConfig, StateConfig};
use crate::engine::EngineConfig;
use crate::outbound::{Origin, OutboundConfig};
use crate::settings::{FileSettings, KNOWN, SettingName, Source, WatchedFile};
use crate::state::Bounds;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use toml::Spanned;

/// What `host.toml` says, with settings that are still open to further sources.
pub struct Host {
    /// Everything but the settings.
    pub config: HostConfig,
    /// The settings.
    pub settings: FileSettings,
    /// What is odd, but no error: settings that the component does not know.
    pub warnings: Vec<ConfigError>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    listen: Option<Spanned<String>>,
    public: Option<bool>,
    component: Option<PathBuf>,
    code_cache: Option<PathBuf>,
    drain_seconds: Option<Spanned<u64>>,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    state: StateTable,
    #[serde(default)]
    outbound: OutboundTable,
    #[serde(default)]
    settings: BTreeMap<Spanned<String>, Spanned<toml::Value>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Limits {
    deadline_seconds: Option<Spanned<u64>>,
    after_reply_seconds: Option<Spanned<u64>>,
    memory_mib: Option<Spanned<u64>>,
    concurrency: Option<Spanned<u64>>,
    queue_wait_ms: Option<Spanned<u64>>,
    wasm_stack_kib: Option<Spanned<u64>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct StateTable {
    file: Option<PathBuf>,
    max_entries: Option<Spanned<u64>>,
    max_mib: Option<Spanned<u64>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct OutboundTable {
    allow: Option<Vec<Spanned<String>>>,
    connect_ms: Option<Spanned<u64>>,
    first_byte_ms: Option<Spanned<u64>>,
    roots_file: Option<Spanned<PathBuf>>,
}

impl Host {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// See [`HostConfig::read`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|error| {
            ConfigError::whole(path, error.to_string(), "`skillcall init` writes one")
        })?;
        Self::parse(path, &text)
    }

    /// Reads `text` as if it stood in the file at `path`.
    ///
    /// # Errors
    /// See [`HostConfig::read`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let raw: Raw =
            toml::from_str(text).map_err(|error| ConfigError::syntax(path, text, &error))?;
        let reader = Reader {
            path,
            text,
            folder: path.parent().unwrap_or(Path::new("")),
        };
        reader.host(raw)
    }

    /// The configuration with its settings closed.
    #[must_use]
    pub fn into_config(self) -> HostConfig {
        HostConfig {
            settings: Arc::new(self.settings),
            ..self.config
        }
    }
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    folder: &'a Path,
}

impl Reader<'_> {
    fn host(&self, raw: Raw) -> Result<Host, ConfigError> {
        let (settings, warnings) = self.settings(raw.settings)?;
        let component = raw.component.unwrap_or_else(|| "skillcall.wasm".into());
        let public = raw.public.unwrap_or(false);
        let config = HostConfig {
            listen: self.listen(raw.listen, public)?,
            public,
            component: ComponentSource::File(self.folder.join(component)),
            engine: self.engine(&raw.limits, raw.code_cache)?,
            state: self.state(raw.state)?,
            settings: Arc::new(FileSettings::new(BTreeMap::new())),
            outbound: self.outbound(raw.outbound)?,
            drain: Duration::from_secs(self.number(&raw.drain_seconds, 10, 0..=600)?),
        };
        Ok(Host {
            config,
            settings,
            warnings,
        })
    }

    fn listen(
        &self,
        listen: Option<Spanned<String>>,
        public: bool,
    ) -> Result<SocketAddr, ConfigError> {
        let Some(listen) = listen else {
            return Ok(DEFAULT_LISTEN);
        };
        let address: SocketAddr = listen.get_ref().parse().map_err(|_| {
            let message = format!("{:?} is no address with a port", listen.get_ref());
            self.at(&listen, message, "write it as \"127.0.0.1:3000\"")
        })?;
        if !address.ip().is_loopback() && !public {
            let message = format!("{address} can be reached from outside this machine");
            return Err(self.at(
                &listen,
                message,
                "put TLS in front of a loopback address, or set public = true if you mean it",
            ));
        }
        Ok(address)
    }

    fn engine(
        &self,
        limits: &Limits,
        code_cache: Option<PathBuf>,
    ) -> Result<EngineConfig, ConfigError> {
        let code_cache = code_cache.unwrap_or_else(|| "state/code".into());
        let default = EngineConfig::default();
        let mib = self.number(&limits.memory_mib, 64, 1..=4096)?;
        let kib = self.number(&limits.wasm_stack_kib, 512, 64..=8192)?;
        let concurrency = self.number(&limits.concurrency, 64, 1..=1000)?;
        Ok(EngineConfig {
            deadline: Duration::from_secs(self.number(&limits.deadline_seconds, 10, 1..=600)?),
            after_reply: Duration::from_secs(self.number(
                &limits.after_reply_seconds,
                30,
                0..=600,
            )?),
            memory: usize::try_from(mib << 20).unwrap_or(default.memory),
            concurrency: u32::try_from(concurrency).unwrap_or(default.concurrency),
            queue_wait: Duration::from_millis(self.number(
                &limits.queue_wait_ms,
                2000,
                0..=60_000,
            )?),
            wasm_stack: usize::try_from(kib << 10).unwrap_or(default.wasm_stack),
            code_cache: (!code_cache.as_os_str().is_empty()).then(|| self.folder.join(code_cache)),
        })
    }

    fn state(&self, state: StateTable) -> Result<StateConfig, ConfigError> {
        let entries = self.number(&state.max_entries, 100_000, 1..=10_000_000)?;
        let mib = self.number(&state.max_mib, 64, 1..=16_384)?;
        let bounds = Bounds {
            entries: usize::try_from(entries).unwrap_or(usize::MAX),
            bytes: usize::try_from(mib << 20).unwrap_or(usize::MAX),
        };
        Ok(match state.file {
            Some(file) => StateConfig::File(self.folder.join(file), bounds),
            None => StateConfig::Memory(bounds),
        })
    }

    fn outbound(&self, outbound: OutboundTable) -> Result<OutboundConfig, ConfigError> {
        let allow = |allow: Vec<Spanned<String>>| {
            let origin = |text: Spanned<String>| {
                Origin::parse(text.get_ref()).map_err(|error| {
                    let remedy = "write scheme, host and port, as \"https://api.example.com\"";
                    self.at(&text, error.to_string(), remedy)
                })
            };
            allow.into_iter().map(origin).collect::<Result<Vec<_>, _>>()
        };
        Ok(OutboundConfig {
            allow: outbound.allow.map(allow).transpose()?,
            connect: Duration::from_millis(self.number(&outbound.connect_ms, 2000, 1..=60_000)?),
            first_byte: Duration::from_millis(self.number(
                &outbound.first_byte_ms,
                7000,
                1..=600_000,
            )?),
            extra_roots: self.roots(outbound.roots_file)?,
        })
    }

    fn roots(
        &self,
        file: Option<Spanned<PathBuf>>,
    ) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
        let Some(file) = file else {
            return Ok(Vec::new());
        };
        let path = self.folder.join(file.get_ref());
        let roots = CertificateDer::pem_file_iter(&path)
            .and_then(|certificates| certificates.collect::<Result<Vec<_>, _>>());
        match roots {
            Ok(roots) if !roots.is_empty() => Ok(roots),
            Ok(_) => Err(format!("{} holds no certificate", path.display())),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
        .map_err(|message| self.at(&file, message, "name a file of PEM certificates"))
    }

    fn settings(
        &self,
        table: BTreeMap<Spanned<String>, Spanned<toml::Value>>,
    ) -> Result<(FileSettings, Vec<ConfigError>), ConfigError> {
        let mut sources = BTreeMap::new();
        let mut warnings = Vec::new();
        for (key, value) in table {
            let (name, is_file) = match key.get_ref().strip_suffix("_file") {
                Some(name) => (name, true),
                None => (key.get_ref().as_str(), false),
            };
            let name = SettingName::new(name)
                .map_err(|error| self.at(&key, error.to_string(), "rename it"))?;
            if !KNOWN.iter().any(|known| known.name == name.as_str()) {
                let names: Vec<_> = KNOWN.iter().map(|known| known.name).collect();
                let remedy = format!("the component's settings are: {}", names.join(", "));
                let message = format!(
                    "the component knows no setting {name:?}",
                    name = name.as_str()
                );
                warnings.push(self.at(&key, message, &remedy));
            }
            let source = self.source(&name, &value, is_file)?;
            if sources.insert(name.clone(), source).is_some() {
                let message = format!("{name} and {name}_file are both set");
                return Err(self.at(&key, message, "keep one of them"));
            }
        }
        let settings = FileSettings::new(sources);
        Ok((settings, warnings))
    }

    fn source(
        &self,
        name: &SettingName,
        value: &Spanned<toml::Value>,
        is_file: bool,
    ) -> Result<Source, ConfigError> {
        let text = match value.get_ref() {
            toml::Value::String(text) => text.clone(),
            toml::Value::Integer(number) if !is_file => number.to_string(),
            other => {
                let message = format!("{name} is a {}", other.type_str());
                return Err(self.at(value, message, "write it as a string in quotes"));
            }
        };
        if is_file {
            let path = self.folder.join(text);
            return Ok(Source::File(WatchedFile::new(path, name.is_secret())));
        }
        if name.is_secret() {
            let remedy = format!(
                "put it into a file of mode 0600 and write {name}_file = \"that file\", or set {}",
                name.variable()
            );
            let message = format!("{name} is a secret, and secrets do not stand in this file");
            return Err(self.at(value, message, &remedy));
        }
        Ok(Source::Literal(text))
    }

    fn number(
        &self,
        value: &Option<Spanned<u64>>,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> Result<u64, ConfigError> {
        match value {
            None => Ok(default),
            Some(value) if range.contains(value.get_ref()) => Ok(*value.get_ref()),
            Some(value) => {
                let message = format!("{} is out of range", value.get_ref());
                let remedy = format!("{} to {} are allowed", range.start(), range.end());
                Err(self.at(value, message, &remedy))
            }
        }
    }

    fn at<T>(&self, what: &Spanned<T>, message: impl Into<String>, remedy: &str) -> ConfigError {
        let remedy = Some(remedy.to_owned());
        ConfigError::at(self.path, self.text, &what.span(), message, remedy)
    }
}
