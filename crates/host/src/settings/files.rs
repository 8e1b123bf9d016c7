//! Settings from `host.toml`, the files that it names, and the environment.

use super::{FileFault, SettingName, Settings, SettingsError, WatchedFile};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use std::collections::BTreeMap;

/// Where a setting comes from, if the environment does not give it.
pub enum Source {
    /// The text in the configuration itself.
    Literal(String),
    /// A file; as text, white space at its end is left out.
    File(WatchedFile),
}

/// Looks up an environment variable.
type Environment = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Settings by name. `SKILLCALL_<NAME>` in the environment wins; there, bytes are base64.
/// A variable that is set to nothing counts as not set.
pub struct FileSettings {
    sources: BTreeMap<SettingName, Source>,
    environment: Environment,
}

impl FileSettings {
    /// Settings from `sources` and the process's environment.
    #[must_use]
    pub fn new(sources: BTreeMap<SettingName, Source>) -> Self {
        Self::with_environment(sources, |name| std::env::var(name).ok())
    }

    /// The same with another environment.
    #[must_use]
    pub fn with_environment(
        sources: BTreeMap<SettingName, Source>,
        environment: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            sources,
            environment: Box::new(environment),
        }
    }

    /// Sets or replaces the source of `name`.
    pub fn insert(&mut self, name: SettingName, source: Source) {
        self.sources.insert(name, source);
    }

    /// The names that have a source; those that only the environment gives are not among them.
    pub fn names(&self) -> impl Iterator<Item = &SettingName> {
        self.sources.keys()
    }

    /// Every file that cannot be used as it is, by the setting that names it.
    #[must_use]
    pub fn faults(&self) -> Vec<(SettingName, FileFault)> {
        let fault = |(name, source): (&SettingName, &Source)| match source {
            Source::File(file) if self.variable(name).is_none() => {
                file.bytes().err().map(|fault| (name.clone(), fault))
            }
            _ => None,
        };
        self.sources.iter().filter_map(fault).collect()
    }

    fn variable(&self, name: &SettingName) -> Option<String> {
        (self.environment)(&name.variable()).filter(|value| !value.is_empty())
    }
}

impl Settings for FileSettings {
    fn get(&self, name: &SettingName) -> Result<Option<String>, SettingsError> {
        if let Some(value) = self.variable(name) {
            return Ok(Some(value));
        }
        match self.sources.get(name) {
            None => Ok(None),
            Some(Source::Literal(text)) => Ok(Some(text.clone())),
            Some(Source::File(file)) => {
                let bytes = file.bytes().map_err(unavailable)?;
                let text = std::str::from_utf8(&bytes).map_err(|error| {
                    let path = file.path().display();
                    SettingsError::Unavailable(format!("{path} is not UTF-8: {error}"))
                })?;
                Ok(Some(text.trim_end().to_owned()))
            }
        }
    }

    fn get_bytes(&self, name: &SettingName) -> Result<Option<Bytes>, SettingsError> {
        if let Some(value) = self.variable(name) {
            return decode(&value, &name.variable()).map(Some);
        }
        match self.sources.get(name) {
            None => Ok(None),
            Some(Source::Literal(text)) => decode(text, name.as_str()).map(Some),
            Some(Source::File(file)) => file.bytes().map(Some).map_err(unavailable),
        }
    }
}

fn decode(text: &str, what: &str) -> Result<Bytes, SettingsError> {
    STANDARD
        .decode(text.trim())
        .map(Bytes::from)
        .map_err(|error| SettingsError::Unavailable(format!("{what} is not base64: {error}")))
}

fn unavailable(fault: FileFault) -> SettingsError {
    SettingsError::Unavailable(fault.to_string())
}
