//! `[tls]`: certificates for SIP over TLS and secure WebSocket.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Who we are, and whom we trust. The files are read at the start and at each reload; live connections stay.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct TlsConfig {
    /// PEM file of our certificate and those that lead to its root; needed for `tls:` and `wss:` listeners. Peers that
    /// we call are shown it, too, when they ask.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub certificate: Option<PathBuf>,
    /// PEM file of the certificate's private key, mode 0600.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub key_file: Option<PathBuf>,
    /// PEM file of the roots that certificates of peers we call lead to; default: the system's.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub trusted: Option<PathBuf>,
    /// PEM file of the roots that certificates of calling peers lead to (mutual TLS); default: none is asked for.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub clients: Option<PathBuf>,
    /// Whether a calling peer without a certificate is turned away; default false.
    pub require_client_certificate: bool,
}
