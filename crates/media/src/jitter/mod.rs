//! An adaptive jitter buffer, driven by a sample clock.
//!
//! Every call of [`JitterBuffer::play`] is 20 ms of the listener's time. A packet's *slack* is how far ahead of the
//! playout point it arrives. Too little slack (late packets again and again) puts the playout point back; slack that
//! nobody has needed for some seconds brings it forward again, in a pause if there is one. So the delay follows the
//! network, and a sender whose clock runs faster or slower than ours is followed by the same rule, without ever
//! looking at a wall clock. A single late packet is concealed and moves nothing, except in the first
//! second, when nothing is known of the path yet.

mod buffer;

pub use buffer::JitterBuffer;

/// Bounds of the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JitterConfig {
    /// Delay at the start, in milliseconds.
    pub initial_ms: u32,
    /// The delay never goes below, in milliseconds.
    pub min_ms: u32,
    /// Nor above, in milliseconds.
    pub max_ms: u32,
    /// Packets that are kept, at most. With 20 ms packets and 200 ms delay, ten are.
    pub capacity: usize,
}

impl Default for JitterConfig {
    fn default() -> Self {
        Self {
            initial_ms: 40,
            min_ms: 20,
            max_ms: 200,
            capacity: 32,
        }
    }
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It will be played.
    Kept,
    /// It is there already.
    Duplicate,
    /// Its time has passed.
    Late,
    /// It is of another time line than the packets so far; if the next one is too, the buffer follows.
    Stray,
    /// Empty, or longer than 200 ms.
    Unusable,
}

/// What a frame is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Played {
    /// Received audio.
    Audio,
    /// Something is missing here: conceal it. The frame holds what little there was, else zeros.
    Missing,
    /// The sender is silent, or has not begun. The frame is zeros.
    Silence,
}

/// Counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JitterCounters {
    /// Packets too late to be played.
    pub late: u64,
    /// Packets that were there already.
    pub duplicates: u64,
    /// Packets pushed out because the buffer was full, or the delay over its bound.
    pub discarded: u64,
    /// Frames by which the delay was raised.
    pub stretched: u64,
    /// Frames by which the delay was lowered.
    pub skipped: u64,
    /// Times the time line was left for another one.
    pub resynchronised: u64,
}
