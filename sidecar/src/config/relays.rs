//! `[gateway]`'s STUN and TURN servers.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{SecretError, SidecarConfig, secrets};

/// A TURN server, and who we are there (RFC 8656; long-term credentials, RFC 8489 §9.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TurnConfig {
    /// Its `HOST:PORT` for UDP; a name is looked up at start.
    pub server: String,
    /// Our name there.
    pub username: String,
    /// File with our password (mode 0600).
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub password_file: PathBuf,
}

/// Whether it is `HOST:PORT`.
pub(super) fn is_server(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        !bare.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0)
    })
}

impl TurnConfig {
    /// Our password there.
    ///
    /// # Errors
    /// Its file cannot be read, or others can.
    pub(crate) fn password(&self, config: &SidecarConfig) -> Result<String, SecretError> {
        secrets::password(config, &self.password_file)
    }
}
