//! Requests of a custom skill (facts A1, A2).
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall_protocol::fuzz::envelope(data));
