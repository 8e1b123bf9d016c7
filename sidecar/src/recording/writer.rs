//! The thread that writes recordings.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufWriter;
use std::sync::atomic::Ordering;

use crossbeam_channel::Receiver;
use skillcall_media::recorder::{Recorder, Track};
use skillcall_media::wav::WavError;
use skillcall_protocol::sma::ErrorType;
use skillcall_protocol::sma::action::S3Object;

use super::{HeardFrame, Job, Report, Reporter, Stored};
use crate::bucket::{BucketError, Buckets, Metadata, Storing};
use crate::engine::Failure;
use crate::figures::Figures;

struct Open {
    recorder: Recorder<BufWriter<File>>,
    storing: Storing,
    object: S3Object,
    call_recording: bool,
    reporter: Reporter,
}

pub(super) fn run(queue: &Receiver<Job>, buckets: &Buckets, figures: &Figures) {
    let mut open: HashMap<u64, Open> = HashMap::new();
    while let Ok(job) = queue.recv() {
        match job {
            Job::Open {
                id,
                object,
                track,
                call_recording,
                reporter,
            } => match create(buckets, &object, track) {
                Ok((recorder, storing)) => {
                    reporter(Report::Opened);
                    open.insert(
                        id,
                        Open {
                            recorder,
                            storing,
                            object,
                            call_recording,
                            reporter,
                        },
                    );
                }
                Err(what) => reporter(Report::Failed(refusal(what, call_recording))),
            },
            Job::Frames { id, frames } => {
                let written = open.get_mut(&id).map(|recording| write(recording, &frames));
                if let Some(Err(error)) = written
                    && let Some(recording) = open.remove(&id)
                {
                    (recording.reporter)(Report::Failed(Failure::new(
                        ErrorType::SystemException,
                        format!("{}: {error}", recording.object.key),
                    )));
                }
            }
            Job::Finish { id } => {
                if let Some(recording) = open.remove(&id) {
                    finish(recording);
                }
            }
            Job::Stop => break,
        }
        figures.recordings.store(open.len(), Ordering::Relaxed);
    }
    for (_, recording) in open.drain() {
        finish(recording);
    }
    figures.recordings.store(0, Ordering::Relaxed);
}

enum NotCreated {
    Bucket(BucketError),
    Wav(WavError),
}

fn create(
    buckets: &Buckets,
    object: &S3Object,
    track: Track,
) -> Result<(Recorder<BufWriter<File>>, Storing), NotCreated> {
    let (file, storing) = buckets
        .create(&object.bucket_name, &object.key)
        .map_err(NotCreated::Bucket)?
        .split();
    let recorder = Recorder::new(BufWriter::new(file), track).map_err(NotCreated::Wav)?;
    Ok((recorder, storing))
}

/// Facts F6: a call recording that may not be stored is NoAccessToDestination, RecordAudio's upload errors are
/// InvalidActionParameter.
fn refusal(what: NotCreated, call_recording: bool) -> Failure {
    match what {
        NotCreated::Bucket(error) if call_recording => {
            Failure::new(ErrorType::NoAccessToDestination, error.to_string())
        }
        NotCreated::Bucket(error) => {
            Failure::new(ErrorType::InvalidActionParameter, error.to_string())
        }
        NotCreated::Wav(error) => Failure::new(ErrorType::SystemException, error.to_string()),
    }
}

fn write(recording: &mut Open, frames: &[HeardFrame]) -> Result<(), WavError> {
    frames.iter().try_for_each(|frame| {
        recording
            .recorder
            .push(Some(&frame.incoming), Some(&frame.outgoing))
    })
}

fn finish(recording: Open) {
    let Open {
        recorder,
        storing,
        object,
        call_recording,
        reporter,
    } = recording;
    let seconds = match recorder.finish() {
        Ok(seconds) => seconds,
        Err(error) => {
            return reporter(Report::Failed(Failure::new(
                ErrorType::SystemException,
                format!("{}: {error}", object.key),
            )));
        }
    };
    let metadata = if call_recording {
        metadata(&object.key, seconds)
    } else {
        Metadata::new()
    };
    storing.store(metadata, move |result| {
        reporter(match result {
            Ok(()) => Report::Finished(Stored { object, seconds }),
            Err(error) => Report::Failed(refusal(NotCreated::Bucket(error), call_recording)),
        });
    });
}

/// What Amazon stores a call recording with (facts F6). Its key ends with both ids.
fn metadata(key: &str, seconds: f64) -> Metadata {
    let mut parts = key.trim_end_matches(".wav").rsplit('_');
    let (call, transaction) = (parts.next(), parts.next());
    [
        ("transaction-id", transaction.map(str::to_owned)),
        ("call-id", call.map(str::to_owned)),
        ("recording-duration", Some(format!("{seconds:.3}"))),
        ("recording-audio-file-format", Some("wav".to_owned())),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::RecordingStore;
    use skillcall_media::{tone, wav};
    use std::sync::Arc;

    #[test]
    fn both_directions_become_a_stereo_file() {
        let folder = tempfile::tempdir().unwrap();
        let buckets = Arc::new(Buckets::new([("recordings".into(), folder.path().into())]));
        let figures = Arc::new(Figures::default());
        let (store, thread) = RecordingStore::start(buckets, Arc::clone(&figures)).unwrap();
        let (reports, received) = crossbeam_channel::unbounded();
        let reporter: Reporter = Arc::new(move |report| reports.send(report).unwrap());
        let object = S3Object::new("recordings", "2026/11/21/call.wav");
        let mut tap = store
            .open(object.clone(), Track::Both, true, Arc::clone(&reporter))
            .unwrap();
        assert!(matches!(received.recv().unwrap(), Report::Opened));
        let left: Frame = tone::sine(400.0, -10.0, 160).try_into().unwrap();
        let right: Frame = tone::sine(800.0, -10.0, 160).try_into().unwrap();
        for _ in 0..60 {
            assert_eq!(tap.push(&left, &right), None);
        }
        drop(tap);
        let Report::Finished(stored) = received.recv().unwrap() else {
            panic!("not finished")
        };
        assert!((stored.seconds - 1.2).abs() < 1e-9);
        assert_eq!(
            (&*stored.object.bucket_name, &*stored.object.key),
            ("recordings", "2026/11/21/call.wav")
        );
        let audio = wav::read_file(&folder.path().join(&stored.object.key)).unwrap();
        assert_eq!((audio.file_channels, audio.samples.len()), (2, 9600));
        // The same name again: a recording is never overwritten.
        let again = store
            .open(object, Track::Both, true, Arc::clone(&reporter))
            .unwrap();
        let Report::Failed(failure) = received.recv().unwrap() else {
            panic!("overwritten")
        };
        assert_eq!(failure.error_type, ErrorType::NoAccessToDestination);
        drop(again);
        let outside = store
            .open(
                S3Object::new("recordings", "../x.wav"),
                Track::Incoming,
                false,
                reporter,
            )
            .unwrap();
        let Report::Failed(failure) = received.recv().unwrap() else {
            panic!("outside")
        };
        assert_eq!(failure.error_type, ErrorType::InvalidActionParameter);
        drop(outside);
        store.stop();
        thread.join().unwrap();
        assert_eq!(figures.recordings.load(Ordering::Relaxed), 0);
    }

    use skillcall_media::Frame;

    #[test]
    fn a_pause_is_a_tone_and_silence() {
        let folder = tempfile::tempdir().unwrap();
        let buckets = Arc::new(Buckets::new([("r".into(), folder.path().into())]));
        let (store, thread) = RecordingStore::start(buckets, Arc::default()).unwrap();
        let (reports, received) = crossbeam_channel::unbounded();
        let reporter: Reporter = Arc::new(move |report| reports.send(report).unwrap());
        let object = S3Object::new("r", "pause.wav");
        let mut tap = store.open(object, Track::Incoming, true, reporter).unwrap();
        let said: Frame = tone::sine(400.0, -10.0, 160).try_into().unwrap();
        for frame in 0..150 {
            match frame {
                50 => tap.pause(true),
                100 => tap.pause(false),
                _ => {}
            }
            tap.push(&said, &said);
        }
        drop(tap);
        let stored = received
            .iter()
            .find_map(|report| match report {
                Report::Finished(stored) => Some(stored),
                _ => None,
            })
            .unwrap();
        assert!(
            (stored.seconds - 3.0).abs() < 1e-9,
            "a pause takes no time out"
        );
        let samples = wav::read_file(&folder.path().join(&stored.object.key))
            .unwrap()
            .samples;
        assert!(tone::power_at(&samples[..8000], 400.0) > 0.95);
        assert!(tone::power_at(&samples[8000..9600], 1000.0) > 0.95);
        assert!(samples[9600..16_000].iter().all(|sample| *sample == 0));
        assert!(tone::power_at(&samples[16_000..], 400.0) > 0.95);
        store.stop();
        thread.join().unwrap();
    }
}
