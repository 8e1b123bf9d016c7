//! SIP over a stream, however it is cut (RFC 3261 §18.3).
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall_sip::fuzz::stream(data));
