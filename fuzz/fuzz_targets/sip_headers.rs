//! `skillcall_sip::fuzz::headers` under libFuzzer. Good seeds: `crates/sip/tests/rfc4475`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall_sip::fuzz::headers(data));
