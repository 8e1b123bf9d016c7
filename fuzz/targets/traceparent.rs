//! The traceparent header (W3C Trace Context).
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall_protocol::fuzz::traceparent(data));
