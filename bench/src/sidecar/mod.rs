//! The sidecar's figures: a release process of its own on the first core, its load on the others.

mod bridged;
mod calls;
mod control;
pub(crate) mod cores;
mod first_packet;
mod handler;
mod memory;
mod overload;
mod parties;
mod playing;
mod process;
mod rtp;
mod sipp;
pub(crate) mod usage;

pub(crate) use bridged::measure as bridged;
pub(crate) use calls::measure as calls;
pub(crate) use first_packet::measure as first_packet;
pub(crate) use memory::measure as memory;
pub(crate) use overload::measure as overload;
pub(crate) use playing::{conference, prompts, recordings};
