//! Offers and answers (RFC 3264).
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall_sip::fuzz::sdp(data));
