//! Offers and answers in a row, with keys and hold (RFC 3264, RFC 4568).
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall_sip::fuzz::offer(data));
