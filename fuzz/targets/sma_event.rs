//! Events of the SIP media application (facts E2, E3).
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall_protocol::fuzz::event(data));
