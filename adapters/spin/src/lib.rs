//! Gives the skill's `state` and `settings` imports from Spin's key-value store and variables.
#![cfg(target_arch = "wasm32")]
