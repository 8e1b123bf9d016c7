//! Time stamps of requests (facts B).
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall_protocol::fuzz::freshness(data));
