//! Where a certificate chain may lie (facts B).
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall_protocol::fuzz::signature_url(data));
