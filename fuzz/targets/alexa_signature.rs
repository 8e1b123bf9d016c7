//! Signatures under any key (facts B).
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall::fuzz::signature(data));
