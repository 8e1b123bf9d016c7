//! Digits in RTP (RFC 4733 §2).
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall_media::fuzz::dtmf(data));
