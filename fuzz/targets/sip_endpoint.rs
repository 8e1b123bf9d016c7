//! An endpoint in conversation with anybody.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall_sip::fuzz::endpoint(data));
