//! Who speaks in a conference: the one who is heard best, and has been for a while.
//!
//! The limits are ours. Amazon's client libraries decide by volumes over time, too.

use crate::tone::level_dbov;
use crate::{FRAME_MS, Frame};

/// Louder than this is speech, in dBov.
const SPEECH_DBOV: f64 = -40.0;
/// What a new frame counts for the level: that of about 200 ms is told.
const WEIGHT: f64 = 0.1;
/// How much louder than the active speaker somebody must be, in dB.
const LEAD_DB: f64 = 6.0;
/// For how long, in ms: a cough is shorter.
const LEAD_MS: u32 = 300;

/// A participant's part in the decision.
#[derive(Clone, Debug, Default)]
struct Speaker {
    /// Mean power, 1 being that of a sine at full scale.
    power: f64,
    /// For how long they have been ahead of the active speaker.
    ahead_ms: u32,
}

/// Decides who the active speaker is, from frames of 20 ms of every participant.
#[derive(Clone, Debug, Default)]
pub struct ActiveSpeaker {
    speakers: Vec<Speaker>,
    active: Option<usize>,
}

impl ActiveSpeaker {
    /// What a participant says now; a muted one says nothing. Participants are numbered like seats.
    pub fn put(&mut self, participant: usize, frame: Option<&Frame>) {
        if self.speakers.len() <= participant {
            self.speakers.resize(participant + 1, Speaker::default());
        }
        let active = self
            .active
            .filter(|active| *active != participant)
            .and_then(|active| self.speakers.get(active))
            .map_or(0.0, |active| active.power);
        let Some(speaker) = self.speakers.get_mut(participant) else {
            return;
        };
        let now = frame.map_or(0.0, |frame| power(level_dbov(frame)));
        speaker.power += (now - speaker.power) * WEIGHT;
        let is_ahead =
            speaker.power > power(SPEECH_DBOV) && speaker.power > active * power(LEAD_DB);
        if self.active == Some(participant) || !is_ahead {
            speaker.ahead_ms = 0;
            return;
        }
        speaker.ahead_ms += FRAME_MS;
        if speaker.ahead_ms >= LEAD_MS {
            speaker.ahead_ms = 0;
            self.active = Some(participant);
        }
    }

    /// A participant has left.
    pub fn leave(&mut self, participant: usize) {
        if let Some(speaker) = self.speakers.get_mut(participant) {
            *speaker = Speaker::default();
        }
        if self.active == Some(participant) {
            self.active = None;
        }
    }

    /// The active speaker: the last one who spoke, until somebody else does or they leave.
    pub const fn active(&self) -> Option<usize> {
        self.active
    }
}

fn power(db: f64) -> f64 {
    10f64.powf(db / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FRAME_SAMPLES, tone::sine};

    fn say(speaker: &mut ActiveSpeaker, levels: [f64; 3], ms: u32) {
        let frames =
            levels.map(|level| -> Frame { sine(300.0, level, FRAME_SAMPLES).try_into().unwrap() });
        for _ in 0..ms / FRAME_MS {
            for (participant, frame) in frames.iter().enumerate() {
                speaker.put(participant, Some(frame));
            }
        }
    }

    #[test]
    fn the_one_who_is_heard_best_for_a_while_is_active() {
        let mut speaker = ActiveSpeaker::default();
        say(&mut speaker, [-60.0, -50.0, -60.0], 2000);
        assert_eq!(speaker.active(), None, "nobody speaks");
        say(&mut speaker, [-60.0, -20.0, -60.0], 1000);
        assert_eq!(speaker.active(), Some(1));
        say(&mut speaker, [-10.0, -20.0, -60.0], 200);
        assert_eq!(speaker.active(), Some(1), "a cough");
        say(&mut speaker, [-60.0, -20.0, -60.0], 1000);
        say(&mut speaker, [-18.0, -20.0, -60.0], 2000);
        assert_eq!(speaker.active(), Some(1), "hardly louder");
        say(&mut speaker, [-60.0, -60.0, -25.0], 2000);
        assert_eq!(speaker.active(), Some(2), "the others are silent");
        say(&mut speaker, [-60.0; 3], 5000);
        assert_eq!(speaker.active(), Some(2), "the last one who spoke");
        speaker.leave(2);
        assert_eq!(speaker.active(), None);
    }

    #[test]
    fn who_is_muted_does_not_speak() {
        let mut speaker = ActiveSpeaker::default();
        for _ in 0..100 {
            speaker.put(0, None);
        }
        assert_eq!(speaker.active(), None);
    }
}
