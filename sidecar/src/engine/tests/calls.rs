//! Whole calls: who hangs up when, updates, and the demo's call.

use serde_json::json;

use super::script::{ANSWERED, BRIDGE, bridged, play, play_on};

#[test]
fn the_call_of_the_demo() {
    let stage = play(&[
        ("call", &["ask 1.1 NEW_INBOUND_CALL"]),
        (
            r#"body {"SchemaVersion":"1.0","Actions":[{"Type":"Speak","Parameters":{"Text":"Welcome"}},{"Type":"SpeakAndGetDigits","Parameters":{"SpeechParameters":{"Text":"Press 1"},"MaxNumberOfDigits":1,"RepeatDurationInMilliseconds":5000}}],"TransactionAttributes":{"skillcall.step":"menu"}}"#,
            &["render 1 Welcome"],
        ),
        ("ready 1", &["answer A", "play 2 A speech 1 x1"]),
        ("played 2", &["drop 1", "render 3 Press 1", "listen A"]),
        ("ready 3", &["play 4 A speech 3 x1"]),
        (
            "digits A 1",
            &[
                "stop-play 4 A",
                "drop 3",
                "ask 2.1 ACTION_SUCCESSFUL SpeakAndGetDigits digits=1",
                "deaf A",
            ],
        ),
    ]);
    assert_eq!(
        stage.last_event()["CallDetails"]["TransactionAttributes"],
        json!({"skillcall.step": "menu"})
    );
    play_on(
        stage,
        &[
            (
                r#"reply {"Type":"StartCallRecording","Parameters":{"CallId":"a","Track":"BOTH","Destination":{"Type":"S3","Location":"r"}}},{"Type":"CallAndBridge","Parameters":{"CallerIdNumber":"+16075550199","Endpoints":[{"BridgeEndpointType":"AWS","Uri":"100"}]}}"#,
                &[
                    "record-call A Both r/Amazon-Chime-SMA-Call-Recordings/2024/05/01/2024-05-01-10-11-12-000_t_a.wav",
                ],
            ),
            (
                "recording A",
                &[
                    "dial B b1 100 from +16075550199 +0 headers",
                    "play 5 A ringing for ever",
                    "ask 3.1 ACTION_SUCCESSFUL StartCallRecording",
                ],
            ),
            ("answered B", &["stop-play 5 A", "bridge A B"]),
            ("nothing", &["ask 4.1 ACTION_SUCCESSFUL CallAndBridge"]),
            ("nothing", &[]),
            (
                "hungup B",
                &["unbridge A B", "ask 5.1 HANGUP Hangup LEG-B 0"],
            ),
            (
                r#"reply {"Type":"Hangup","Parameters":{"ParticipantTag":"LEG-A","SipResponseCode":0}}"#,
                &["hangup A", "ask 6.1 HANGUP Hangup LEG-A 0"],
            ),
            ("nothing", &["end"]),
        ],
    );
}

#[test]
fn the_remaining_leg_gets_the_actions_of_a_hangups_reply() {
    let stage = play_on(
        bridged(),
        &[
            ("nothing", &[]),
            (
                "hungup A",
                &["unbridge A B", "ask 4.1 HANGUP Hangup LEG-A 0"],
            ),
        ],
    );
    let event = stage.last_event();
    assert_eq!(
        event["ActionData"]["Parameters"],
        json!({"SipResponseCode": 0, "CallId": "a", "ParticipantTag": "LEG-A"})
    );
    assert_eq!(
        event["CallDetails"]["Participants"][0]["Status"],
        "Disconnected"
    );
    assert_eq!(
        event["CallDetails"]["Participants"][1]["Status"],
        "Connected"
    );
    play_on(
        stage,
        &[
            (
                r#"reply {"Type":"Speak","Parameters":{"Text":"They left"}}"#,
                &["render 4 They left"],
            ),
            ("ready 4", &["play 5 B speech 4 x1"]),
            ("hungup B", &["drop 4", "ask 5.1 HANGUP Hangup LEG-B 0"]),
            ("nothing", &["end"]),
        ],
    );
}

#[test]
fn both_hang_up_at_once() {
    play_on(
        bridged(),
        &[
            ("nothing", &[]),
            (
                "hungup B",
                &["unbridge A B", "ask 4.1 HANGUP Hangup LEG-B 0"],
            ),
            ("hungup A", &[]),
            (
                r#"reply {"Type":"Hangup","Parameters":{"ParticipantTag":"LEG-A"}}"#,
                &["ask 5.1 HANGUP Hangup LEG-A 0"],
            ),
            ("hungup A", &[]),
            ("nothing", &["end"]),
            ("hungup B", &[]),
        ],
    );
}

#[test]
fn a_leg_that_ends_takes_only_its_own_action_with_it() {
    let speak = r#"reply {"Type":"Speak","Parameters":{"Text":"x","ParticipantTag":"LEG-B"}},{"Type":"Speak","Parameters":{"Text":"y"}}"#;
    play_on(
        bridged(),
        &[
            (speak, &["render 4 x"]),
            ("ready 4", &["play 5 B speech 4 x1"]),
            (
                "hungup B",
                &["unbridge A B", "drop 4", "ask 4.1 HANGUP Hangup LEG-B 0"],
            ),
        ],
    );
    play_on(
        bridged(),
        &[
            (speak, &["render 4 x"]),
            ("ready 4", &["play 5 B speech 4 x1"]),
            (
                "hungup A",
                &["unbridge A B", "ask 4.1 HANGUP Hangup LEG-A 0"],
            ),
            ("nothing", &[]),
            ("played 5", &["drop 4", "render 6 y"]),
        ],
    );
}

/// The caller hangs up during each action: one HANGUP, nothing else, and the call ends.
#[test]
fn the_caller_hangs_up_during_each_action() {
    for (action, begun, ended) in [
        (
            r#"{"Type":"Pause","Parameters":{"DurationInMilliseconds":9}}"#,
            &[] as &[&str],
            &[] as &[&str],
        ),
        (
            r#"{"Type":"Speak","Parameters":{"Text":"x"}}"#,
            &["render 3 x"],
            &["drop 3"],
        ),
        (
            r#"{"Type":"PlayAudio","Parameters":{"AudioSource":{"BucketName":"b","Key":"k"}}}"#,
            &["play 3 A file k x1"],
            &[],
        ),
        (
            r#"{"Type":"SpeakAndGetDigits","Parameters":{"SpeechParameters":{"Text":"x"},"RepeatDurationInMilliseconds":9}}"#,
            &["render 3 x", "listen A"],
            &["drop 3"],
        ),
        (
            r#"{"Type":"StartCallRecording","Parameters":{"Track":"INCOMING","Destination":{"Location":"b"}}}"#,
            &[
                "record-call A Incoming b/Amazon-Chime-SMA-Call-Recordings/2024/05/01/2024-05-01-10-11-12-000_t_a.wav",
            ],
            &[],
        ),
    ] {
        let mut after: Vec<&str> = ended.to_vec();
        after.push("ask 3.1 HANGUP Hangup LEG-A 0");
        play_on(
            play(ANSWERED),
            &[
                (&format!(r#"reply {action},{{"Type":"Hangup"}}"#), begun),
                ("hungup A", &after),
                (
                    "wait 15000",
                    &[
                        "abandon 3.1",
                        "ask 3.2 HANGUP Hangup LEG-A 0",
                        "abandon 3.2",
                        "ask 3.3 HANGUP Hangup LEG-A 0",
                        "abandon 3.3",
                        "ask 3.4 HANGUP Hangup LEG-A 0",
                    ],
                ),
                ("nothing", &["end"]),
            ],
        );
    }
}

#[test]
fn the_caller_gives_up_before_the_handler_has_replied() {
    play(&[
        ("call", &["ask 1.1 NEW_INBOUND_CALL"]),
        ("cancelled", &[]),
        (
            r#"reply {"Type":"Speak","Parameters":{"Text":"x"}}"#,
            &["ask 2.1 HANGUP Hangup LEG-A 487"],
        ),
        ("nothing", &["end"]),
    ]);
}

#[test]
fn an_answer_that_is_never_acknowledged_ends_the_leg() {
    play_on(
        play(ANSWERED),
        &[
            ("no-ack", &["hangup A"]),
            ("nothing", &["ask 3.1 HANGUP Hangup LEG-A 408"]),
            ("nothing", &["end"]),
        ],
    );
}

#[test]
fn an_update_interrupts_what_may_be_interrupted() {
    let stage = play_on(
        play(ANSWERED),
        &[
            (
                r#"reply {"Type":"Pause","Parameters":{"DurationInMilliseconds":60000}},{"Type":"Hangup"}"#,
                &[],
            ),
            (
                "update",
                &["ask 3.1 CALL_UPDATE_REQUESTED CallUpdateRequest"],
            ),
        ],
    );
    assert_eq!(
        stage.last_event()["ActionData"]["Parameters"],
        json!({"Arguments": {"say": "hello"}})
    );
    play_on(
        stage,
        &[
            (
                r#"reply {"Type":"Speak","Parameters":{"Text":"x"}}"#,
                &["render 3 x", "ask 4.1 ACTION_INTERRUPTED Pause"],
            ),
            (r#"reply {"Type":"Hangup"}"#, &[]),
            ("ready 3", &["play 4 A speech 3 x1"]),
            ("played 4", &["drop 3", "ask 5.1 ACTION_SUCCESSFUL Speak"]),
        ],
    );
    play_on(
        play(ANSWERED),
        &[
            (
                r#"reply {"Type":"Speak","Parameters":{"Text":"x"}},{"Type":"Hangup"}"#,
                &["render 3 x"],
            ),
            (
                "update",
                &["ask 3.1 CALL_UPDATE_REQUESTED CallUpdateRequest"],
            ),
            (r#"reply {"Type":"Speak","Parameters":{"Text":"y"}}"#, &[]),
            ("ready 3", &["play 4 A speech 3 x1"]),
            ("played 4", &["drop 3", "render 5 y"]),
        ],
    );
}

#[test]
fn shutting_down_ends_every_leg() {
    play(&[
        ("call", &["ask 1.1 NEW_INBOUND_CALL"]),
        ("shutdown", &["reject A 503"]),
        ("nothing", &["ask 2.1 HANGUP Hangup LEG-A 503"]),
        ("nothing", &["end"]),
    ]);
    play_on(
        bridged(),
        &[
            ("nothing", &[]),
            (
                "terminate",
                &[
                    "unbridge A B",
                    "hangup B",
                    "hangup A",
                    "ask 4.1 HANGUP Hangup LEG-B 0",
                ],
            ),
            ("nothing", &["ask 5.1 HANGUP Hangup LEG-A 0"]),
            ("nothing", &["end"]),
        ],
    );
    let ringing = play(&[
        ("call", &["ask 1.1 NEW_INBOUND_CALL"]),
        (
            BRIDGE,
            &[
                "ring A",
                "dial B b1 +14255550123 from +16075550199 +0 headers",
            ],
        ),
        (
            "shutdown",
            &[
                "cancel B",
                "reject A 503",
                "ask 2.1 HANGUP Hangup LEG-A 503",
            ],
        ),
        ("nothing", &[]),
        ("wait 34999", &[]),
        ("wait 1", &["end"]),
    ]);
    assert!(ringing.call.is_over() && ringing.call.deadline().is_none());
}

#[test]
fn the_longest_call_ends() {
    play_on(
        play(ANSWERED),
        &[
            ("nothing", &[]),
            ("wait 28799999", &[]),
            ("wait 1", &["hangup A", "ask 3.1 HANGUP Hangup LEG-A 0"]),
        ],
    );
}

#[test]
fn a_snapshot_shows_what_runs() {
    let stage = play_on(
        bridged(),
        &[(
            r#"reply {"Type":"Pause","Parameters":{"DurationInMilliseconds":9,"ParticipantTag":"LEG-B"}},{"Type":"Hangup"}"#,
            &[],
        )],
    );
    let snapshot = serde_json::to_value(stage.call.snapshot()).unwrap();
    assert_eq!(
        snapshot["running"],
        json!({"type": "Pause", "leg": "LEG-B", "sinceUnixMillis": 1714558272000u64})
    );
    assert_eq!(
        (
            &snapshot["pending"],
            &snapshot["bridged"],
            &snapshot["sequence"]
        ),
        (&json!(["Hangup"]), &json!(true), &json!(3))
    );
}

#[test]
fn an_update_ends_a_recording_and_tells_where_it_is() {
    let stage = play_on(
        play(ANSWERED),
        &[
            (
                r#"reply {"Type":"RecordAudio","Parameters":{"RecordingTerminators":[],"RecordingDestination":{"BucketName":"b"}}}"#,
                &["record 3 A b/2024-05-01-10-11-12-000_t_a.wav 0 0"],
            ),
            (
                "update",
                &["ask 3.1 CALL_UPDATE_REQUESTED CallUpdateRequest"],
            ),
            (
                r#"reply {"Type":"Hangup"}"#,
                &[
                    "stop-record 3 A",
                    "hangup A",
                    "ask 4.1 ACTION_INTERRUPTED RecordAudio",
                ],
            ),
            ("recorded 3 stopped", &[]),
        ],
    );
    let destination = &stage.last_event()["ActionData"]["RecordingDestination"];
    assert_eq!(destination["Key"], "2024-05-01-10-11-12-000_t_a.wav");
    play_on(
        stage,
        &[
            ("nothing", &["ask 5.1 HANGUP Hangup LEG-A 0"]),
            ("nothing", &["end"]),
        ],
    );
}

#[test]
fn an_update_without_actions_changes_nothing() {
    play_on(
        play(ANSWERED),
        &[
            (
                r#"reply {"Type":"Pause","Parameters":{"DurationInMilliseconds":500}}"#,
                &[],
            ),
            (
                "update",
                &["ask 3.1 CALL_UPDATE_REQUESTED CallUpdateRequest"],
            ),
            ("nothing", &[]),
            ("wait 500", &["ask 4.1 ACTION_SUCCESSFUL Pause"]),
        ],
    );
}

#[test]
fn updates_are_bounded_while_the_handler_is_silent() {
    let mut stage = play(ANSWERED);
    for _ in 0..100 {
        assert_eq!(stage.step("update"), Vec::<String>::new());
    }
    let dropped = stage
        .notes
        .iter()
        .filter(|note| note.text.contains("is dropped"))
        .count();
    assert_eq!(dropped, 36, "64 wait");
}
