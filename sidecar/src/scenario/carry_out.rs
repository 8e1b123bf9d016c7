//! What the engine wants done, done virtually.

use std::time::Duration;

use serde_json::json;
use skillcall_protocol::sma::ErrorType;
use skillcall_protocol::sma::action::{BridgeEndpoint, S3Object};

use super::file::{FileSetting, Missing};
use super::legs::{Recording, State, VirtualLeg, place};
use super::log::{Happened, Heard};
use super::stage::{Asked, Coming, Stage};
use crate::engine::{
    Command, Failure, Input, LegId, PlayId, PlaySource, RecordingEnd, RecordingId, Severity,
};

/// A file of a bucket that the scenario does not know.
const ANY_FILE: Duration = Duration::from_secs(2);
/// Between two digits that are sent.
const DIGIT_GAP: Duration = Duration::from_millis(100);
/// A comma among them (facts F6).
const COMMA: Duration = Duration::from_millis(500);

impl Stage<'_> {
    pub(super) fn carry_out(&mut self, command: Command) {
        match command {
            Command::Ring { leg, .. } => self.note(Some(leg), Happened::Rings),
            Command::Answer { leg } => {
                if let Some(answered) = self.legs.get_mut(&leg) {
                    answered.state = State::Connected;
                }
                self.note(Some(leg), Happened::Answered);
            }
            Command::Reject { leg, status } => {
                self.note(Some(leg), Happened::Rejected(status));
                self.leg_is_gone(leg);
            }
            Command::HangUp { leg } => {
                self.note(Some(leg), Happened::HungUp);
                self.leg_is_gone(leg);
            }
            Command::Ask {
                sequence,
                attempt,
                event,
            } => {
                let json = serde_json::to_value(&*event).unwrap_or_default();
                let told = Happened::Event {
                    event: event.clone(),
                    json,
                    attempt,
                };
                self.note(None, told);
                self.asked = Some(Asked {
                    sequence,
                    attempt,
                    event,
                });
            }
            // A scenario has one application.
            Command::AbandonAsk { .. } | Command::NextTarget => {}
            Command::Render { speech, parameters } => {
                let input = match super::speech::spoken(&parameters, self.setting) {
                    Ok(spoken) => {
                        for text in &spoken.notes {
                            let text = text.clone();
                            let problem = false;
                            self.note(None, Happened::Note { problem, text });
                        }
                        self.speeches.insert(speech, spoken);
                        Input::SpeechReady { speech }
                    }
                    Err(failure) => Input::SpeechFailed { speech, failure },
                };
                self.inbox.push_back(input);
            }
            Command::DropSpeech { speech } => {
                self.speeches.remove(&speech);
            }
            Command::Play {
                play,
                leg,
                source,
                times,
            } => self.play(play, leg, source, times),
            Command::StopPlay { play, leg } => {
                let is_playing = |leg: &&mut VirtualLeg| leg.playing == Some(play);
                if let Some(playing) = self.legs.get_mut(&leg).filter(is_playing) {
                    playing.playing = None;
                    self.note(Some(leg), Happened::Stopped);
                }
            }
            Command::ListenDigits { .. } => {}
            Command::StartRecording {
                recording,
                leg,
                object,
                limit,
                silence,
            } => {
                self.note(Some(leg), Happened::Records(place(&object)));
                let silence = silence.map(|silence| silence.duration);
                self.begin_recording(leg, Some(recording), object, silence);
                if let Some(limit) = limit {
                    let over = Coming::RecordingOver(leg, recording, RecordingEnd::Limit);
                    self.later(limit, over);
                }
                if let Some(silence) = silence {
                    let over = Coming::RecordingOver(leg, recording, RecordingEnd::Silence);
                    self.later(silence, over);
                }
            }
            Command::StopRecording { recording, leg } => {
                self.end_recording(leg, recording, RecordingEnd::Stopped);
            }
            Command::StartCallRecording { leg, object, .. } => {
                if self.is_missing(&object.bucket_name) {
                    let told = format!("bucket `{}` is missing", object.bucket_name);
                    let failure = Failure::new(ErrorType::NoAccessToDestination, told);
                    self.inbox
                        .push_back(Input::CallRecordingFailed { leg, failure });
                    return;
                }
                self.note(Some(leg), Happened::Records(place(&object)));
                self.begin_recording(leg, None, object, None);
                self.inbox.push_back(Input::CallRecordingStarted { leg });
            }
            Command::StopCallRecording { leg } => {
                let ended = self
                    .legs
                    .get_mut(&leg)
                    .and_then(|leg| leg.call_recording.take());
                self.recorded(leg, ended);
            }
            Command::PauseCallRecording { leg } => self.pause(leg, true),
            Command::ResumeCallRecording { leg } => self.pause(leg, false),
            Command::VoiceFocus { leg, on } => {
                let told = format!("VoiceFocus is {}", if on { "on" } else { "off" });
                self.note(Some(leg), Happened::Told(told));
            }
            Command::Dial {
                leg,
                endpoint,
                caller_id,
                headers,
                ..
            } => {
                let (number, arn) = match endpoint {
                    BridgeEndpoint::Pstn { uri } => (uri, None),
                    BridgeEndpoint::Aws { uri, arn } => (uri, arn),
                };
                let details = json!({ "callerId": caller_id, "headers": headers, "arn": arn });
                self.dial(leg, &number);
                self.note(Some(leg), Happened::Called { number, details });
            }
            Command::CancelDial { leg } => {
                // The leg may count as ended already; the engine waits for the word all the same.
                self.leg_is_gone(leg);
                let reason = "cancelled".to_owned();
                let status = 487;
                self.inbox.push_back(Input::Refused {
                    leg,
                    status,
                    reason,
                });
            }
            Command::JoinMeeting {
                leg,
                meeting,
                meeting_id,
                join_token,
            } => {
                let tokens = &self.setting.meeting.join_tokens;
                if tokens.is_empty() || tokens.contains(&join_token) {
                    let told = Happened::Joins(meeting_id.unwrap_or_default());
                    self.note(Some(leg), told);
                    self.inbox.push_back(Input::MeetingJoined { leg: meeting });
                } else {
                    let told = "the JoinToken is none of the scenario's join-tokens";
                    let failure = Failure::new(ErrorType::ErrorJoiningMeeting, told);
                    let leg = meeting;
                    self.inbox.push_back(Input::MeetingRefused { leg, failure });
                }
            }
            // A scenario's application has no bots, so that the engine asks none.
            Command::AskBot { turn, .. } => {
                let told = "a scenario has no bots";
                let result = Err(Failure::new(ErrorType::SystemException, told));
                self.inbox.push_back(Input::Bot { turn, result });
            }
            Command::ListenSpeech { .. } | Command::DropBot { .. } => {}
            Command::LeaveMeeting { leg } => {
                self.note(Some(leg), Happened::Told("has left the meeting".to_owned()));
            }
            Command::MuteAttendees {
                leg,
                muted,
                attendees,
                ..
            } => {
                let known = &self.setting.meeting.strangers;
                let strangers: Vec<_> = attendees
                    .iter()
                    .filter(|attendee| known.contains(attendee))
                    .cloned()
                    .collect();
                let result = if strangers.is_empty() {
                    let verb = if muted { "mutes" } else { "unmutes" };
                    let told = format!("{verb} {}", attendees.join(", "));
                    self.note(Some(leg), Happened::Told(told));
                    Ok(())
                } else {
                    let told = "some of AttendeeList are none of the meeting's attendees";
                    Err((told.to_owned(), strangers))
                };
                self.inbox.push_back(Input::AttendeesModified { result });
            }
            Command::Bridge { b, .. } => {
                self.bridged = Some(b);
                self.note(None, Happened::Bridged);
            }
            Command::Unbridge { .. } => {
                self.bridged = None;
                self.note(None, Happened::Parted);
            }
            Command::LegEnded(record) => {
                self.leg_is_gone(record.leg);
                self.note(Some(record.leg), Happened::Ended(record.code));
            }
            Command::Note(note) => {
                let problem = note.severity == Severity::Problem;
                let text = note.text;
                self.note(None, Happened::Note { problem, text });
            }
            Command::End => self.note(None, Happened::Over),
        }
    }

    fn play(&mut self, play: PlayId, leg: LegId, source: PlaySource, times: Option<u32>) {
        let (heard, length) = match source {
            PlaySource::Speech(speech) => {
                let Some(spoken) = self.speeches.get(&speech) else {
                    return;
                };
                (Heard::Words(spoken.words.clone()), spoken.length)
            }
            PlaySource::File(object) => match self.length_of(&object) {
                Ok(length) => (Heard::File(place(&object)), length),
                Err(failure) => {
                    self.inbox.push_back(Input::PlayFailed { play, failure });
                    return;
                }
            },
            PlaySource::RingingTone => (Heard::RingingTone, ANY_FILE),
            PlaySource::Digits { digits, tone } => {
                let one = |digit| {
                    if digit == ',' {
                        COMMA
                    } else {
                        tone + DIGIT_GAP
                    }
                };
                let length = digits.chars().map(one).sum();
                (Heard::Digits(digits), length)
            }
        };
        if let Heard::Words(words) = &heard
            && let Some(hearing) = self.legs.get_mut(&leg)
        {
            hearing.record(words, true);
        }
        if let Some(hearing) = self.legs.get_mut(&leg) {
            hearing.playing = Some(play);
        }
        let play_heard = Happened::Hears {
            play: Some(play),
            heard,
        };
        self.note(Some(leg), play_heard);
        if let Some(times) = times {
            self.later(length * times, Coming::PlayOver(leg, play));
        }
    }

    /// How long a file is: it lies in a folder of the scenario's, or is named by it, or may be anything.
    fn length_of(&self, object: &S3Object) -> Result<Duration, Failure> {
        match self.setting.files.get(&place(object)) {
            Some(FileSetting::Lasts(span)) => return Ok(span.0),
            Some(FileSetting::Missing(Missing::Missing)) => {
                let told = format!("{} is missing", place(object));
                return Err(Failure::new(ErrorType::InvalidAudioSource, told));
            }
            None => {}
        }
        if self.setting.buckets.contains_key(&object.bucket_name) {
            let prompt = self.prompts.load(object)?;
            return Ok(Duration::from_millis(prompt.duration_ms()));
        }
        if self.is_missing(&object.bucket_name) {
            let told = format!("bucket `{}` is missing", object.bucket_name);
            return Err(Failure::new(ErrorType::InvalidAudioSource, told));
        }
        Ok(ANY_FILE)
    }

    /// Whether the scenario says that a bucket is not there.
    fn is_missing(&self, bucket: &str) -> bool {
        matches!(
            self.setting.files.get(bucket),
            Some(FileSetting::Missing(_))
        )
    }

    fn dial(&mut self, leg: LegId, number: &str) {
        let party = self.setting.party(number);
        let rings = party
            .rings_after
            .map_or(Duration::from_millis(200), |span| span.0);
        self.later(rings, Coming::Rings(leg));
        if let Some(status) = party.refuses {
            let after = party
                .refuses_after
                .map_or(Duration::from_secs(1), |span| span.0);
            self.later(after, Coming::Refuses(leg, status));
        } else if !party.never_answers {
            let after = party
                .answers_after
                .map_or(Duration::from_secs(2), |span| span.0);
            self.later(after, Coming::Answers(leg));
        }
        self.legs.insert(leg, VirtualLeg::new(Some(party)));
    }

    fn begin_recording(
        &mut self,
        leg: LegId,
        id: Option<RecordingId>,
        object: S3Object,
        silence: Option<Duration>,
    ) {
        let began = self.now.instant;
        let Some(leg) = self.legs.get_mut(&leg) else {
            return;
        };
        let recording = Some(Recording {
            id,
            object,
            began,
            silence,
            words: Vec::new(),
            paused: false,
        });
        match id {
            Some(_) => leg.recording = recording,
            None => leg.call_recording = recording,
        }
    }

    fn pause(&mut self, leg: LegId, paused: bool) {
        if let Some(recording) = self
            .legs
            .get_mut(&leg)
            .and_then(|leg| leg.call_recording.as_mut())
        {
            recording.paused = paused;
        }
        let told = if paused {
            "is not recorded for now"
        } else {
            "is recorded again"
        };
        self.note(Some(leg), Happened::Told(told.to_owned()));
    }

    /// A recording reaches its limit, or a moment when it may have been silent for long enough.
    pub(super) fn recording_may_end(&mut self, leg: LegId, id: RecordingId, end: RecordingEnd) {
        let now = self.now.instant;
        let Some(recorded) = self.legs.get(&leg) else {
            return;
        };
        let Some(recording) = recorded.recording.as_ref().filter(|r| r.id == Some(id)) else {
            return;
        };
        if end == RecordingEnd::Silence
            && let Some(silence) = recording.silence
        {
            let since = recorded
                .voice_until
                .map_or(recording.began, |voice| voice.max(recording.began));
            let until = since + silence;
            if until > now {
                let over = Coming::RecordingOver(leg, id, RecordingEnd::Silence);
                return self.later(until - now, over);
            }
        }
        self.end_recording(leg, id, end);
        if let Some(input) = self.inbox.pop_front() {
            self.give(input);
        }
    }

    fn end_recording(&mut self, leg: LegId, id: RecordingId, end: RecordingEnd) {
        let Some(recorded) = self.legs.get_mut(&leg) else {
            return;
        };
        if recorded.recording.as_ref().is_none_or(|r| r.id != Some(id)) {
            return;
        }
        let ended = recorded.recording.take();
        let length = ended.as_ref().map_or(Duration::ZERO, |recording| {
            self.now.instant.saturating_duration_since(recording.began)
        });
        self.recorded(leg, ended);
        self.inbox.push_back(Input::RecordingEnded {
            recording: id,
            length,
            end,
        });
    }

    fn recorded(&mut self, leg: LegId, recording: Option<Recording>) {
        if let Some(recording) = recording {
            let length = self.now.instant.saturating_duration_since(recording.began);
            let told = Happened::Recorded {
                place: place(&recording.object),
                words: recording.words.join(" "),
                length,
            };
            self.note(Some(leg), told);
        }
    }

    /// A leg has gone, by whomever: its recordings are complete.
    pub(super) fn leg_is_gone(&mut self, leg: LegId) {
        let Some(gone) = self.legs.get_mut(&leg) else {
            return;
        };
        gone.state = State::Gone;
        gone.playing = None;
        let recordings = [gone.recording.take(), gone.call_recording.take()];
        for recording in recordings {
            self.recorded(leg, recording);
        }
    }
}
