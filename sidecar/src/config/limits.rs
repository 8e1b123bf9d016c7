//! `[limits]`.

use serde::{Deserialize, Serialize};

/// Limits of the whole process: every table that a stranger can fill has a bound.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct LimitsConfig {
    /// Calls at once; one more gets 503 with Retry-After; default 2000.
    pub calls: u32,
    /// New calls a second; more get 503 with Retry-After; default 500.
    pub calls_per_second: u32,
    /// Media threads; 0 (default): one fewer than there are cores, at least one.
    pub workers: u16,
    /// Seconds a call may last, after which it is hung up; default 14400.
    pub call_seconds: u32,
    /// Seconds that a call made through the API may ring; default 60.
    pub ring_seconds: u32,
    /// Seconds that running calls get at shutdown before they are hung up; default 10.
    pub shutdown_seconds: u16,
    /// Client session ids remembered, so that each makes one call only; default 100000.
    pub sessions: u32,
    /// Seconds a client session id is remembered; default 3600.
    pub session_seconds: u32,
    /// SIP messages that may wait for a worker; more are dropped, and a new INVITE gets 503;
    /// default 4096.
    pub queue: u32,
    /// TCP connections at once; default 1024.
    pub connections: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            calls: 2000,
            calls_per_second: 500,
            workers: 0,
            call_seconds: 14_400,
            ring_seconds: 60,
            shutdown_seconds: 10,
            sessions: 100_000,
            session_seconds: 3600,
            queue: 4096,
            connections: 1024,
        }
    }
}

impl LimitsConfig {
    /// How many media threads to start.
    pub fn worker_count(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, |n| (n.get() - 1).max(1)),
            // The worker's number stands as two hexadecimal digits in branches and Call-IDs.
            n => usize::from(n.min(250)),
        }
        .min(250)
    }
}
