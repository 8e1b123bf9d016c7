//! The legs of a virtual call: who speaks, what is played, what is recorded.

use std::time::{Duration, Instant};

use skillcall_protocol::sma::action::S3Object;

use super::file::Party;
use crate::engine::{PlayId, RecordingId};

/// How far a leg is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It calls, or is called.
    Ringing,
    /// It is answered.
    Connected,
    /// It has ended.
    Gone,
}

/// One leg.
#[derive(Debug)]
pub(super) struct VirtualLeg {
    pub(super) state: State,
    /// Who is called; none for the caller.
    pub(super) party: Option<Party>,
    pub(super) playing: Option<PlayId>,
    pub(super) recording: Option<Recording>,
    pub(super) call_recording: Option<Recording>,
    /// Until when the party speaks, or when it last did.
    pub(super) voice_until: Option<Instant>,
}

/// A recording that runs.
#[derive(Debug)]
pub(super) struct Recording {
    /// None for a call recording.
    pub(super) id: Option<RecordingId>,
    pub(super) object: S3Object,
    pub(super) began: Instant,
    /// End after so much silence.
    pub(super) silence: Option<Duration>,
    /// What was said meanwhile.
    pub(super) words: Vec<String>,
    pub(super) paused: bool,
}

impl VirtualLeg {
    pub(super) fn new(party: Option<Party>) -> Self {
        Self {
            state: State::Ringing,
            party,
            playing: None,
            recording: None,
            call_recording: None,
            voice_until: None,
        }
    }

    /// What it says, or hears, goes into its recordings.
    pub(super) fn record(&mut self, words: &str, heard: bool) {
        let recordings = [&mut self.recording, &mut self.call_recording];
        for recording in recordings.into_iter().flatten() {
            // RecordAudio takes what the leg says; a call recording both sides.
            if !recording.paused && (!heard || recording.id.is_none()) {
                recording.words.push(words.to_owned());
            }
        }
    }
}

/// `bucket/key`.
pub(super) fn place(object: &S3Object) -> String {
    format!("{}/{}", object.bucket_name, object.key)
}
