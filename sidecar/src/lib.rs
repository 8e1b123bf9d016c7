//! The SIP media application: SIP and RTP, the action engine, the control API.
//!
//! A call comes in by SIP; the handler's URL is asked what to do (facts E, F), and its actions are carried out: speech,
//! files, digits, recordings, a bridge to another party. One thread takes SIP messages in ([`config`] says from whom);
//! each worker thread owns its calls whole, with their sockets and timers; tokio runs what is cold: HTTP, speech, files.
//!
//! ```text
//! let config = SidecarConfig::load(Path::new("sidecar.toml"))?;
//! let sidecar = Sidecar::start(config).await?;
//! println!("SIP on {:?}, control on {}", sidecar.sip_udp(), sidecar.control());
//! sidecar.shutdown().await;
//! ```

mod applications;
mod bot;
mod bridge;
pub mod bucket;
mod capture;
mod cdr;
pub mod config;
mod control;
mod datagram;
pub mod engine;
mod failure;
mod figures;
mod front;
mod gateway;
mod guard;
mod handler;
mod handover;
mod journal;
mod leg;
mod meetings;
mod metrics;
mod phones;
mod playback;
mod ports;
mod reachable;
mod recording;
mod resolve;
pub mod runner;
pub mod scenario;
mod sidecar;
pub mod speech;
mod telemetry;
mod tls;
mod trace;
mod trunks;
mod worker;

pub use config::{Finding, Severity, SidecarConfig, check};
pub use failure::ThreadFailed;
pub use figures::FiguresSnapshot;
pub use handler::HandlerError;
pub use handover::HandoverError;
pub use sidecar::{Reloaded, Sidecar, StartError};
pub use tls::TlsError;
pub use trace::TraceStore;
