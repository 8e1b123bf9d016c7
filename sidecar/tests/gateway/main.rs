//! Calls between Alexa devices and phones.

#[path = "../support/mod.rs"]
mod support;

mod calls;
mod codecs;
mod echo_to_pbx;
mod faults;
mod pjsip;
mod relays;
mod ways;
