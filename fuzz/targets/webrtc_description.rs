//! Session descriptions of WebRTC (RFC 8866, RFC 8829) as offer and as answer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall_webrtc::fuzz::description(data));
