//! A plug-in that decides calls: callers whom the house knows by number are put through without a menu.
//!
//! ```sh
//! cargo build --release --target wasm32-wasip2 -p skillcall-flow-rust
//! skillcall-compose compose skillcall-core.wasm skillcall_flow_rust.wasm -o skillcall.wasm
//! ```

#[cfg(target_arch = "wasm32")]
mod component;
mod house;

pub use house::extension;
