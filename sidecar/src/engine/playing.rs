//! Pause, Speak, PlayAudio, SendDigits and VoiceFocus (facts F6).

use skillcall_protocol::sma::ErrorType;
use skillcall_protocol::sma::action::{Pause, PlayAudio, SendDigits, Speak};

use super::call::Call;
use super::command::{Command, LegId, PlayId, PlaySource, SpeechId};
use super::input::Failure;
use super::running::{Origin, Step};
use super::timers::Timer;

impl Call {
    /// Pause does not answer an unanswered call (our choice: facts E4 leaves it open), so that a handler can let the
    /// caller wait before it rejects.
    pub(super) fn start_pause(&mut self, origin: Origin, pause: &Pause) {
        self.timers
            .set(Timer::Step, self.now.instant + pause.duration());
        self.run(origin, Step::Waiting);
    }

    pub(super) fn start_speak(&mut self, origin: Origin, speak: Speak) {
        let speech = SpeechId(self.number());
        self.push(Command::Render {
            speech,
            parameters: speak.speech,
        });
        self.timers
            .set(Timer::Step, self.now.instant + self.config.limits.render);
        self.run(origin, Step::Speaking { speech, play: None });
    }

    pub(super) fn start_play_audio(&mut self, origin: Origin, action: PlayAudio) {
        let times = action.times();
        let play = self.play(
            origin.leg,
            PlaySource::File(action.audio_source),
            Some(times),
        );
        self.run(
            origin,
            Step::Playing {
                play,
                terminators: action.playback_terminators,
            },
        );
    }

    /// SendDigits sends media, so it answers an unanswered call like the others (our choice: facts E4 lists no end).
    pub(super) fn start_send_digits(&mut self, origin: Origin, action: SendDigits) {
        let source = PlaySource::Digits {
            tone: action.tone(),
            digits: action.digits,
        };
        let play = self.play(origin.leg, source, Some(1));
        self.run(origin, Step::Sending { play });
    }

    /// VoiceFocus: 5 requests a second for the account (facts F6). It sends nothing, and so answers nothing.
    pub(super) fn set_voice_focus(&mut self, origin: Origin, on: bool) {
        if !self.config.voice_focus.take(self.now.instant) {
            let told = "VoiceFocus was switched 5 times within a second; expected fewer";
            let failure = Failure::new(ErrorType::ActionExecutionThrottled, told);
            return self.failed(&origin, &failure);
        }
        let leg = origin.leg;
        if let Some(switched) = self.legs.get_mut(leg) {
            switched.voice_focus.switch(on, self.now.unix_millis);
        }
        self.push(Command::VoiceFocus { leg, on });
        self.succeeded(&origin, origin.data());
    }

    /// Begins a playback; an unanswered call is answered first (facts E4).
    pub(super) fn play(&mut self, leg: LegId, source: PlaySource, times: Option<u32>) -> PlayId {
        self.ensure_answered(leg);
        let play = PlayId(self.number());
        self.push(Command::Play {
            play,
            leg,
            source,
            times,
        });
        play
    }

    pub(super) fn on_speech_ready(&mut self, speech: SpeechId) {
        let Some(running) = &self.running else { return };
        let leg = running.origin.leg;
        match &running.step {
            // The call is answered now and not when rendering began, so that nobody pays for silence.
            Step::Speaking {
                speech: mine,
                play: None,
            } if *mine == speech => {
                self.timers.clear(Timer::Step);
                let begun = self.play(leg, PlaySource::Speech(speech), Some(1));
                if let Some(Step::Speaking { play, .. }) =
                    self.running.as_mut().map(|running| &mut running.step)
                {
                    *play = Some(begun);
                }
            }
            Step::GettingDigits(_) => self.on_prompt_rendered(speech, None),
            Step::Conversing(_) => self.on_message_ready(speech),
            _ => {}
        }
    }

    pub(super) fn on_speech_failed(&mut self, speech: SpeechId, failure: Failure) {
        match self.running.as_ref().map(|running| &running.step) {
            Some(Step::Speaking {
                speech: mine,
                play: None,
            }) if *mine == speech => self.running_failed(&failure),
            Some(Step::GettingDigits(_)) => self.on_prompt_rendered(speech, Some(failure)),
            Some(Step::Conversing(_)) => self.on_message_failed(speech, &failure),
            _ => {}
        }
    }

    pub(super) fn render_timed_out(&mut self) {
        let waited = self.config.limits.render.as_secs_f64();
        let told = format!("the speech engine did not render the text within {waited} s");
        self.running_failed(&Failure::new(ErrorType::SystemException, told));
    }

    pub(super) fn on_play_ended(&mut self, play: PlayId) {
        match self.running.as_ref().map(|running| &running.step) {
            Some(Step::Playing { play: mine, .. } | Step::Sending { play: mine })
                if *mine == play =>
            {
                self.play_done()
            }
            Some(Step::Speaking {
                play: Some(mine), ..
            }) if *mine == play => self.play_done(),
            Some(Step::GettingDigits(get)) if get.playing() == Some(play) => {
                self.on_prompt_played()
            }
            Some(Step::Conversing(_)) => self.on_message_said(play),
            _ => {}
        }
    }

    pub(super) fn on_play_failed(&mut self, play: PlayId, failure: &Failure) {
        match self.running.as_mut().map(|running| &mut running.step) {
            Some(Step::Playing { play: mine, .. } | Step::Sending { play: mine })
                if *mine == play =>
            {
                if let Some(running) = self.take_running() {
                    self.failed(&running.origin, failure);
                }
            }
            Some(Step::Speaking { play: mine, .. }) if *mine == Some(play) => {
                *mine = None;
                self.running_failed(failure);
            }
            Some(Step::GettingDigits(get)) if get.playing() == Some(play) => {
                get.not_playing();
                self.running_failed(failure);
            }
            Some(Step::Conversing(conversation)) if conversation.playing() == Some(play) => {
                self.running_failed(failure);
            }
            Some(Step::Calling { ringback, .. }) if *ringback == Some(play) => {
                // The call does not fail for want of a tone.
                *ringback = None;
                self.problem(format!(
                    "the ringback tone cannot be played: {}",
                    failure.message
                ));
            }
            _ => {}
        }
    }

    /// Speak, PlayAudio, SendDigits or Pause is done.
    pub(super) fn play_done(&mut self) {
        let Some(running) = self.take_running() else {
            return;
        };
        if let Step::Speaking { speech, .. } = running.step {
            self.push(Command::DropSpeech { speech });
        }
        self.succeeded(&running.origin, running.origin.data());
    }
}
