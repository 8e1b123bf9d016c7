//! `[handover]`: a newer process takes the place of the one that runs, without losing a call.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Hand-over for upgrades.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct HandoverConfig {
    /// Unix socket by which a process that starts takes over from the one that runs, readable by its owner alone; default:
    /// none, and a process that starts finds its addresses taken.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub socket: Option<PathBuf>,
    /// Seconds that the calls of the process that was taken over from may go on; then they get a BYE; default 0: no limit.
    pub stay_seconds: u32,
}
