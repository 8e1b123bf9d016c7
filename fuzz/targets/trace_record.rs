//! Trace records.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall_protocol::fuzz::trace_record(data));
