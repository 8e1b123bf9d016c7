//! Plays a prompt frame by frame: repeats, pauses, stops, and knows where it is.

use std::{num::NonZeroU32, sync::Arc};

use crate::{FRAME_MS, FRAME_SAMPLES, Frame, codec::Codec, prompt::EncodedPrompt};

/// What is to be played in the current frame.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// This frame of the prompt.
    Frame(PromptFrame<'a>),
    /// Nothing: the player is paused, or waits between two rounds.
    Silence,
    /// Nothing any more.
    Done,
}

/// A frame of a prompt, in whichever form is needed.
#[derive(Clone, Copy, Debug)]
pub struct PromptFrame<'a> {
    prompt: &'a EncodedPrompt,
    index: usize,
}

impl<'a> PromptFrame<'a> {
    /// As linear PCM, for a recorder.
    pub fn pcm(&self) -> &'a Frame {
        self.prompt.pcm(self.index).unwrap_or(&crate::SILENT_FRAME)
    }

    /// In a codec, for the wire.
    pub fn encoded(&self, codec: Codec) -> &'a [u8] {
        self.prompt
            .encoded(codec, self.index)
            .map_or(&[], <[u8; FRAME_SAMPLES]>::as_slice)
    }
}

/// One playing of a prompt.
#[derive(Clone, Debug)]
pub struct Player {
    prompt: Arc<EncodedPrompt>,
    next: usize,
    rounds_left: u32,
    gap_frames: u32,
    gap_left: u32,
    played: u64,
    paused: bool,
}

impl Player {
    /// Plays `prompt` once.
    pub fn new(prompt: Arc<EncodedPrompt>) -> Self {
        Self::repeating(prompt, NonZeroU32::MIN, 0)
    }

    /// Plays `prompt` `rounds` times, with `gap_ms` of silence (rounded up to frames) between the rounds.
    pub fn repeating(prompt: Arc<EncodedPrompt>, rounds: NonZeroU32, gap_ms: u32) -> Self {
        let rounds_left = if prompt.is_empty() { 0 } else { rounds.get() };
        let gap_frames = gap_ms.div_ceil(FRAME_MS);
        Self {
            prompt,
            next: 0,
            rounds_left,
            gap_frames,
            gap_left: 0,
            played: 0,
            paused: false,
        }
    }

    /// Plays `prompt` until it is stopped: ringback.
    pub fn endless(prompt: Arc<EncodedPrompt>) -> Self {
        Self::repeating(prompt, NonZeroU32::MAX, 0)
    }

    /// The next frame; call it once a frame.
    pub fn step(&mut self) -> Step<'_> {
        if self.rounds_left == 0 {
            return Step::Done;
        }
        if self.paused {
            return Step::Silence;
        }
        if self.gap_left > 0 {
            self.gap_left -= 1;
            return Step::Silence;
        }
        let index = self.next;
        self.next += 1;
        self.played += 1;
        if self.next >= self.prompt.frames() {
            self.next = 0;
            // Endless means endless, however long the call.
            if self.rounds_left != u32::MAX {
                self.rounds_left -= 1;
            }
            self.gap_left = self.gap_frames;
        }
        Step::Frame(PromptFrame {
            prompt: &self.prompt,
            index,
        })
    }

    /// Ends the playing and all rounds that are left: a terminator was pressed (facts F6, PlayAudio).
    pub fn stop(&mut self) {
        self.rounds_left = 0;
    }

    /// Holds the position until [`Player::resume`].
    pub fn pause(&mut self) {
        self.paused = true;
    }

    /// Goes on where it was paused.
    pub fn resume(&mut self) {
        self.paused = false;
    }

    /// Whether everything has been played, or stopped.
    pub fn is_done(&self) -> bool {
        self.rounds_left == 0
    }

    /// Milliseconds played, over all rounds, without gaps and pauses.
    pub fn played_ms(&self) -> u64 {
        self.played * u64::from(FRAME_MS)
    }

    /// Position inside the current round in milliseconds.
    pub fn position_ms(&self) -> u64 {
        self.next as u64 * u64::from(FRAME_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt() -> Arc<EncodedPrompt> {
        EncodedPrompt::from_pcm(
            &(0..320)
                .map(|i| if i < 160 { 100 } else { 2_000 })
                .collect::<Vec<_>>(),
        )
    }

    fn run(player: &mut Player, frames: usize) -> String {
        (0..frames)
            .map(|_| match player.step() {
                Step::Frame(frame) => {
                    assert_eq!(
                        frame.encoded(Codec::Pcma),
                        Codec::Pcma.encode_frame(frame.pcm())
                    );
                    if frame.pcm()[0] == 100 { 'a' } else { 'b' }
                }
                Step::Silence => '-',
                Step::Done => '.',
            })
            .collect()
    }

    #[test]
    fn rounds_gaps_pauses_and_stop() {
        let three = NonZeroU32::new(3).unwrap();
        assert_eq!(run(&mut Player::new(prompt()), 4), "ab..");
        assert_eq!(
            run(&mut Player::repeating(prompt(), three, 30), 12),
            "ab--ab--ab.."
        );
        let mut player = Player::repeating(prompt(), three, 0);
        assert_eq!(run(&mut player, 3), "aba");
        assert_eq!((player.played_ms(), player.position_ms()), (60, 20));
        player.pause();
        assert_eq!(run(&mut player, 2), "--");
        player.resume();
        assert_eq!(run(&mut player, 1), "b");
        player.stop();
        assert_eq!(run(&mut player, 2), "..");
        assert!(player.is_done());
        assert_eq!(run(&mut Player::new(EncodedPrompt::from_pcm(&[])), 1), ".");
        assert_eq!(run(&mut Player::endless(prompt()), 5), "ababa");
    }
}
