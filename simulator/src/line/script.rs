//! What a simulated person does in a call, step by step, driven by what is heard.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Loud frames that make a prompt: 200 ms.
const PROMPT_FRAMES: u32 = 10;
/// Root mean square above which a frame counts as loud: about −44 dB of full scale.
const LOUD: f64 = 200.0;

/// What is said.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Voice {
    /// Nothing: packets of silence.
    #[default]
    Silence,
    /// A tone.
    Tone {
        /// Its frequency: 20 to 3900 Hz.
        hz: f64,
    },
    /// A WAV file, again and again.
    Wav {
        /// The file.
        file: PathBuf,
    },
}

/// How a phone behaves when it is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "mode",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    deny_unknown_fields
)]
pub enum Answering {
    /// Rings, then answers.
    AfterRinging {
        /// How long it rings.
        milliseconds: u64,
    },
    /// Rings until it is told to answer.
    OnOrder,
    /// Rings and is never answered.
    Never,
    /// Refuses at once.
    Refuse {
        /// 300 to 699.
        status: u16,
    },
}

impl Default for Answering {
    /// Rings for 300 ms.
    fn default() -> Self {
        Self::AfterRinging { milliseconds: 300 }
    }
}

/// When a step is due; times count from the step before, or from the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "when",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
pub enum When {
    /// At once.
    Answered,
    /// Something was heard for 200 ms or more, and then nothing for so long.
    PromptEnded {
        /// The silence.
        #[serde(default = "default_silence")]
        silence_ms: u32,
    },
    /// So much audio was received.
    Heard {
        /// How much.
        milliseconds: u32,
    },
    /// So much time of the audio clock has passed.
    Passed {
        /// How much.
        milliseconds: u32,
    },
}

const fn default_silence() -> u32 {
    1200
}

/// What is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Act {
    /// Presses digits: 0 to 9, `*`, `#`, A to D (RFC 4733 §3.2).
    Press {
        /// The digits.
        digits: String,
    },
    /// Says something else from now on.
    Say {
        /// What.
        voice: Voice,
    },
    /// Hangs up.
    HangUp,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// When.
    #[serde(flatten)]
    pub when: When,
    /// What.
    pub act: Act,
}

/// A script in a call that was answered. One call of [`Script::tick`] is 20 ms.
#[derive(Debug)]
pub(super) struct Script {
    steps: std::vec::IntoIter<Step>,
    next: Option<Step>,
    ticks: u32,
    heard: u32,
    loud: u32,
    quiet: u32,
}

impl Script {
    pub(super) fn new(steps: Vec<Step>) -> Self {
        let mut steps = steps.into_iter();
        let next = steps.next();
        Self {
            steps,
            next,
            ticks: 0,
            heard: 0,
            loud: 0,
            quiet: 0,
        }
    }

    /// Tells of 20 ms: how many frames were received, and whether what was heard was loud. Gives what is to be done.
    pub(super) fn tick(&mut self, received: u32, loud: bool) -> Option<Act> {
        self.ticks = self.ticks.saturating_add(1);
        self.heard = self.heard.saturating_add(received);
        if loud {
            self.loud = self.loud.saturating_add(1);
            self.quiet = 0;
        } else {
            self.quiet = self.quiet.saturating_add(1);
        }
        let due = match self.next.as_ref()?.when {
            When::Answered => true,
            When::PromptEnded { silence_ms } => {
                self.loud >= PROMPT_FRAMES && self.quiet >= frames(silence_ms)
            }
            When::Heard { milliseconds } => self.heard >= frames(milliseconds),
            When::Passed { milliseconds } => self.ticks >= frames(milliseconds),
        };
        if !due {
            return None;
        }
        let act = std::mem::replace(&mut self.next, self.steps.next()).map(|step| step.act);
        (self.ticks, self.heard, self.loud, self.quiet) = (0, 0, 0, 0);
        act
    }
}

fn frames(milliseconds: u32) -> u32 {
    milliseconds.div_ceil(20)
}

/// Whether a frame is more than noise.
pub(super) fn is_loud(frame: &[i16]) -> bool {
    let sum: f64 = frame
        .iter()
        .map(|sample| f64::from(*sample) * f64::from(*sample))
        .sum();
    !frame.is_empty() && (sum / frame.len() as f64).sqrt() > LOUD
}

/// Counts prompts: loud for 200 ms, then quiet for a second.
#[derive(Debug, Default)]
pub(super) struct PromptCount {
    loud: u32,
    quiet: u32,
}

impl PromptCount {
    /// Tells of 20 ms; true when a prompt has just ended.
    pub(super) fn tick(&mut self, loud: bool) -> bool {
        if loud {
            self.loud = self.loud.saturating_add(1);
            self.quiet = 0;
            return false;
        }
        self.quiet = self.quiet.saturating_add(1);
        let ended = self.loud >= PROMPT_FRAMES && self.quiet >= 50;
        if ended {
            self.loud = 0;
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_wait_for_what_is_heard() {
        let press = |digits: &str| Act::Press {
            digits: digits.to_owned(),
        };
        let mut script = Script::new(vec![
            Step {
                when: When::PromptEnded { silence_ms: 100 },
                act: press("1"),
            },
            Step {
                when: When::Heard { milliseconds: 60 },
                act: press("2"),
            },
            Step {
                when: When::Passed { milliseconds: 40 },
                act: Act::HangUp,
            },
        ]);
        for _ in 0..9 {
            assert_eq!(script.tick(1, true), None);
        }
        for _ in 0..20 {
            assert_eq!(script.tick(1, false), None, "180 ms are no prompt");
        }
        assert_eq!(script.tick(1, true), None);
        for _ in 0..4 {
            assert_eq!(script.tick(0, false), None);
        }
        assert_eq!(script.tick(0, false), Some(press("1")));
        assert_eq!(script.tick(1, true), None);
        assert_eq!(script.tick(0, true), None);
        assert_eq!(script.tick(2, false), Some(press("2")));
        assert_eq!(script.tick(0, false), None);
        assert_eq!(script.tick(0, false), Some(Act::HangUp));
        assert_eq!(script.tick(1, true), None);
    }

    #[test]
    fn a_step_reads_from_settings() {
        let step: Step = toml::from_str(
            "when = \"prompt-ended\"\nsilence-ms = 900\nact = { do = \"press\", digits = \"1#\" }",
        )
        .expect("a step");
        assert_eq!(step.when, When::PromptEnded { silence_ms: 900 });
        assert_eq!(
            step.act,
            Act::Press {
                digits: "1#".to_owned()
            }
        );
    }
}
