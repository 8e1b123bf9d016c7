#![doc = include_str!("lib.md")]
#![forbid(unsafe_code)]

pub mod message;
