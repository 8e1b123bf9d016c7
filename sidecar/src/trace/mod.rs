//! The trace: what crossed a border, kept as JSON lines, bounded in size and age, found by any id.
//!
//! Workers and handlers hand raw things to a bounded queue; a thread of its own makes records of
//! them (which redacts) and writes. When the queue is full, records are dropped and counted:
//! a trace must cost no call.

mod entry;
mod ids;
mod sampling;
mod search;
mod sink;
mod store;

pub(crate) use entry::HandlerExchange;
pub(crate) use ids::CallIds;
pub(crate) use sampling::Sampling;
pub(crate) use search::NotTaken;
pub use search::TraceStore;
pub(crate) use sink::TraceSink;
pub(crate) use store::Files;
