//! `[dns]`: who looks names up.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Name servers for the names of trunks, routes and peers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct DnsConfig {
    /// Addresses of name servers, `192.0.2.53:53`; default: the system's.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub servers: Vec<SocketAddr>,
    /// Milliseconds that one server has for one question; default 2000.
    pub timeout_ms: u32,
}

impl Default for DnsConfig {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            timeout_ms: 2000,
        }
    }
}
