//! PlayAudioAndGetDigits and SpeakAndGetDigits (facts F6): ask, collect, and ask again.
//!
//! The first digit stops the question and counts, also one that is pressed while the question's text is still rendered: whoever knows
//! the question need not wait for it (our choice). RepeatDurationInMilliseconds runs from the question's end, or from that first digit;
//! the failure prompt follows each attempt that failed, and a digit pressed in it begins the next one.

use skillcall_protocol::sma::ErrorType;
use skillcall_protocol::sma::action::{
    Digit, DigitRules, PlayAudioAndGetDigits, S3Object, SpeakAndGetDigits, SpeechParameters,
};

use super::call::Call;
use super::command::{Command, PlayId, PlaySource, SpeechId};
use super::digits::{Collected, Collector};
use super::input::Failure;
use super::running::{Origin, Running, Step};
use super::timers::Timer;

/// One of the two prompts.
#[derive(Debug)]
enum Prompt {
    File(S3Object),
    Speech {
        speech: SpeechId,
        rendered: Option<Result<(), Failure>>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Question,
    Failure,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The prompt is to be played and not rendered yet.
    Rendering(Which),
    Playing(Which, PlayId),
    Collecting,
}

/// The state of the action.
#[derive(Debug)]
pub(super) struct GetDigits {
    collector: Collector,
    question: Prompt,
    failure: Option<Prompt>,
    phase: Phase,
    /// From 1.
    attempt: u32,
    /// Why the last attempt failed.
    why: String,
}

impl GetDigits {
    pub(super) fn playing(&self) -> Option<PlayId> {
        match self.phase {
            Phase::Playing(_, play) => Some(play),
            Phase::Rendering(_) | Phase::Collecting => None,
        }
    }

    /// The prompt's playback is over by itself.
    pub(super) fn not_playing(&mut self) {
        self.phase = Phase::Collecting;
    }

    pub(super) fn speeches(&self) -> Vec<SpeechId> {
        let speech = |prompt: &Prompt| match prompt {
            Prompt::Speech { speech, .. } => Some(*speech),
            Prompt::File(_) => None,
        };
        std::iter::once(&self.question)
            .chain(&self.failure)
            .filter_map(speech)
            .collect()
    }

    fn has_another_attempt(&self) -> bool {
        self.attempt < self.collector.rules().attempts()
    }

    pub(super) fn is_rendering(&self) -> bool {
        matches!(self.phase, Phase::Rendering(_))
    }
}

impl Call {
    pub(super) fn start_play_audio_and_get_digits(
        &mut self,
        origin: Origin,
        get: PlayAudioAndGetDigits,
    ) {
        let question = Prompt::File(get.audio_source);
        let failure = Some(Prompt::File(get.failure_audio_source));
        self.start_get_digits(origin, get.rules, |_| (question, failure));
    }

    pub(super) fn start_speak_and_get_digits(&mut self, origin: Origin, get: SpeakAndGetDigits) {
        let (question, failure) = (get.speech_parameters, get.failure_speech_parameters);
        self.start_get_digits(origin, get.rules, |call| {
            let question = call.render_prompt(question);
            (question, failure.map(|speech| call.render_prompt(speech)))
        });
    }

    fn render_prompt(&mut self, parameters: SpeechParameters) -> Prompt {
        let speech = SpeechId(self.number());
        self.push(Command::Render { speech, parameters });
        Prompt::Speech {
            speech,
            rendered: None,
        }
    }

    fn start_get_digits(
        &mut self,
        origin: Origin,
        rules: DigitRules,
        prompts: impl FnOnce(&mut Self) -> (Prompt, Option<Prompt>),
    ) {
        let collector = match Collector::new(rules) {
            Ok(collector) => collector,
            Err(failure) => return self.failed(&origin, &failure),
        };
        let (question, failure) = prompts(self);
        let phase = Phase::Rendering(Which::Question);
        let get = GetDigits {
            collector,
            question,
            failure,
            phase,
            attempt: 1,
            why: String::new(),
        };
        self.run(origin, Step::GettingDigits(Box::new(get)));
        self.prompt(Which::Question);
    }

    fn get_digits(&mut self) -> Option<&mut GetDigits> {
        match self.running.as_mut() {
            Some(Running {
                step: Step::GettingDigits(get),
                ..
            }) => Some(get),
            _ => None,
        }
    }

    /// Plays a prompt, or waits until it is rendered. Without a failure prompt the next attempt follows.
    fn prompt(&mut self, which: Which) {
        self.timers.clear(Timer::Gap);
        self.timers.clear(Timer::Step);
        let Some(leg) = self.running.as_ref().map(|running| running.origin.leg) else {
            return;
        };
        let Some(get) = self.get_digits() else { return };
        let prompt = match which {
            Which::Question => Some(&get.question),
            Which::Failure => get.failure.as_ref(),
        };
        let source = match prompt {
            None => return self.after_failure_prompt(),
            Some(Prompt::File(object)) => PlaySource::File(object.clone()),
            Some(Prompt::Speech {
                speech,
                rendered: Some(Ok(())),
            }) => PlaySource::Speech(*speech),
            Some(Prompt::Speech {
                rendered: Some(Err(failure)),
                ..
            }) => {
                let failure = failure.clone();
                return self.running_failed(&failure);
            }
            Some(Prompt::Speech { rendered: None, .. }) => {
                get.phase = Phase::Rendering(which);
                self.timers
                    .set(Timer::Step, self.now.instant + self.config.limits.render);
                return;
            }
        };
        let play = self.play(leg, source, Some(1));
        if let Some(get) = self.get_digits() {
            get.phase = Phase::Playing(which, play);
        }
    }

    /// A prompt's text was rendered, or not.
    pub(super) fn on_prompt_rendered(&mut self, speech: SpeechId, failed: Option<Failure>) {
        let Some(get) = self.get_digits() else { return };
        let result = failed.map_or(Ok(()), Err);
        for prompt in std::iter::once(&mut get.question).chain(&mut get.failure) {
            match prompt {
                Prompt::Speech {
                    speech: mine,
                    rendered: rendered @ None,
                } if *mine == speech => *rendered = Some(result.clone()),
                _ => {}
            }
        }
        if let Phase::Rendering(which) = get.phase {
            let waited_for = match which {
                Which::Question => Some(&get.question),
                Which::Failure => get.failure.as_ref(),
            };
            if matches!(
                waited_for,
                Some(Prompt::Speech {
                    rendered: Some(_),
                    ..
                })
            ) {
                self.prompt(which);
            }
        }
    }

    pub(super) fn on_prompt_played(&mut self) {
        let Some(get) = self.get_digits() else { return };
        match std::mem::replace(&mut get.phase, Phase::Collecting) {
            Phase::Playing(Which::Failure, _) => self.after_failure_prompt(),
            _ => self.collect(),
        }
    }

    fn collect(&mut self) {
        let now = self.now.instant;
        let Some(get) = self.get_digits() else { return };
        get.phase = Phase::Collecting;
        let until = now + get.collector.rules().attempt_time();
        self.timers.set(Timer::Step, until);
    }

    fn after_failure_prompt(&mut self) {
        let Some(get) = self.get_digits() else { return };
        if get.has_another_attempt() {
            get.attempt += 1;
            return self.prompt(Which::Question);
        }
        let told = format!("{} after {} attempts", get.why, get.attempt);
        self.running_failed(&Failure::new(ErrorType::InvalidDigitsReceived, told));
    }

    /// A digit came on the action's leg.
    pub(super) fn on_wanted_digit(&mut self, digit: Digit) {
        let Some(leg) = self.running.as_ref().map(|running| running.origin.leg) else {
            return;
        };
        let Some(get) = self.get_digits() else { return };
        match get.phase {
            Phase::Collecting => {}
            Phase::Rendering(Which::Failure) | Phase::Playing(Which::Failure, _)
                if !get.has_another_attempt() =>
            {
                return;
            }
            phase => {
                if matches!(
                    phase,
                    Phase::Rendering(Which::Failure) | Phase::Playing(Which::Failure, _)
                ) {
                    get.attempt += 1;
                }
                if let Some(play) = get.playing() {
                    self.stop_play(leg, play);
                }
                self.collect();
            }
        }
        let now = self.now.instant;
        let Some(get) = self.get_digits() else { return };
        match get.collector.take(digit) {
            Collected::More => {
                let until = now + get.collector.rules().gap();
                self.timers.set(Timer::Gap, until);
            }
            Collected::Complete { terminated } => self.attempt_over(terminated),
        }
    }

    /// The attempt is over, by a digit or by time.
    pub(super) fn attempt_over(&mut self, terminated: bool) {
        let Some(get) = self.get_digits() else { return };
        match get.collector.finish(terminated) {
            Ok(digits) => {
                for speech in get.speeches() {
                    self.push(Command::DropSpeech { speech });
                }
                let Some(running) = self.take_running() else {
                    return;
                };
                let mut data = running.origin.data();
                data.received_digits = Some(digits);
                self.succeeded(&running.origin, data);
            }
            Err(why) => {
                let note = format!("attempt {} to get digits failed: {why}", get.attempt);
                get.why = why;
                self.info(note);
                self.prompt(Which::Failure);
            }
        }
    }
}
