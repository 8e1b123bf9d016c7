//! The User-to-User header (RFC 7433; facts E1).
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall_protocol::fuzz::user_to_user(data));
