//! What answers calls: handlers and their actions, bots, scenarios, the control plane, stores, telemetry.

#[path = "../support/mod.rs"]
mod support;

mod bot;
mod control_plane;
mod handlers;
mod scenarios;
mod schema;
mod sma;
mod storage;
mod telemetry;
mod voice_focus;
