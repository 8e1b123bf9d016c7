//! The typed SIP headers (RFC 3261 §20).
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall_sip::fuzz::headers(data));
