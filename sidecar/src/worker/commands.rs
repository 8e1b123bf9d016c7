//! What the action engine wants done.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Instant;

use skillcall_media::dtmf::audible;
use skillcall_media::player::Player;
use skillcall_media::prompt::EncodedPrompt;
use skillcall_media::recorder::Track as RecorderTrack;
use skillcall_media::silence::SilenceDetector;
use skillcall_protocol::sma::ErrorType;
use skillcall_protocol::sma::action::Track;
use skillcall_sip::message::StatusCode;

use super::call::{CallKey, LegState};
use super::outgoing::Dial;
use super::{Running, ToWorker};
use crate::engine::{Command, Failure, Input, LegId, PlayId, PlaySource, Severity};
use crate::leg::Playing;
use crate::recording::{Report, Reporter};
use crate::trunks::{Fate, Way};

impl Running {
    pub(super) fn carry_out_one(&mut self, key: CallKey, command: Command) {
        match command {
            Command::Ring { leg, early_media } => self.ring(key, leg, early_media),
            Command::Answer { leg } => self.answer(key, leg),
            Command::Reject { leg, status } => self.reject(key, leg, status),
            Command::Ask {
                sequence,
                attempt,
                event,
            } => self.ask(key, sequence, attempt, event),
            Command::NextTarget => {
                if let Some(call) = self.call_mut(key)
                    && let Some(next) = call.targets.pop_front()
                {
                    call.application = next;
                    call.handler = Arc::default();
                }
            }
            Command::AbandonAsk { sequence, attempt } => {
                if let Some(task) = self
                    .call_mut(key)
                    .and_then(|call| call.asking.remove(&(sequence, attempt)))
                {
                    task.abort();
                }
            }
            Command::Render { speech, parameters } => self.render(key, speech, &parameters),
            Command::DropSpeech { speech } => {
                if let Some(call) = self.call_mut(key) {
                    call.speeches.remove(&speech);
                    if let Some(task) = call.rendering.remove(&speech) {
                        task.abort();
                    }
                }
            }
            Command::Play {
                play,
                leg,
                source,
                times,
            } => self.play(key, play, leg, source, times),
            Command::StopPlay { play, leg } => self.stop_play(key, play, leg),
            // Telephone events are counted whoever wants them, and the engine discards what nobody does.
            Command::ListenDigits { leg, on } => {
                if let Some(media) = self.leg_media(key, leg) {
                    media.want_digits(on);
                }
            }
            Command::StartRecording {
                recording,
                leg,
                object,
                limit,
                silence,
            } => {
                let Some(ids) = self.call(key).map(|call| Arc::clone(&call.ids)) else {
                    return;
                };
                let (worker, trace) = (self.handle.clone(), self.shared.trace.clone());
                let reporter: Reporter = Arc::new(move |report| {
                    if let Report::Finished(stored) = &report {
                        trace.recording(&ids, leg, stored);
                    }
                    worker.send(ToWorker::Recording {
                        call: key,
                        leg,
                        recording,
                        report,
                    });
                });
                let silence = silence.map(|s| {
                    SilenceDetector::new(
                        u32::try_from(s.duration.as_secs()).unwrap_or(u32::MAX),
                        s.threshold,
                    )
                });
                let tap =
                    self.shared
                        .recordings
                        .open(object, RecorderTrack::Incoming, false, reporter);
                match (tap, self.leg_media(key, leg)) {
                    (Some(tap), Some(media)) => {
                        media.recording = Some((recording, tap.ending(limit, silence)))
                    }
                    (None, _) => self.input(
                        key,
                        Input::RecordingFailed {
                            recording,
                            failure: disk_is_slow(),
                        },
                    ),
                    (_, None) => {
                        let failure =
                            Failure::new(ErrorType::SystemException, "the leg has no audio");
                        self.input(key, Input::RecordingFailed { recording, failure });
                    }
                }
            }
            Command::StopRecording { recording, leg } => {
                // Dropping the tap completes the file; the writer reports.
                if let Some(media) = self.leg_media(key, leg)
                    && media
                        .recording
                        .as_ref()
                        .is_some_and(|(id, _)| *id == recording)
                {
                    media.recording = None;
                    if let Some(call) = self.call_mut(key) {
                        call.recording_ends
                            .insert(recording, crate::engine::RecordingEnd::Stopped);
                    }
                }
            }
            Command::StartCallRecording {
                leg, track, object, ..
            } => {
                let Some(ids) = self.call(key).map(|call| Arc::clone(&call.ids)) else {
                    return;
                };
                let (worker, trace) = (self.handle.clone(), self.shared.trace.clone());
                let reporter: Reporter = Arc::new(move |report| {
                    // Told here, because the call may be gone when its recording is complete.
                    if let Report::Finished(stored) = &report {
                        trace.recording(&ids, leg, stored);
                    }
                    worker.send(ToWorker::CallRecording {
                        call: key,
                        leg,
                        report,
                    });
                });
                let track = match track {
                    Track::Both => RecorderTrack::Both,
                    Track::Incoming => RecorderTrack::Incoming,
                    Track::Outgoing => RecorderTrack::Outgoing,
                };
                let tap = self.shared.recordings.open(object, track, true, reporter);
                match (tap, self.leg_media(key, leg)) {
                    (Some(tap), Some(media)) => media.call_recording = Some(tap),
                    (None, _) => self.input(
                        key,
                        Input::CallRecordingFailed {
                            leg,
                            failure: disk_is_slow(),
                        },
                    ),
                    (_, None) => {
                        let failure =
                            Failure::new(ErrorType::SystemException, "the leg has no audio");
                        self.input(key, Input::CallRecordingFailed { leg, failure });
                    }
                }
            }
            Command::StopCallRecording { leg } => {
                if let Some(media) = self.leg_media(key, leg) {
                    media.call_recording = None;
                }
            }
            Command::PauseCallRecording { leg } => self.pause_call_recording(key, leg, true),
            Command::ResumeCallRecording { leg } => self.pause_call_recording(key, leg, false),
            Command::VoiceFocus { leg, on } => {
                if let Some(media) = self.leg_media(key, leg) {
                    media.set_focus(on);
                }
            }
            Command::LegEnded(record) => self.keep_record(key, *record),
            Command::Dial {
                leg,
                call_id,
                endpoint,
                caller_id,
                headers,
            } => {
                self.dial(
                    key,
                    Dial {
                        leg,
                        call_id,
                        endpoint,
                        uri: None,
                        trunk: None,
                        phone: None,
                        bounds: None,
                        caller_id,
                        headers,
                    },
                );
            }
            Command::CancelDial { leg } => self.cancel_dial(key, leg),
            Command::JoinMeeting {
                leg,
                meeting,
                meeting_id,
                join_token,
            } => self.join_meeting(key, leg, meeting, meeting_id.as_deref(), &join_token),
            Command::LeaveMeeting { leg } => {
                if let Some(media) = self.leg_media(key, leg) {
                    media.seat = None;
                }
            }
            Command::MuteAttendees {
                leg,
                muted,
                meeting_id,
                attendees,
            } => self.mute_attendees(key, leg, muted, &meeting_id, &attendees),
            Command::ListenSpeech { leg, times } => self.listen_for_speech(key, leg, times),
            Command::AskBot { turn, asked } => self.ask_bot(key, turn, *asked),
            Command::DropBot { turn } => {
                if let Some(task) = self
                    .call_mut(key)
                    .and_then(|call| call.talking.remove(&turn))
                {
                    task.abort();
                }
            }
            Command::Bridge { a, b } => {
                if let (Some(a), Some(b)) = (self.media_slot(key, a), self.media_slot(key, b)) {
                    crate::bridge::join(&mut self.media, a, b);
                }
            }
            Command::Unbridge { a, .. } => {
                if let Some(slot) = self.media_slot(key, a) {
                    crate::bridge::part(&mut self.media, slot);
                }
            }
            Command::HangUp { leg } => self.hang_up(key, leg),
            Command::Note(note) => {
                if let Some(call) = self.call(key) {
                    self.shared.trace.note(
                        &call.ids,
                        note.severity == Severity::Problem,
                        &note.text,
                    );
                }
            }
            Command::End => self.remove_call(key),
        }
    }

    pub(super) fn reject(&mut self, key: CallKey, leg: LegId, status: u16) {
        let Some(handle) = self.call(key).and_then(|call| call.leg(leg)?.handle) else {
            return;
        };
        let status = StatusCode::new(status).unwrap_or(StatusCode::TEMPORARILY_UNAVAILABLE);
        let told = self.take_told(key, leg);
        let sent = self
            .endpoint
            .reject(Instant::now(), handle, status, "", &told);
        self.count_call(key, leg, Way::In, Fate::of(status.get()));
        self.note_refused(key, "reject", sent.err().map(|e| e.to_string()));
        self.by_handle.remove(&handle);
        self.set_state(key, leg, LegState::Gone);
        self.release_leg(key, leg);
    }

    pub(super) fn hang_up(&mut self, key: CallKey, leg: LegId) {
        if let Some(handle) = self.call(key).and_then(|call| call.leg(leg)?.handle) {
            let told = self.take_told(key, leg);
            // It may have ended just now; then there is nothing to send.
            let _ = self.endpoint.bye(Instant::now(), handle, &told);
            self.by_handle.remove(&handle);
        }
        self.set_state(key, leg, LegState::Gone);
        self.release_leg(key, leg);
    }

    pub(super) fn note_refused(&self, key: CallKey, what: &str, error: Option<String>) {
        if let (Some(error), Some(call)) = (error, self.call(key)) {
            self.shared
                .trace
                .note(&call.ids, true, &format!("{what}: {error}"));
        }
    }

    fn play(
        &mut self,
        key: CallKey,
        play: PlayId,
        leg: LegId,
        source: PlaySource,
        times: Option<u32>,
    ) {
        match source {
            PlaySource::Speech(speech) => {
                let prompt = self
                    .call(key)
                    .and_then(|call| call.speeches.get(&speech).cloned());
                match prompt {
                    Some(prompt) => self.start_play(key, play, leg, prompt, times),
                    None => {
                        let failure =
                            Failure::new(ErrorType::SystemException, "the text was not rendered");
                        self.input(key, Input::PlayFailed { play, failure });
                    }
                }
            }
            PlaySource::RingingTone => {
                self.start_play(key, play, leg, crate::playback::ringing_tone(), times)
            }
            PlaySource::Digits { digits, tone } => {
                let tone_ms = u32::try_from(tone.as_millis()).unwrap_or(u32::MAX);
                self.send_digits(key, play, leg, &digits, tone_ms);
            }
            PlaySource::File(object) => {
                if let Some(prompt) = self.shared.files.fresh(&object) {
                    return self.start_play(key, play, leg, prompt, times);
                }
                if let Some(call) = self.call_mut(key) {
                    call.loading.insert(play);
                }
                let (files, worker) = (Arc::clone(&self.shared.files), self.handle.clone());
                self.shared.runtime.spawn_blocking(move || {
                    let result = files.load(&object);
                    worker.send(ToWorker::File {
                        call: key,
                        play,
                        leg,
                        times,
                        result,
                    });
                });
            }
        }
    }

    pub(super) fn start_play(
        &mut self,
        key: CallKey,
        play: PlayId,
        leg: LegId,
        prompt: Arc<EncodedPrompt>,
        times: Option<u32>,
    ) {
        let player = match times {
            None => Player::endless(prompt),
            Some(times) => {
                Player::repeating(prompt, NonZeroU32::new(times).unwrap_or(NonZeroU32::MIN), 0)
            }
        };
        let slot = self.media_slot(key, leg);
        match slot.and_then(|slot| Some((slot, self.media.get_mut(slot)?))) {
            Some((slot, media)) => {
                media.playing = Some(Playing { play, player });
                if media.begins_to_speak() {
                    self.beginning.push(slot);
                }
            }
            None => {
                let failure = Failure::new(ErrorType::SystemException, "the leg has no audio");
                self.input(key, Input::PlayFailed { play, failure });
            }
        }
    }

    fn stop_play(&mut self, key: CallKey, play: PlayId, leg: LegId) {
        if let Some(call) = self.call_mut(key) {
            call.loading.remove(&play);
        }
        if let Some(media) = self.leg_media(key, leg) {
            media.stop(play);
        }
    }

    /// SendDigits: telephone events where the peer takes them, tones where not.
    fn send_digits(&mut self, key: CallKey, play: PlayId, leg: LegId, digits: &str, tone_ms: u32) {
        match self.leg_media(key, leg) {
            Some(media) if media.has_digits_in_audio() => {
                let tones = EncodedPrompt::from_pcm(&audible(digits, tone_ms));
                self.start_play(key, play, leg, tones, Some(1));
            }
            Some(media) => {
                if !media.send_digits(play, digits, tone_ms) {
                    let told = "too many digits wait to be sent on this leg";
                    let failure = Failure::new(ErrorType::SystemException, told);
                    self.input(key, Input::PlayFailed { play, failure });
                }
            }
            None => {
                let failure = Failure::new(ErrorType::SystemException, "the leg has no audio");
                self.input(key, Input::PlayFailed { play, failure });
            }
        }
    }

    fn pause_call_recording(&mut self, key: CallKey, leg: LegId, pause: bool) {
        if let Some(tap) = self
            .leg_media(key, leg)
            .and_then(|media| media.call_recording.as_mut())
        {
            tap.pause(pause);
        }
    }
}

pub(super) fn disk_is_slow() -> Failure {
    Failure::new(
        ErrorType::SystemException,
        "too much waits for the disk already",
    )
}
