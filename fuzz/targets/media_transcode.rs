//! RTP packets of one encoding into those of another.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall_media::fuzz::transcode(data));
