//! Who hangs up when: during each action, before the answer, and in the bridged call.

use serde_json::{Value, json};
use skillcall_host_tests::handler::action;
use skillcall_host_tests::{Handler, Staging, plans, sound, undisturbed, until};
use skillcall_protocol::trace::{Kind, Record};
use skillcall_simulator::config::PhoneConfig;
use skillcall_simulator::line::{Answering, CallState, EndedBy, Voice};

/// The far end hangs up while this action runs: HANGUP is told, and nothing is held.
async fn during(name: &str, parameters: Value) -> Handler {
    let actions = vec![
        action(name, parameters),
        action("Pause", json!({"DurationInMilliseconds": "1"})),
    ];
    let handler = Handler::playing(actions).await;
    let phone = PhoneConfig {
        answering: Answering::Never,
        ..PhoneConfig::default()
    };
    let staging = Staging::new(plans::straight()).handled_by(handler.url());
    let stage = staging
        .simulator(|simulator| simulator.phone = Some(phone))
        .start()
        .await;
    let minute = skillcall_media::tone::sine(500.0, -13.0, 60 * 8000);
    let minute = skillcall_media::wav::to_bytes(&minute, 1).expect("a WAV");
    std::fs::write(stage.folder().join("prompts/minute.wav"), minute).expect("a prompt");
    let (_, call) = stage.call().await;
    stage.control.running(name).await;
    if name == "CallAndBridge" {
        stage.phone(CallState::Ringing).await;
    } else if name != "Pause" {
        stage
            .call_is(&call.id, |call| call.state == CallState::Talking)
            .await;
    }
    stage.simulator.hang_up(&call.id).await.expect("hung up");
    let hangup = handler.event("HANGUP").await;
    assert_eq!(
        hangup["ActionData"]["Parameters"]["ParticipantTag"], "LEG-A",
        "{hangup}"
    );
    let legs = hangup["CallDetails"]["Participants"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let leg = legs
        .iter()
        .find(|leg| leg["ParticipantTag"] == "LEG-A")
        .expect("leg A");
    assert_eq!(leg["Status"], "Disconnected", "facts E3");
    stage.quiet().await;
    assert_eq!(
        handler
            .types()
            .iter()
            .filter(|kind| *kind == "HANGUP")
            .count(),
        1,
        "{:?}",
        handler.types()
    );
    assert!(
        !handler.types().contains(&"ACTION_FAILED".to_owned()),
        "{:?}",
        handler.types()
    );
    stage.end().await;
    handler
}

const LONG: &str = "One, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen, fourteen, fifteen, \
                    sixteen, seventeen, eighteen, nineteen, twenty, and so on, and so on, until nobody listens any more.";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn during_speak() {
    during("Speak", json!({"Text": LONG, "CallId": ""})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn during_speak_and_get_digits() {
    let parameters = json!({
        "SpeechParameters": {"Text": LONG},
        "FailureSpeechParameters": {"Text": "Sorry."},
        "RepeatDurationInMilliseconds": 60000,
    });
    during("SpeakAndGetDigits", parameters).await;
}

fn minute() -> Value {
    json!({"Type": "S3", "BucketName": "prompts", "Key": "minute.wav"})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn during_play_audio() {
    during("PlayAudio", json!({"AudioSource": minute(), "Repeat": "2"})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn during_play_audio_and_get_digits() {
    let parameters = json!({
        "AudioSource": minute(),
        "FailureAudioSource": minute(),
        "RepeatDurationInMilliseconds": 60000,
    });
    during("PlayAudioAndGetDigits", parameters).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn during_a_pause() {
    during("Pause", json!({"DurationInMilliseconds": "60000"})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_rings_at_the_phone() {
    let parameters = json!({
        "CallTimeoutSeconds": "60",
        "CallerIdNumber": plans::DESK,
        "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": plans::PHONE}],
    });
    during("CallAndBridge", parameters).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn during_record_audio_which_is_kept() {
    let parameters = json!({
        "DurationInSeconds": "60",
        "RecordingTerminators": ["#"],
        "RecordingDestination": {"Type": "S3", "BucketName": "recordings", "Prefix": "messages"},
    });
    let handler = during("RecordAudio", parameters).await;
    let kept = handler.event("ACTION_SUCCESSFUL").await;
    assert_eq!(
        kept["ActionData"]["RecordingDestination"]["BucketName"], "recordings",
        "{kept}"
    );
}

/// The far end hangs up while nothing but a call recording runs: at once, or after some seconds of talk. What was
/// recorded, if anything.
async fn during_a_call_recording(at_once: bool) -> Option<(Vec<i16>, Vec<i16>)> {
    let record = action(
        "StartCallRecording",
        json!({
            "Track": "BOTH",
            "Destination": {"Type": "S3", "Location": "recordings"},
        }),
    );
    let handler = Handler::playing(vec![record]).await;
    let staging = Staging::new(plans::straight()).handled_by(handler.url());
    let stage = staging
        .simulator(|simulator| simulator.device.voice = Voice::Tone { hz: 600.0 })
        .start()
        .await;
    let (said, call) = stage.call().await;
    // Recording answers the call (our choice).
    stage
        .call_is(&call.id, |call| call.state == CallState::Talking)
        .await;
    if !at_once {
        let started = handler.event("ACTION_SUCCESSFUL").await;
        let place = &started["ActionData"]["CallRecordingDestination"]["Location"];
        assert!(
            place
                .as_str()
                .is_some_and(|at| at.starts_with("recordings/")),
            "{started}"
        );
        stage.call_is(&call.id, |call| call.media.sent > 150).await;
    }
    stage.simulator.hang_up(&call.id).await.expect("hung up");
    let hangup = handler.event("HANGUP").await;
    assert_eq!(
        hangup["ActionData"]["Parameters"]["ParticipantTag"], "LEG-A",
        "{hangup}"
    );
    stage.quiet().await;
    let types = handler.types();
    assert_eq!(types.iter().filter(|kind| *kind == "HANGUP").count(), 1);
    assert!(!types.contains(&"ACTION_FAILED".to_owned()), "{types:?}");

    let recordings = sound::recordings(&stage.recordings());
    assert!(recordings.len() <= 1, "{recordings:?}");
    let kept = recordings.first().map(|file| {
        let (left, right) = sound::stereo(file);
        let held = std::fs::metadata(file).expect("the file").len();
        assert_eq!(
            held,
            44 + 4 * left.len() as u64,
            "its header tells its length"
        );
        (left, right)
    });
    if kept.is_some() {
        let request = said.request_id.expect("a request");
        until("the recording in the trace", async || {
            let records = stage.trace(&request).await.records;
            let recorded = |record: &Record| matches!(record.kind, Kind::Recording { .. });
            records.iter().any(recorded).then_some(())
        })
        .await;
    }
    let folder = stage.end().await;
    let (mut folders, mut others) = (vec![folder.path().join("recordings")], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                // Beside a recording lies what describes it, as `NAME.wav.json`.
                let recording = path.extension().filter(|extension| *extension == "json");
                let recording = recording.map_or(path.clone(), |_| path.with_extension(""));
                let is_wav = recording.extension().is_some_and(|kind| kind == "wav");
                if !is_wav || !recording.exists() {
                    others.push(path);
                }
            }
        }
    }
    assert!(others.is_empty(), "nothing half done is left: {others:?}");
    kept
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn during_a_call_recording_alone_which_is_complete() {
    undisturbed(async || {
        let (left, right) = during_a_call_recording(false).await.expect("a recording");
        assert!(
            sound::windows_with(&left, 600.0) >= 10,
            "{} samples",
            left.len()
        );
        assert!(
            right.iter().all(|sample| sample.unsigned_abs() < 16),
            "nothing was said to the caller"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_soon_as_a_call_recording_answers() {
    // There may be a recording of next to nothing, but no broken one.
    during_a_call_recording(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_device_hangs_up_and_so_does_the_phone() {
    let stage = Staging::new(plans::straight()).start().await;
    let (_, call) = stage.call().await;
    let phone = stage.phone(CallState::Talking).await;
    let device = stage
        .call_is(&call.id, |call| call.state == CallState::Talking)
        .await;
    assert!(
        device.answered_at.is_some(),
        "facts E4: answered when leg B is"
    );
    stage.simulator.hang_up(&call.id).await.expect("hung up");
    let phone = stage.over(&phone.id).await;
    assert_eq!(phone.ended.expect("an ending").by, EndedBy::Peer);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_that_refuses_leaves_the_caller_unanswered() {
    let phone = PhoneConfig {
        answering: Answering::Refuse { status: 486 },
        ..PhoneConfig::default()
    };
    let stage = Staging::new(plans::straight())
        .simulator(|simulator| simulator.phone = Some(phone))
        .start()
        .await;
    let (_, call) = stage.call().await;
    let device = stage.over(&call.id).await;
    assert_eq!(device.answered_at, None, "facts E4: no 200 to the device");
    assert_eq!(device.ended.expect("an ending").by, EndedBy::Refused);
    assert_eq!(stage.phone_calls().len(), 1);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_recorded_to_its_terminator() {
    let record = action(
        "RecordAudio",
        json!({
            "DurationInSeconds": 60,
            "RecordingTerminators": ["#"],
            "RecordingDestination": {"Type": "S3", "BucketName": "recordings", "Prefix": "messages"},
        }),
    );
    let handler = Handler::playing(vec![record, action("Hangup", json!({}))]).await;
    let staging = Staging::new(plans::straight()).handled_by(handler.url());
    let stage = staging
        .simulator(|simulator| simulator.device.voice = Voice::Tone { hz: 600.0 })
        .start()
        .await;
    let (_, call) = stage.call().await;
    // Two seconds of the tone reach the recording before the caller ends it.
    stage.call_is(&call.id, |call| call.media.sent > 150).await;
    stage.simulator.press(&call.id, "#").await.expect("pressed");
    stage.over(&call.id).await;
    let done = handler.event("ACTION_SUCCESSFUL").await;
    assert_eq!(done["ActionData"]["RecordingTerminatorUsed"], "#", "{done}");
    let destination = &done["ActionData"]["RecordingDestination"];
    let key = destination["Key"].as_str().expect("a key");
    assert!(key.starts_with("messages"), "{key}");
    let file = stage.recordings().join(key);
    let audio = skillcall_media::wav::read_file(&file).expect("the recording");
    assert!(
        sound::windows_with(&audio.samples, 600.0) >= 5,
        "{} samples",
        audio.samples.len()
    );
    stage.end().await;
}
