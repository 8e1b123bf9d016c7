//! The jitter buffer: packets in any order.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall_media::fuzz::jitter(data));
