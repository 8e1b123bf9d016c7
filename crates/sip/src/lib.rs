#![doc = include_str!("lib.md")]
#![forbid(unsafe_code)]

pub mod auth;
pub mod dialog;
pub mod endpoint;
#[doc(hidden)]
pub mod fuzz;
pub mod headers;
pub mod message;
pub mod offer;
pub mod peek;
pub mod registration;
pub mod sdp;
pub mod transaction;
