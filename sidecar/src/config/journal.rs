//! `[journal]`: what a restarted sidecar needs to take leave of the calls that it left.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The dialog journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct JournalConfig {
    /// Whether it is written; default true. Without it the calls of a sidecar that was killed are not ended by the next.
    pub enabled: bool,
    /// Its folder, this sidecar's alone; default `journal`.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub folder: PathBuf,
    /// Bound of its file, in bytes, after which it is written anew with the calls that run; default 16 MiB.
    pub max_bytes: u64,
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            folder: PathBuf::from("journal"),
            max_bytes: 16 << 20,
        }
    }
}
