//! SIP messages (RFC 3261 §7).
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall_sip::fuzz::message(data));
