//! The Alexa service and a device with a voice, as exact as the facts allow.

#![forbid(unsafe_code)]

pub mod authority;
pub mod customer;
pub mod model;
pub mod tokens;
pub mod trouble;
