//! Compound RTCP packets (RFC 3550 §6.1).
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall_media::fuzz::rtcp(data));
