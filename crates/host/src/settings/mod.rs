//! The settings of the installation: the interface `skillcall:host/settings`.
//!
//! [`Settings`] is the trait that the host calls at each read; [`FileSettings`] answers from `host.toml`,
//! from the files that it names, and from the environment.

mod files;
mod name;
mod watched;

pub use files::{FileSettings, Source};
pub use name::{KNOWN, Known, SettingName};
pub use watched::{FileFault, WatchedFile};

use bytes::Bytes;

/// Why a setting could not be read (`skillcall:host/settings.error`). An absent setting is no error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The source of the settings cannot be reached; the text is for the log.
    #[error("settings are unavailable: {0}")]
    Unavailable(String),
    /// The name is not lower-case letters, digits and underscores.
    #[error("a setting's name has lower-case letters, digits and underscores")]
    BadName,
}

/// Gives settings, anew at each call, so that a change is taken up without a restart. Implementations
/// answer in microseconds: the host calls them on its asynchronous threads.
pub trait Settings: Send + Sync + 'static {
    /// A setting as text; none when it is not set.
    ///
    /// # Errors
    /// [`SettingsError::Unavailable`].
    fn get(&self, name: &SettingName) -> Result<Option<String>, SettingsError>;

    /// A setting as bytes; none when it is not set.
    ///
    /// # Errors
    /// [`SettingsError::Unavailable`].
    fn get_bytes(&self, name: &SettingName) -> Result<Option<Bytes>, SettingsError>;
}
