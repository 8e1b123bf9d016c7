//! RTP, jitter buffer, G.711, Opus and G.722 into and out of it, DTMF, players, recorders and quality figures, driven by a sample clock.
//!
//! Nothing in this crate opens a socket, starts a thread or reads a clock. The owner of a leg passes datagrams
//! and times in, and takes packets, digits and frames out. [`session::AudioSession`] is the whole of one leg;
//! the other modules are its parts, and the tools that prompts, recordings and tests need.
//!
//! All audio inside is 16-bit linear PCM, mono, at [`SAMPLE_RATE`]; the unit of work is a [`Frame`] of 20 ms.

#![forbid(unsafe_code)]

pub mod active_speaker;
pub mod codec;
pub mod dtmf;
pub mod encoding;
#[doc(hidden)]
pub mod fuzz;
pub mod jitter;
pub mod mixer;
pub mod player;
pub mod plc;
pub mod prompt;
pub mod quality;
pub mod reception;
pub mod recorder;
pub mod resample;
pub mod rtcp;
pub mod rtp;
pub mod session;
pub mod silence;
pub mod srtp;
pub mod tone;
pub mod transcode;
pub mod utterance;
pub mod video;
pub mod voice_focus;
pub mod wav;

/// Samples a second of all audio in this crate: the clock rate of G.711 (RFC 3551 §4.5.14).
pub const SAMPLE_RATE: u32 = 8_000;

/// Samples of a 20 ms frame at [`SAMPLE_RATE`]: the default packet time of G.711 (RFC 3551 §4.2).
pub const FRAME_SAMPLES: usize = 160;

/// Length of a frame in milliseconds.
pub const FRAME_MS: u32 = 20;

/// Samples of one millisecond.
pub const SAMPLES_PER_MS: u32 = SAMPLE_RATE / 1_000;

/// 20 ms of 16-bit linear PCM, mono, 8 kHz.
pub type Frame = [i16; FRAME_SAMPLES];

/// A frame in which nothing is heard.
pub const SILENT_FRAME: Frame = [0; FRAME_SAMPLES];

/// Converts a duration to samples of the 8 kHz clock, rounding down, modulo 2^32 as timestamps are.
pub(crate) fn samples_in(duration: std::time::Duration) -> u32 {
    (duration.as_micros() * u128::from(SAMPLES_PER_MS) / 1_000) as u32
}
