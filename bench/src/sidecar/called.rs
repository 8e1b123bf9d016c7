//! Whom SIPp calls: the sidecar, or a peer that is measured beside it.

use std::net::SocketAddr;

use super::process::Sidecar;
use super::usage::{Usage, resident_of_tree};

/// A server that takes calls.
pub(super) trait Called {
    /// Where it takes SIP.
    fn address(&self) -> SocketAddr;

    /// The process whose use is counted, with its children.
    fn process(&self) -> u32;

    /// More about a run, for whoever watches.
    fn note(&self) -> String {
        String::new()
    }

    /// What it has used up to now.
    fn used(&self) -> anyhow::Result<Usage> {
        Usage::of_tree(self.process())
    }

    /// Its resident memory now, in bytes.
    fn memory(&self) -> anyhow::Result<u64> {
        resident_of_tree(self.process())
    }
}

impl Called for Sidecar {
    fn address(&self) -> SocketAddr {
        self.called
    }

    fn process(&self) -> u32 {
        self.pid()
    }

    fn note(&self) -> String {
        self.figures().map_or_else(
            |error| format!(", {error}"),
            |figures| format!(", trace records dropped: {}", figures.get("traceDropped")),
        )
    }
}
