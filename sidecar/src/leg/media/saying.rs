//! What a leg says, every 20 ms: a prompt, digits, the meeting, who it is bridged with, or silence.

use std::time::Instant;

use skillcall_media::FRAME_SAMPLES;
use skillcall_media::Frame;
use skillcall_media::codec::Codec;
use skillcall_media::dtmf::{COMMA_MS, Digit, audible};
use skillcall_media::player::{Player, Step};
use skillcall_media::prompt::EncodedPrompt;
use skillcall_media::rtp::MAX_PACKET;
use skillcall_media::session::Outgoing;

use super::{LegMedia, SentFrame};
use crate::engine::PlayId;

/// Samples of silence between relayed packets and tones of our own in a codec with a memory, 40 ms: the peer's decoder has followed
/// another encoder, whose loud voice would make the first 30 ms of a tone a bang, in which a digit is heard twice.
const CALMING: usize = 2 * FRAME_SAMPLES;

/// Digits that wait to be sent as tones: no finger presses more ahead of what is heard.
const MAX_PRESSED: usize = 32;

impl LegMedia {
    /// Whether packets of the bridged leg go out, or something is played over them.
    pub(crate) fn takes_bridge(&self) -> bool {
        self.playing.is_none() && self.pressed.is_empty() && self.agreed && !self.holding
    }

    /// A digit of the bridged leg, which reached us as a telephone event: its tones for a peer that takes none.
    pub(crate) fn press(&mut self, digit: char, duration_ms: u32) {
        if self.pressed.len() < MAX_PRESSED {
            let mut tones = audible(&digit.to_string(), duration_ms);
            if self.foreign().is_some() && self.pressed.is_empty() {
                tones.splice(..0, [0; CALMING]);
            }
            self.pressed
                .push_back(Player::new(EncodedPrompt::from_pcm(&tones)));
        }
    }

    /// Begins to send digits as telephone events. False when too many wait already.
    pub(crate) fn send_digits(&mut self, play: PlayId, digits: &str, tone_ms: u32) -> bool {
        let queued = digits.chars().all(|character| {
            let queued = match Digit::from_char(character) {
                Some(digit) => self.session.send_digit(digit, tone_ms),
                None => self.session.send_pause(COMMA_MS),
            };
            queued.is_ok()
        });
        if queued {
            self.sending = Some(play);
        } else {
            self.session.cancel_digits();
        }
        queued
    }

    /// Stops a playback, or the sending of digits.
    pub(crate) fn stop(&mut self, play: PlayId) {
        if self
            .playing
            .as_ref()
            .is_some_and(|playing| playing.play == play)
        {
            self.playing = None;
        }
        if self.sending == Some(play) {
            self.sending = None;
            self.session.cancel_digits();
        }
    }

    /// Whether it plays something, and has sent nothing before.
    pub(crate) fn begins_to_speak(&self) -> bool {
        self.playing.is_some() && self.session.figures().packets_sent == 0
    }

    /// Goes on by 20 ms: sends the packet that is due. Returns what it was, and whether the playing ended. `cleaned` is
    /// what the bridged leg says, when its packets are not relayed because its noise is suppressed.
    pub(crate) fn tick(
        &mut self,
        now: Instant,
        cleaned: Option<&Frame>,
        out: &mut [u8; MAX_PACKET],
    ) -> (SentFrame, Option<PlayId>) {
        let codec = self.session.format().codec;
        let destination = self.destination();
        let sends = destination.is_some();
        let mut ended = None;
        let mut kind = SentFrame::Silence;
        let len = match self
            .playing
            .as_mut()
            .map(|playing| (playing.play, playing.player.step()))
        {
            Some((_, Step::Frame(frame))) => {
                kind = SentFrame::Prompt;
                self.sent = *frame.pcm();
                self.session
                    .tick(now, unless_held(sends, encoded(&frame, codec)), out)
            }
            Some((_, Step::Silence)) => {
                self.session
                    .tick(now, unless_held(sends, Outgoing::Silence), out)
            }
            Some((play, Step::Done)) => {
                ended = Some(play);
                self.playing = None;
                self.session
                    .tick(now, unless_held(sends, Outgoing::Silence), out)
            }
            None if let Some(player) = self.pressed.front_mut() => {
                let outgoing = match player.step() {
                    Step::Frame(frame) => {
                        kind = SentFrame::Prompt;
                        self.sent = *frame.pcm();
                        encoded(&frame, codec)
                    }
                    Step::Silence | Step::Done => Outgoing::Silence,
                };
                let len = self.session.tick(now, unless_held(sends, outgoing), out);
                if player.is_done() {
                    self.pressed.pop_front();
                }
                len
            }
            None if let Some(seat) = &self.seat => {
                self.sent = seat.hear();
                kind = SentFrame::Prompt;
                self.session.tick(now, Outgoing::Pcm(&self.sent), out)
            }
            None if self.bridged.is_some() => {
                kind = SentFrame::Bridged;
                let heard = cleaned.filter(|_| !self.holding);
                let outgoing = heard.map_or(Outgoing::Nothing, Outgoing::Pcm);
                self.session.tick(now, outgoing, out)
            }
            None => {
                let heard = !self.unacknowledged || self.last_heard().is_some();
                self.session
                    .tick(now, unless_held(sends && heard, Outgoing::Silence), out)
            }
        };
        if let Some(play) = self.sending
            && !self.session.is_sending_digits()
        {
            self.sending = None;
            ended = Some(play);
        }
        let mut due = len;
        while let Some(len) = due {
            if let Some(to) = destination {
                self.send_rtp(out, len, to);
            }
            due = self.session.poll_audio(out);
        }
        if let Some(to) = self.rtcp_destination()
            && let Some(len) = self.session.poll_rtcp(now, out)
        {
            self.send_rtcp(out, len, to);
        }
        (kind, ended)
    }
}

/// What is not sent takes no number, or the peer would count it as lost when its hold ends.
fn unless_held(sends: bool, outgoing: Outgoing<'_>) -> Outgoing<'_> {
    if sends { outgoing } else { Outgoing::Nothing }
}

fn encoded<'a>(frame: &skillcall_media::player::PromptFrame<'a>, codec: Codec) -> Outgoing<'a> {
    Outgoing::Encoded(frame.encoded(codec))
}
