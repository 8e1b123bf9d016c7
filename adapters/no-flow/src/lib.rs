//! `skillcall:flow/custom-flow` for installations without a plug-in: the call plan decides each event.
//!
//! It stands in every instance of the skill, so it is built without the standard library: half the size, no imports,
//! and less to set up for a request.

#![cfg_attr(target_arch = "wasm32", no_std)]

#[cfg(target_arch = "wasm32")]
mod allocator;
#[cfg(target_arch = "wasm32")]
mod component;
