//! Which payload type means what to us: a number keeps its meaning for the session's life (RFC 3264 §8.3.2).

use skillcall_video::Profile;

use super::Codec;

/// The dynamic numbers (RFC 3551 §3).
const DYNAMIC: std::ops::RangeInclusive<u8> = 96..=127;
/// Meanings that are kept: no session has as many codecs.
const MOST: usize = 32;

/// What a payload type stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Audio(Codec),
    /// Telephone events at this clock in Hz.
    Event(u32),
    /// H.264 of this mode and profile.
    Video(u8, Profile),
}

/// The numbers under which we receive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Numbers(Vec<(u8, Meaning)>);

impl Numbers {
    /// Both sides have agreed on this number, or we have offered it.
    pub(super) fn note(&mut self, number: u8, meaning: Meaning) {
        self.0
            .retain(|(known, meant)| *known != number && *meant != meaning);
        if self.0.len() < MOST {
            self.0.push((number, meaning));
        }
    }

    /// The number of something: the one that it has, else this one if it is free, else the next dynamic one that is. `None`: all are
    /// taken.
    pub(super) fn of(&mut self, meaning: Meaning, wanted: u8) -> Option<u8> {
        if let Some((number, _)) = self.0.iter().find(|(_, meant)| *meant == meaning) {
            return Some(*number);
        }
        let is_free = |number: &u8| !self.0.iter().any(|(known, _)| known == number);
        let number = std::iter::once(wanted).chain(DYNAMIC).find(is_free)?;
        self.note(number, meaning);
        Some(number)
    }
}
