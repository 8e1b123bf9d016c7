//! Spin's rules without Spin: runs the component that is composed for Spin, and enforces what Spin does,
//! all of it read from `spin.toml`.
//!
//! Taken from Spin 4.1's own sources (the crates `manifest`, `loader`, `expressions`,
//! `outbound-networking-config`, `factor-key-value`), whose messages are kept where there are any:
//! - the manifest's shape; variables are `required` or have a `default`; names; templates;
//! - a required variable without a value stops the start, also a secret one;
//! - the labels of key-value stores must be known, and a component opens those that it is granted;
//!   the sizes of keys and values are Akamai's, the strictest;
//! - outbound requests go to `allowed_outbound_hosts` only: scheme, host (`localhost` is not
//!   `127.0.0.1`) and port, a leading `*.` as the only wildcard, variables in templates;
//! - the component sees no `Host` header, gets the `spin-…` headers, and a header that is not UTF-8 is
//!   answered 500; 128 MiB of memory and 30 seconds a request, as on Akamai.
//!
//! What stands behind the imports is in memory, and shared by the requests of one harness.

mod allowed_hosts;
mod app;
mod gate;
mod imports;
mod key_value;
mod manifest;
mod variables;

pub use app::{SpinError, SpinHarness, SpinOptions};
pub use key_value::{KeyValueStore, MAX_STORED_KEY, MAX_STORED_VALUE};

pub(crate) use imports::{SpinImports, add_spin_to_linker};
