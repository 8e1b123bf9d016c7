//! SIP and tel URIs (RFC 3261 §19.1, RFC 3966).
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall_sip::fuzz::uri(data));
