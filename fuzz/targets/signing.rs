//! Signed requests and replies between the parts.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall_protocol::fuzz::signing(data));
