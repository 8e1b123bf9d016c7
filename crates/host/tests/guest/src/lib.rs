//! A component that does what a request's path says, with the text behind `?` as its argument: everything
//! that a host must bear of a guest.

#[cfg(target_arch = "wasm32")]
mod component;
