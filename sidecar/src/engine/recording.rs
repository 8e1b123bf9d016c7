//! RecordAudio, StartCallRecording, StopCallRecording, and where their files go (facts F6).

use std::time::Duration;

use skillcall_protocol::sma::action::{Digit, RecordAudio, S3Object, StartCallRecording};
use skillcall_protocol::sma::event::StoredCallRecording;
use skillcall_protocol::sma::{CallId, ErrorType, TransactionId};

use super::call::Call;
use super::command::{Command, LegId, RecordingId};
use super::input::{Failure, RecordingEnd};
use super::leg::CallRecording;
use super::running::{Origin, Running, Step, stored};
use super::timers::Timer;

/// The folder of call recordings when Location names none (facts F6).
const DEFAULT_PREFIX: &str = "Amazon-Chime-SMA-Call-Recordings";

/// The key of a call recording (facts F6):
/// `<prefix>/YYYY/MM/DD/YYYY-MM-DD-hh-mm-ss-mmm_<transactionId>_<callId>.wav`, in UTC.
pub fn call_recording_key(
    prefix: Option<&str>,
    unix_millis: u64,
    transaction: &TransactionId,
    call: &CallId,
) -> String {
    let day = utc(unix_millis, "%Y/%m/%d");
    format!(
        "{}/{day}/{}",
        prefix.unwrap_or(DEFAULT_PREFIX),
        file_name(unix_millis, transaction, call)
    )
}

/// The key of a RecordAudio recording: the prefix, then `YYYY-MM-DD-hh-mm-ss-mmm_<transactionId>_<callId>.wav`. Amazon
/// does not publish its own; the prefix is taken as a folder.
pub fn recording_key(
    prefix: Option<&str>,
    unix_millis: u64,
    transaction: &TransactionId,
    call: &CallId,
) -> String {
    let name = file_name(unix_millis, transaction, call);
    match prefix
        .map(|prefix| prefix.trim_end_matches('/'))
        .filter(|prefix| !prefix.is_empty())
    {
        Some(prefix) => format!("{prefix}/{name}"),
        None => name,
    }
}

fn file_name(unix_millis: u64, transaction: &TransactionId, call: &CallId) -> String {
    let time = utc(unix_millis, "%Y-%m-%d-%H-%M-%S");
    format!("{time}-{:03}_{transaction}_{call}.wav", unix_millis % 1000)
}

fn utc(unix_millis: u64, format: &str) -> String {
    let millis = i64::try_from(unix_millis).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    time.strftime(format).to_string()
}

impl Call {
    pub(super) fn start_record_audio(&mut self, origin: Origin, action: &RecordAudio) {
        let Some(call_id) = self.legs.get(origin.leg).map(|leg| leg.call_id.clone()) else {
            return;
        };
        self.ensure_answered(origin.leg);
        let recording = RecordingId(self.number());
        let place = &action.recording_destination;
        let key = recording_key(
            place.prefix.as_deref(),
            self.now.unix_millis,
            &self.transaction_id,
            &call_id,
        );
        let object = S3Object::new(place.bucket_name.clone(), key);
        self.push(Command::StartRecording {
            recording,
            leg: origin.leg,
            object: object.clone(),
            limit: action.limit(),
            silence: action.silence(),
        });
        let terminators = action.recording_terminators.clone();
        self.run(
            origin,
            Step::Recording {
                recording,
                object,
                terminators,
                used: None,
                stopping: false,
            },
        );
    }

    /// A terminator was pressed.
    pub(super) fn end_recording(&mut self, digit: Digit) {
        let until = self.now.instant + self.config.limits.storage;
        let Some(Running {
            origin,
            step:
                Step::Recording {
                    recording,
                    used,
                    stopping,
                    ..
                },
            ..
        }) = &mut self.running
        else {
            return;
        };
        if *stopping {
            return;
        }
        *stopping = true;
        *used = Some(digit);
        let command = Command::StopRecording {
            recording: *recording,
            leg: origin.leg,
        };
        self.push(command);
        self.timers.set(Timer::Step, until);
    }

    pub(super) fn on_recording_ended(
        &mut self,
        recording: RecordingId,
        length: Duration,
        end: RecordingEnd,
    ) {
        if !self.is_recording(recording) {
            return;
        }
        let Some(running) = self.take_running() else {
            return;
        };
        let Step::Recording { object, used, .. } = &running.step else {
            return;
        };
        let why = match (used, end) {
            (Some(digit), _) => format!("the digit {digit}"),
            (None, RecordingEnd::Silence) => "silence".to_owned(),
            (None, RecordingEnd::Limit) => "its limit".to_owned(),
            (None, RecordingEnd::Stopped) => "the media side".to_owned(),
        };
        self.info(format!(
            "the recording of {:.1} s ended by {why}",
            length.as_secs_f64()
        ));
        let mut data = running.origin.data();
        data.recording_destination = Some(stored(object));
        data.recording_terminator_used = used.map(|digit| digit.to_string());
        self.succeeded(&running.origin, data);
    }

    pub(super) fn on_recording_failed(&mut self, recording: RecordingId, failure: &Failure) {
        if self.is_recording(recording)
            && let Some(running) = self.take_running()
        {
            self.failed(&running.origin, failure);
        }
    }

    fn is_recording(&self, recording: RecordingId) -> bool {
        matches!(&self.running, Some(Running { step: Step::Recording { recording: mine, .. }, .. }) if *mine == recording)
    }

    /// The store took too long, for a recording's end or for a call recording's beginning.
    pub(super) fn storage_timed_out(&mut self) {
        let waited = self.config.limits.storage.as_secs_f64();
        if let Some(Running {
            origin,
            step: Step::StartingRecording { .. },
            ..
        }) = &self.running
        {
            let leg = origin.leg;
            self.set_call_recording(leg, CallRecording::Never);
        }
        self.running_failed(&Failure::new(
            ErrorType::SystemException,
            format!("the store did not respond within {waited} s"),
        ));
    }

    /// Recording needs media, so an unanswered call is answered (our choice: facts E4 names media actions only).
    pub(super) fn start_call_recording(&mut self, origin: Origin, action: &StartCallRecording) {
        let Some(leg) = self.legs.get(origin.leg) else {
            return;
        };
        let call_id = leg.call_id.clone();
        if leg.recording != CallRecording::Never {
            let told = format!(
                "{} has been recorded already; a leg can be recorded once in a call",
                leg.id.tag()
            );
            return self.failed(
                &origin,
                &Failure::new(ErrorType::InvalidActionParameter, told),
            );
        }
        self.ensure_answered(origin.leg);
        self.set_call_recording(origin.leg, CallRecording::On);
        let place = &action.destination;
        let key = call_recording_key(
            place.prefix.as_deref(),
            self.now.unix_millis,
            &self.transaction_id,
            &call_id,
        );
        let location = format!("{}/{key}", place.bucket);
        let object = S3Object::new(place.bucket.clone(), key);
        self.push(Command::StartCallRecording {
            leg: origin.leg,
            call_id,
            track: action.track,
            object,
        });
        self.timers
            .set(Timer::Step, self.now.instant + self.config.limits.storage);
        self.run(origin, Step::StartingRecording { location });
    }

    fn set_call_recording(&mut self, leg: LegId, recording: CallRecording) {
        if let Some(leg) = self.legs.get_mut(leg) {
            leg.recording = recording;
        }
    }

    fn is_starting_recording(&self, leg: LegId) -> bool {
        matches!(&self.running, Some(Running { origin, step: Step::StartingRecording { .. }, .. }) if origin.leg == leg)
    }

    pub(super) fn on_call_recording_started(&mut self, leg: LegId) {
        if !self.is_starting_recording(leg) {
            return;
        }
        let Some(running) = self.take_running() else {
            return;
        };
        let mut data = running.origin.data();
        if let Step::StartingRecording { location } = running.step {
            data.call_recording_destination = Some(StoredCallRecording {
                kind: "S3".to_owned(),
                location,
            });
        }
        self.succeeded(&running.origin, data);
    }

    pub(super) fn on_call_recording_failed(&mut self, leg: LegId, failure: &Failure) {
        if self.is_starting_recording(leg) {
            self.set_call_recording(leg, CallRecording::Never);
            if let Some(running) = self.take_running() {
                self.failed(&running.origin, failure);
            }
        } else if self
            .legs
            .get(leg)
            .is_some_and(|leg| leg.recording.is_running())
        {
            // The action was reported long ago, and no event tells of this.
            self.set_call_recording(leg, CallRecording::Ended);
            self.problem(format!(
                "the recording of {leg} broke off: {}",
                failure.message
            ));
        }
    }

    pub(super) fn stop_call_recording(&mut self, origin: Origin) {
        let leg = origin.leg;
        if self
            .legs
            .get(leg)
            .is_none_or(|leg| !leg.recording.is_running())
        {
            return self.not_recorded(&origin);
        }
        self.set_call_recording(leg, CallRecording::Ended);
        self.push(Command::StopCallRecording { leg });
        self.succeeded(&origin, origin.data());
    }

    /// PauseCallRecording and ResumeCallRecording, any number of times (facts F6). What is so already stays so, and
    /// succeeds (our choice).
    pub(super) fn pause_call_recording(&mut self, origin: Origin, pause: bool) {
        let leg = origin.leg;
        match self.legs.get(leg).map(|leg| leg.recording) {
            Some(CallRecording::On) if pause => {
                self.set_call_recording(leg, CallRecording::Paused);
                self.push(Command::PauseCallRecording { leg });
            }
            Some(CallRecording::Paused) if !pause => {
                self.set_call_recording(leg, CallRecording::On);
                self.push(Command::ResumeCallRecording { leg });
            }
            Some(CallRecording::On | CallRecording::Paused) => {}
            _ => return self.not_recorded(&origin),
        }
        self.succeeded(&origin, origin.data());
    }

    fn not_recorded(&mut self, origin: &Origin) {
        let told = format!("{} is not being recorded", origin.leg.tag());
        self.failed(
            origin,
            &Failure::new(ErrorType::InvalidActionParameter, told),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_laid_out_as_amazon_does() {
        let (transaction, call) = ("t-1".into(), "c-1".into());
        // 2024-05-01T10:11:12.034Z
        let time = 1_714_558_272_034;
        assert_eq!(
            call_recording_key(None, time, &transaction, &call),
            "Amazon-Chime-SMA-Call-Recordings/2024/05/01/2024-05-01-10-11-12-034_t-1_c-1.wav"
        );
        assert_eq!(
            call_recording_key(Some("desk"), time, &transaction, &call),
            "desk/2024/05/01/2024-05-01-10-11-12-034_t-1_c-1.wav"
        );
        assert_eq!(
            recording_key(Some("mail/"), time, &transaction, &call),
            "mail/2024-05-01-10-11-12-034_t-1_c-1.wav"
        );
        assert_eq!(
            recording_key(None, time, &transaction, &call),
            "2024-05-01-10-11-12-034_t-1_c-1.wav"
        );
        assert!(
            recording_key(None, u64::MAX, &transaction, &call).starts_with("9999-"),
            "no time makes it fail"
        );
    }
}
