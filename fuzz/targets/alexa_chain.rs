//! Certificate chains in PEM (facts B).
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall::fuzz::certificate_chain(data));
