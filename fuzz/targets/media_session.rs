//! A media session that is sent any datagrams.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall_media::fuzz::session(data));
