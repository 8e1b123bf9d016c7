//! Replies of handlers (facts F1 to F6).
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall_protocol::fuzz::reply(data));
