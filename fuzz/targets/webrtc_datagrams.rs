//! STUN, DTLS and SRTP of a stranger (RFC 7983).
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall_webrtc::fuzz::datagrams(data));
