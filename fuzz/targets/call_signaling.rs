//! Messages of Alexa.Comms.CallSignaling.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall_protocol::fuzz::signaling(data));
