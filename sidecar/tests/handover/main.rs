//! A newer sidecar takes the place of the one that runs: no call is lost, none is refused, and the older one ends by itself.

#[path = "../support/mod.rs"]
mod support;

mod api;
mod by_hand;
mod calls;
mod control;
mod installation;
mod killed;
mod messages;
mod phones;
mod refused;
mod registrars;

use std::time::Duration;

/// Calls that go on while the process changes.
const CALLS: u32 = 40;
/// Packets that reach each end while something happens: two seconds' worth.
const HEARD: u64 = 100;
/// What the application plays, and phones say.
const PROMPT: f64 = 500.0;
/// A process ends with its last call's last transaction: 64·T1, and what a busy machine takes.
const ENDS: Duration = Duration::from_secs(100);

/// One at a time: each of them waits for what has to be there within seconds. Not while nothing but an end is waited for.
static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
