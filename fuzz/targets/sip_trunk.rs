//! The headers of trunks, the authenticator and the registrar over them (RFC 7616, RFC 3261 §10).
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall_sip::fuzz::trunk(data));
