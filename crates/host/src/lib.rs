//! A small [wasmtime] host for the skillcall component: the embedded default for people without Spin,
//! the harness of the tests, and the example for embedders.
//!
//! - [`Server`] serves the component over HTTP as [`HostConfig`] says: each request gets an instance of
//!   its own from a pool, with a deadline and a memory limit; work that goes on after the reply is waited
//!   for when the server stops.
//! - [`Skill`] is the component without the server: HTTP requests by [`Skill::serve`], and its typed
//!   exports by [`Skill::handle`], [`Skill::handle_trusted`] and [`Skill::decide`].
//! - [`state`] and [`settings`] are the host's side of `skillcall:host`; both are traits, so that an
//!   embedder can bring its own.
//! - [`spin_harness`] runs the component that is composed for Spin under Spin's rules, read from
//!   `spin.toml`, without Spin; [`spin_manifest`] makes the `spin.toml` of an installation.
//!
//! ```no_run
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let config = skillcall_host::HostConfig::read("host.toml")?;
//! let server = skillcall_host::Server::start(config).await?;
//! println!("http://{}", server.address());
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod bindings;
mod compiled;
pub mod config;
mod engine;
mod guest_log;
mod instance;
pub mod outbound;
mod problem;
mod server;
pub mod settings;
mod skill;
pub mod spin_harness;
pub mod spin_manifest;
pub mod state;

/// The types of the component's interface `skillcall:skill/call-flow`.
pub use bindings::exports::skillcall::skill::call_flow;
/// The types of the component's interface `skillcall:skill/skill-requests`.
pub use bindings::exports::skillcall::skill::skill_requests;
pub use config::{ComponentSource, ConfigError, Host, HostConfig, StateConfig};
pub use engine::EngineConfig;
pub use server::{Server, StartError};
pub use skill::{LoadError, ServeError, Skill};
