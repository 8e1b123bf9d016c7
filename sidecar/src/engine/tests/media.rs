//! Speak, PlayAudio, Pause, recordings, and the actions that are not built.

use serde_json::json;

use super::script::{ANSWERED, play, play_on};

#[test]
fn speak_answers_when_it_can_be_heard() {
    let stage = play(ANSWERED);
    let event = stage.last_event();
    assert_eq!(
        event["ActionData"],
        json!({"Type": "Speak", "Parameters": {"Text": "Hello", "CallId": "a"}})
    );
    assert_eq!(
        event["CallDetails"]["Participants"][0]["Status"],
        "Connected"
    );
    assert!(
        serde_json::to_value(stage.events[0].as_ref()).unwrap()["CallDetails"]["Participants"][0]
            .get("Status")
            .is_none()
    );
}

#[test]
fn speech_that_fails_leaves_the_call_unanswered() {
    let start: &[(&str, &[&str])] = &[
        ("call", &["ask 1.1 NEW_INBOUND_CALL"]),
        (
            r#"reply {"Type":"Speak","Parameters":{"Text":"Hello"}},{"Type":"Pause","Parameters":{"DurationInMilliseconds":1}}"#,
            &["render 1 Hello"],
        ),
    ];
    let stage = play_on(
        play(start),
        &[(
            "unspeakable 1 SystemException",
            &["drop 1", "ask 2.1 ACTION_FAILED Speak SystemException"],
        )],
    );
    assert_eq!(stage.last_event()["ActionData"]["ErrorMessage"], "why");
    play_on(
        play(start),
        &[
            ("wait 9999", &[]),
            (
                "wait 1",
                &["drop 1", "ask 2.1 ACTION_FAILED Speak SystemException"],
            ),
            ("ready 1", &[]),
        ],
    );
}

#[test]
fn play_audio_is_repeated_and_stopped_by_its_terminators() {
    let reply = r##"reply {"Type":"PlayAudio","Parameters":{"AudioSource":{"Type":"S3","BucketName":"b","Key":"k.wav"},"Repeat":"3","PlaybackTerminators":["#"]}}"##;
    let start: &[(&str, &[&str])] = &[
        ("call", &["ask 1.1 NEW_INBOUND_CALL"]),
        (reply, &["answer A", "play 1 A file k.wav x3", "listen A"]),
    ];
    play_on(
        play(start),
        &[(
            "played 1",
            &["ask 2.1 ACTION_SUCCESSFUL PlayAudio", "deaf A"],
        )],
    );
    play_on(
        play(start),
        &[
            ("digits A 12", &[]),
            (
                "digits A #",
                &[
                    "stop-play 1 A",
                    "ask 2.1 ACTION_SUCCESSFUL PlayAudio",
                    "deaf A",
                ],
            ),
        ],
    );
    play_on(
        play(start),
        &[(
            "unplayable 1 InvalidAudioSource",
            &[
                "ask 2.1 ACTION_FAILED PlayAudio InvalidAudioSource",
                "deaf A",
            ],
        )],
    );
}

#[test]
fn a_list_without_data_is_reported_once_with_its_last_action() {
    let stage = play(&[
        ("call", &["ask 1.1 NEW_INBOUND_CALL"]),
        (
            r#"reply {"Type":"Pause","Parameters":{"DurationInMilliseconds":"500"}},{"Type":"Speak","Parameters":{"Text":"x"}},{"Type":"Pause","Parameters":{"DurationInMilliseconds":700}}"#,
            &[],
        ),
        ("wait 500", &["render 1 x"]),
        ("ready 1", &["answer A", "play 2 A speech 1 x1"]),
        ("played 2", &["drop 1"]),
        ("wait 700", &["ask 2.1 ACTION_SUCCESSFUL Pause"]),
    ]);
    assert_eq!(
        stage.last_event()["ActionData"]["Parameters"],
        json!({"DurationInMilliseconds": 700, "CallId": "a"})
    );
}

const RECORD: &str = r##"reply {"Type":"RecordAudio","Parameters":{"RecordingTerminators":["#","*"],"RecordingDestination":{"Type":"S3","BucketName":"b","Prefix":"mail"},"DurationInSeconds":"60","SilenceDurationInSeconds":3}}"##;
const RECORDING: (&str, &[&str]) = (
    RECORD,
    &[
        "record 3 A b/mail/2024-05-01-10-11-12-000_t_a.wav 60 3",
        "listen A",
    ],
);

#[test]
fn recordings_end_by_digit_silence_or_time_and_tell_where_they_are() {
    let by_digit = play_on(
        play(ANSWERED),
        &[
            RECORDING,
            ("digits A 5", &[]),
            ("digits A *#", &["stop-record 3 A"]),
            (
                "recorded 3 stopped",
                &["ask 3.1 ACTION_SUCCESSFUL RecordAudio by=*", "deaf A"],
            ),
        ],
    );
    assert_eq!(
        by_digit.last_event()["ActionData"]["RecordingDestination"],
        json!({"Type": "S3", "BucketName": "b", "Key": "mail/2024-05-01-10-11-12-000_t_a.wav"})
    );
    for how in ["recorded 3 silence", "recorded 3 limit"] {
        play_on(
            play(ANSWERED),
            &[
                RECORDING,
                (how, &["ask 3.1 ACTION_SUCCESSFUL RecordAudio", "deaf A"]),
            ],
        );
    }
    play_on(
        play(ANSWERED),
        &[
            RECORDING,
            (
                "unrecordable 3 InvalidActionParameter",
                &[
                    "ask 3.1 ACTION_FAILED RecordAudio InvalidActionParameter",
                    "deaf A",
                ],
            ),
        ],
    );
    play_on(
        play(ANSWERED),
        &[
            RECORDING,
            ("digits A #", &["stop-record 3 A"]),
            (
                "wait 15000",
                &[
                    "ask 3.1 ACTION_FAILED RecordAudio SystemException",
                    "deaf A",
                ],
            ),
            ("recorded 3 stopped", &[]),
        ],
    );
}

#[test]
fn a_caller_who_hangs_up_ends_the_message_and_its_place_is_told() {
    play_on(
        play(ANSWERED),
        &[
            RECORDING,
            (
                "hungup A",
                &["stop-record 3 A", "ask 3.1 ACTION_SUCCESSFUL RecordAudio"],
            ),
            ("body null", &["ask 4.1 HANGUP Hangup LEG-A 0"]),
            ("body null", &["end"]),
        ],
    );
}

#[test]
fn a_leg_is_recorded_once() {
    let start = r#"{"Type":"StartCallRecording","Parameters":{"CallId":"a","Track":"BOTH","Destination":{"Type":"S3","Location":"calls/desk"}}}"#;
    let stop = r#"{"Type":"StopCallRecording","Parameters":{"CallId":"a"}}"#;
    let stage = play_on(
        play(ANSWERED),
        &[
            (
                &format!("reply {start},{stop}"),
                &["record-call A Both calls/desk/2024/05/01/2024-05-01-10-11-12-000_t_a.wav"],
            ),
            (
                "recording A",
                &[
                    "stop-record-call A",
                    "ask 3.1 ACTION_SUCCESSFUL StartCallRecording",
                ],
            ),
        ],
    );
    assert_eq!(
        stage.last_event()["ActionData"]["CallRecordingDestination"],
        json!({"Type": "S3", "Location": "calls/desk/2024/05/01/2024-05-01-10-11-12-000_t_a.wav"})
    );
    play_on(
        stage,
        &[
            ("nothing", &["ask 4.1 ACTION_SUCCESSFUL StopCallRecording"]),
            (
                &format!("reply {start}"),
                &["ask 5.1 ACTION_FAILED StartCallRecording InvalidActionParameter"],
            ),
            (
                &format!("reply {stop}"),
                &["ask 6.1 ACTION_FAILED StopCallRecording InvalidActionParameter"],
            ),
        ],
    );
    let refused = play_on(
        play(ANSWERED),
        &[
            (
                &format!("reply {start}"),
                &["record-call A Both calls/desk/2024/05/01/2024-05-01-10-11-12-000_t_a.wav"],
            ),
            (
                "no-recording A NoAccessToDestination",
                &["ask 3.1 ACTION_FAILED StartCallRecording NoAccessToDestination"],
            ),
        ],
    );
    assert_eq!(
        refused.last_event()["ActionData"]["Error"],
        "NoAccessToDestination: why"
    );
    play_on(
        play(ANSWERED),
        &[
            (
                &format!("reply {start}"),
                &["record-call A Both calls/desk/2024/05/01/2024-05-01-10-11-12-000_t_a.wav"],
            ),
            (
                "wait 15000",
                &[
                    "stop-record-call A",
                    "ask 3.1 ACTION_FAILED StartCallRecording SystemException",
                ],
            ),
        ],
    );
}

#[test]
fn a_bot_that_is_not_configured_is_named() {
    let stage = play_on(
        play(ANSWERED),
        &[(
            r#"reply {"Type":"StartBotConversation","Parameters":{"BotAliasArn":"arn:aws:lex:x"}}"#,
            &["ask 3.1 ACTION_FAILED StartBotConversation ResourceNotFound"],
        )],
    );
    let message = &stage.last_event()["ActionData"]["ErrorMessage"];
    assert!(message.as_str().unwrap().contains("arn:aws:lex:x"));
}

#[test]
fn digits_are_sent_and_a_leg_that_ends_stops_them() {
    let send = r#"reply {"Type":"SendDigits","Parameters":{"CallId":"a","Digits":"1,#"}},{"Type":"SendDigits","Parameters":{"Digits":"2","ToneDurationInMilliseconds":"24000"}}"#;
    let sending = || play_on(play(ANSWERED), &[(send, &["play 3 A digits 1,# 250ms x1"])]);
    play_on(
        sending(),
        &[
            ("played 3", &["play 4 A digits 2 24000ms x1"]),
            ("played 4", &["ask 3.1 ACTION_SUCCESSFUL SendDigits"]),
        ],
    );
    // SendDigits is not on the list of what an update interrupts (facts F8).
    play_on(
        sending(),
        &[
            (
                "update",
                &["ask 3.1 CALL_UPDATE_REQUESTED CallUpdateRequest"],
            ),
            (
                r#"reply {"Type":"Pause","Parameters":{"DurationInMilliseconds":9}}"#,
                &[],
            ),
            ("played 3", &[]),
            ("wait 9", &["ask 4.1 ACTION_SUCCESSFUL Pause"]),
        ],
    );
    play_on(
        sending(),
        &[("hungup A", &["ask 3.1 HANGUP Hangup LEG-A 0"])],
    );
    play_on(
        sending(),
        &[(
            "unplayable 3 SystemException",
            &["ask 3.1 ACTION_FAILED SendDigits SystemException"],
        )],
    );
}

#[test]
fn a_call_recording_pauses_and_goes_on_as_often_as_wanted() {
    let start = r#"reply {"Type":"StartCallRecording","Parameters":{"Track":"INCOMING","Destination":{"Location":"b"}}}"#;
    let stage = play_on(
        play(ANSWERED),
        &[
            (
                r#"reply {"Type":"PauseCallRecording","Parameters":{"CallId":"a"}}"#,
                &["ask 3.1 ACTION_FAILED PauseCallRecording InvalidActionParameter"],
            ),
            (
                start,
                &[
                    "record-call A Incoming b/Amazon-Chime-SMA-Call-Recordings/2024/05/01/2024-05-01-10-11-12-000_t_a.wav",
                ],
            ),
            (
                "recording A",
                &["ask 4.1 ACTION_SUCCESSFUL StartCallRecording"],
            ),
            (
                r#"reply {"Type":"PauseCallRecording"},{"Type":"PauseCallRecording"},{"Type":"ResumeCallRecording"},{"Type":"PauseCallRecording"}"#,
                &[
                    "pause-record-call A",
                    "resume-record-call A",
                    "pause-record-call A",
                    "ask 5.1 ACTION_SUCCESSFUL PauseCallRecording",
                ],
            ),
            (
                r#"reply {"Type":"StopCallRecording"}"#,
                &[
                    "stop-record-call A",
                    "ask 6.1 ACTION_SUCCESSFUL StopCallRecording",
                ],
            ),
            (
                r#"reply {"Type":"ResumeCallRecording"}"#,
                &["ask 7.1 ACTION_FAILED ResumeCallRecording InvalidActionParameter"],
            ),
        ],
    );
    play_on(
        stage,
        &[(
            start,
            &["ask 8.1 ACTION_FAILED StartCallRecording InvalidActionParameter"],
        )],
    );
}

#[test]
fn voice_focus_is_switched_five_times_a_second_and_counted() {
    let on = r#"{"Type":"VoiceFocus","Parameters":{"Enable":"true","CallId":"a"}}"#;
    let reply = format!("reply {on},{on},{on},{on},{on},{on}");
    let stage = play_on(
        play(ANSWERED),
        &[
            (
                reply.as_str(),
                &[
                    "focus A on",
                    "focus A on",
                    "focus A on",
                    "focus A on",
                    "focus A on",
                    "ask 3.1 ACTION_FAILED VoiceFocus ActionExecutionThrottled",
                ],
            ),
            ("wait 2500", &[]),
            (
                r#"reply {"Type":"VoiceFocus","Parameters":{"Enable":false}}"#,
                &["focus A off", "ask 4.1 ACTION_SUCCESSFUL VoiceFocus"],
            ),
            ("wait 2500", &[]),
            (
                r#"reply {"Type":"VoiceFocus","Parameters":{}}"#,
                &["ask 5.1 ACTION_FAILED VoiceFocus MissingRequiredActionParameter"],
            ),
            ("hungup A", &[]),
        ],
    );
    assert_eq!(stage.records[0].voice_focus.as_millis(), 2500);
}
