//! Call plans in TOML.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall_plan::fuzz::source(data));
