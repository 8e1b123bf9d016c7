//! `[hep]`: SIP messages for a collector.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// HEP version 3, as Homer and other collectors take it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct HepConfig {
    /// UDP address and port of the collector; default: none, and nothing is sent. Messages are sent whole, with their
    /// numbers.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub collector: Option<SocketAddr>,
    /// Number by which the collector knows this sidecar; default 2001.
    pub agent_id: u32,
}

impl Default for HepConfig {
    fn default() -> Self {
        Self {
            collector: None,
            agent_id: 2001,
        }
    }
}
