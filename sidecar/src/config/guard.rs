//! `[guard]` and `[toll]`: protection from strangers, from floods and from fraud.

use serde::{Deserialize, Serialize};

/// What strangers get, and what one known source may take of all.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct GuardConfig {
    /// Calls at once of one known source (a network of `sources`, a registered phone); 0 (default): all of `[limits]
    /// calls` for a source that is the only one, else three quarters of them.
    pub source_calls: u32,
    /// New calls a second of one known source; 0 (default): as above, of `[limits] calls-per-second`.
    pub source_calls_per_second: u32,
    /// Answers a second that all strangers together get; the others get silence; default 20.
    pub stranger_answers_per_second: u32,
    /// Requests of a stranger within the window after which it is banned; 0: never; default 20.
    pub ban_after: u32,
    /// Seconds of the window, which counts for up to twice as long; default 60.
    pub ban_window_seconds: u32,
    /// Seconds of a first ban; each further one of the same host lasts twice as long, a day at most; default 600.
    pub ban_seconds: u32,
    /// Entries of each table that strangers can fill, at least 1024; default 65536.
    pub table: u32,
    /// What the User-Agent of a stranger begins with that is banned at its first message.
    pub scanners: Vec<String>,
}

impl Default for GuardConfig {
    fn default() -> Self {
        Self {
            source_calls: 0,
            source_calls_per_second: 0,
            stranger_answers_per_second: 20,
            ban_after: 20,
            ban_window_seconds: 60,
            ban_seconds: 600,
            table: 65_536,
            scanners: [
                "friendly-scanner",
                "friendly-request",
                "sipvicious",
                "sipcli",
                "sip-scan",
                "sipsak",
                "sundayddr",
                "iWar",
                "VaxSIPUserAgent",
                "pplsip",
                "smap",
                "sipptk",
            ]
            .map(String::from)
            .to_vec(),
        }
    }
}

/// How many outgoing calls somebody may cause.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct TollConfig {
    /// Outgoing calls within an hour that the calls of one known source cause; for calls that are made through the API
    /// the application is the source. 0 (default): no limit.
    pub calls_per_source_and_hour: u32,
    /// The same for one caller of a source: the user part of From. 0 (default): no limit.
    pub calls_per_caller_and_hour: u32,
}
