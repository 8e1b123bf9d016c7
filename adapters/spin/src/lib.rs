//! The adapter for Spin: gives `skillcall:host/state` from Spin's key-value store `default`, and
//! `skillcall:host/settings` from the component's variables.
//!
//! Of Spin's stores only get, set and delete can be relied on: no backend expires keys, some report a
//! compare-and-swap that failed though it wrote, and some batches fail. So the expiry is kept in the
//! [value](entry), and a [claim](store::claim) is a write that is read back.
//!
//! | what | where |
//! |---|---|
//! | state | keys `skillcall/…` (long ones `skillcall-long/…`) in the store `default` |
//! | settings as text | the variable of the same name; an empty one counts as not set, because Spin wants a default for each variable that is not required |
//! | settings as bytes | the entry `settings/NAME` of the store `default`, or else the variable of that name in base64 |

pub mod entry;
pub mod setting;
pub mod store;

#[cfg(target_arch = "wasm32")]
mod component;
