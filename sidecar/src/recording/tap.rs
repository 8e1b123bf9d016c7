//! The end of a recording on the media thread.

use std::time::Duration;

use crossbeam_channel::Sender;
use skillcall_media::recorder::Track;
use skillcall_media::silence::SilenceDetector;
use skillcall_media::{FRAME_MS, FRAME_SAMPLES, Frame, SILENT_FRAME};

use super::Job;
use crate::engine::RecordingEnd;

/// Frames of a piece: half a second.
const PIECE: usize = 25;

/// 20 ms of both directions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeardFrame {
    pub(crate) incoming: Frame,
    pub(crate) outgoing: Frame,
}

/// Collects what a leg says and hears.
pub(crate) struct Tap {
    id: u64,
    track: Track,
    jobs: Sender<Job>,
    piece: Vec<HeardFrame>,
    frames: u64,
    limit: Option<u64>,
    silence: Option<SilenceDetector>,
    overrun: bool,
    /// Frames since the pause began, while there is one.
    paused: Option<u32>,
}

impl Tap {
    pub(super) fn new(id: u64, track: Track, jobs: Sender<Job>) -> Self {
        Self {
            id,
            track,
            jobs,
            piece: Vec::with_capacity(PIECE),
            frames: 0,
            limit: None,
            silence: None,
            overrun: false,
            paused: None,
        }
    }

    /// Records a short tone, then silence (facts F6); or again what is heard.
    pub(crate) fn pause(&mut self, pause: bool) {
        self.paused = pause.then_some(0);
    }

    /// Ends by itself after this time, or after so much silence.
    pub(crate) fn ending(
        mut self,
        limit: Option<Duration>,
        silence: Option<SilenceDetector>,
    ) -> Self {
        self.limit = limit.map(|limit| {
            u64::try_from(limit.as_millis())
                .unwrap_or(u64::MAX)
                .div_ceil(u64::from(FRAME_MS))
                .max(1)
        });
        self.silence = silence;
        self
    }

    /// Whether it needs what the leg says.
    pub(crate) fn wants_incoming(&self) -> bool {
        self.track != Track::Outgoing
    }

    /// Whether it needs what the leg hears.
    pub(crate) fn wants_outgoing(&self) -> bool {
        self.track != Track::Incoming
    }

    /// Takes a tick's frames. Says why when the recording has come to its end.
    pub(crate) fn push(&mut self, incoming: &Frame, outgoing: &Frame) -> Option<RecordingEnd> {
        let frame = match &mut self.paused {
            None => HeardFrame {
                incoming: *incoming,
                outgoing: *outgoing,
            },
            Some(frames) => {
                let marked = pause_frame(*frames);
                *frames = frames.saturating_add(1);
                HeardFrame {
                    incoming: marked,
                    outgoing: marked,
                }
            }
        };
        self.piece.push(frame);
        self.frames += 1;
        if self.piece.len() >= PIECE {
            self.hand_over();
        }
        if self.limit.is_some_and(|limit| self.frames >= limit) {
            return Some(RecordingEnd::Limit);
        }
        let silent = self
            .silence
            .as_mut()
            .is_some_and(|silence| silence.push(incoming));
        silent.then_some(RecordingEnd::Silence)
    }

    /// Whether the disk could not follow: audio is missing, so the recording has failed.
    pub(crate) fn has_overrun(&self) -> bool {
        self.overrun
    }

    fn hand_over(&mut self) {
        let frames = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        if !frames.is_empty()
            && self
                .jobs
                .try_send(Job::Frames {
                    id: self.id,
                    frames,
                })
                .is_err()
        {
            self.overrun = true;
        }
    }
}

/// What a paused recording holds: 200 ms of 1000 Hz, then silence (facts F6 names a tone; which one is our choice).
fn pause_frame(frames: u32) -> Frame {
    const TONE_FRAMES: u32 = 10;
    if frames >= TONE_FRAMES {
        return SILENT_FRAME;
    }
    // A frame holds 20 whole waves, so that frames follow each other without a click.
    let tone = skillcall_media::tone::sine(1000.0, -15.0, FRAME_SAMPLES);
    tone.try_into().unwrap_or(SILENT_FRAME)
}

impl Drop for Tap {
    /// Dropping it completes the file, however the leg ends.
    fn drop(&mut self) {
        self.hand_over();
        if let Err(crossbeam_channel::TrySendError::Full(job)) =
            self.jobs.try_send(Job::Finish { id: self.id })
        {
            // Without this the file would stay open for ever; another thread may wait for the disk.
            let jobs = self.jobs.clone();
            let _ = std::thread::Builder::new()
                .name("recording-end".into())
                .spawn(move || jobs.send(job).is_ok());
        }
    }
}
