//! WAV files.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skillcall_media::fuzz::wav(data));
