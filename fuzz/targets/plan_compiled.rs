//! Compiled call plans.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall_plan::fuzz::compiled_plan(data));
