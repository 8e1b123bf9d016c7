//! Each action: what it makes happen, what it reports, how it fails.

use serde_json::json;

use super::script::{ANSWERED, BRIDGE, Stage, bridged, config, inbound, play, play_on};

const GET: &str = r#"reply {"Type":"SpeakAndGetDigits","Parameters":{"SpeechParameters":{"Text":"Q"},"FailureSpeechParameters":{"Text":"F"},"InputDigitsRegex":"^[12]$","MinNumberOfDigits":1,"MaxNumberOfDigits":2,"Repeat":2,"RepeatDurationInMilliseconds":5000,"InBetweenDigitsDurationInMilliseconds":1000}}"#;

/// An answered call whose question (play 5) is being said.
fn asked() -> Stage {
    let stage = play(ANSWERED);
    play_on(
        stage,
        &[
            (GET, &["render 3 Q", "render 4 F", "listen A"]),
            ("ready 3", &["play 5 A speech 3 x1"]),
        ],
    )
}

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
fn digits_end_the_question_and_come_to_the_handler() {
    let mut stage = play_on(
        asked(),
        &[
            ("digits A 1", &["stop-play 5 A"]),
            ("wait 999", &[]),
            (
                "wait 1",
                &[
                    "drop 3",
                    "drop 4",
                    "ask 3.1 ACTION_SUCCESSFUL SpeakAndGetDigits digits=1",
                    "deaf A",
                ],
            ),
        ],
    );
    assert_eq!(
        stage.step("digits A 2"),
        Vec::<String>::new(),
        "nobody wants it any more"
    );
    play_on(
        asked(),
        &[
            ("played 5", &[]),
            (
                "digits A 2#",
                &[
                    "drop 3",
                    "drop 4",
                    "ask 3.1 ACTION_SUCCESSFUL SpeakAndGetDigits digits=2",
                    "deaf A",
                ],
            ),
        ],
    );
}

#[test]
fn digits_before_the_question_are_discarded() {
    let stage = play(ANSWERED);
    play_on(
        stage,
        &[
            ("digits A 11", &[]),
            (GET, &["render 3 Q", "render 4 F", "listen A"]),
            ("digits A 11", &[]),
            ("ready 3", &["play 5 A speech 3 x1"]),
            (
                "digits A 2#",
                &[
                    "stop-play 5 A",
                    "drop 3",
                    "drop 4",
                    "ask 3.1 ACTION_SUCCESSFUL SpeakAndGetDigits digits=2",
                    "deaf A",
                ],
            ),
        ],
    );
}

#[test]
fn wrong_digits_and_silence_use_up_the_attempts() {
    let failed = "ask 3.1 ACTION_FAILED SpeakAndGetDigits InvalidDigitsReceived";
    let stage = play_on(
        asked(),
        &[
            ("ready 4", &[]),
            ("played 5", &[]),
            ("digits A 3#", &["play 6 A speech 4 x1"]),
            ("played 6", &["play 7 A speech 3 x1"]),
            ("played 7", &[]),
            ("wait 4999", &[]),
            ("wait 1", &["play 8 A speech 4 x1"]),
            ("digits A 1", &[]),
            ("played 8", &["drop 3", "drop 4", failed, "deaf A"]),
        ],
    );
    assert_eq!(
        stage.last_event()["ActionData"]["ErrorMessage"],
        "no digit came after 2 attempts"
    );
}

#[test]
fn a_digit_in_the_failure_prompt_begins_the_next_attempt() {
    play_on(
        asked(),
        &[
            ("ready 4", &[]),
            ("digits A 3#", &["stop-play 5 A", "play 6 A speech 4 x1"]),
            (
                "digits A 1#",
                &[
                    "stop-play 6 A",
                    "drop 3",
                    "drop 4",
                    "ask 3.1 ACTION_SUCCESSFUL SpeakAndGetDigits digits=1",
                    "deaf A",
                ],
            ),
        ],
    );
}

#[test]
fn a_failure_prompt_that_comes_late_is_waited_for_and_one_that_fails_fails_the_action() {
    play_on(
        asked(),
        &[
            ("digits A 3#", &["stop-play 5 A"]),
            ("ready 4", &["play 6 A speech 4 x1"]),
        ],
    );
    play_on(
        asked(),
        &[
            ("unspeakable 4 AccessDenied", &[]),
            (
                "digits A 3#",
                &[
                    "stop-play 5 A",
                    "drop 3",
                    "drop 4",
                    "ask 3.1 ACTION_FAILED SpeakAndGetDigits AccessDenied",
                    "deaf A",
                ],
            ),
        ],
    );
}

#[test]
fn play_audio_and_get_digits_plays_files_and_reports_in_the_middle_of_a_list() {
    let stage = play(ANSWERED);
    let source = |key: &str| format!(r#"{{"Type":"S3","BucketName":"b","Key":"{key}"}}"#);
    let reply = format!(
        r#"reply {{"Type":"PlayAudioAndGetDigits","Parameters":{{"AudioSource":{},"FailureAudioSource":{},"RepeatDurationInMilliseconds":"3000","MaxNumberOfDigits":"1"}}}},{{"Type":"Pause","Parameters":{{"DurationInMilliseconds":10}}}}"#,
        source("q.wav"),
        source("f.wav")
    );
    let stage = play_on(stage, &[(&reply, &["play 3 A file q.wav x1", "listen A"])]);
    play_on(
        stage,
        &[
            ("played 3", &[]),
            ("wait 3000", &["play 4 A file f.wav x1"]),
            (
                "played 4",
                &[
                    "ask 3.1 ACTION_FAILED PlayAudioAndGetDigits InvalidDigitsReceived",
                    "deaf A",
                ],
            ),
        ],
    );
    let stage = play_on(
        play(ANSWERED),
        &[(&reply, &["play 3 A file q.wav x1", "listen A"])],
    );
    play_on(
        stage,
        &[
            (
                "digits A 7",
                &[
                    "stop-play 3 A",
                    "ask 3.1 ACTION_SUCCESSFUL PlayAudioAndGetDigits digits=7",
                    "deaf A",
                ],
            ),
            ("wait 10", &[]),
            ("nothing", &["ask 4.1 ACTION_SUCCESSFUL Pause"]),
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
fn a_listener_matches_after_the_gap_and_flushes_whatever_there_is() {
    let listen = r##"reply {"Type":"ReceiveDigits","Parameters":{"InputDigitsRegex":"^\\d{2}#$","InBetweenDigitsDurationInMilliseconds":1000,"FlushDigitsDurationInMilliseconds":8000}}"##;
    let armed = || {
        play_on(
            play(ANSWERED),
            &[
                (
                    listen,
                    &[
                        "ask 3.1 ACTION_SUCCESSFUL ReceiveDigits digits=",
                        "listen A",
                    ],
                ),
                ("nothing", &[]),
            ],
        )
    };
    let stage = play_on(
        armed(),
        &[
            ("digits A 1", &[]),
            ("wait 999", &[]),
            ("digits A 2#", &[]),
            ("wait 999", &[]),
            (
                "wait 1",
                &["ask 4.1 DIGITS_RECEIVED ReceiveDigits digits=12#"],
            ),
            ("nothing", &[]),
            ("digits A 34#", &[]),
            (
                "wait 1000",
                &["ask 5.1 DIGITS_RECEIVED ReceiveDigits digits=34#"],
            ),
        ],
    );
    assert_eq!(
        stage.last_event()["ActionData"]["Parameters"],
        json!({"InputDigitsRegex": "^\\d{2}#$", "InBetweenDigitsDurationInMilliseconds": 1000,
            "FlushDigitsDurationInMilliseconds": 8000, "CallId": "a"})
    );
    play_on(
        armed(),
        &[
            ("digits A 9", &[]),
            ("wait 7999", &[]),
            (
                "wait 1",
                &["ask 4.1 DIGITS_RECEIVED ReceiveDigits digits=9"],
            ),
        ],
    );
    // On a bridged call too, on either leg; it ends with its leg.
    play_on(
        bridged(),
        &[
            (
                &listen.replace(
                    r#""InputDigitsRegex""#,
                    r#""ParticipantTag":"LEG-B","InputDigitsRegex""#,
                ),
                &[
                    "ask 4.1 ACTION_SUCCESSFUL ReceiveDigits digits=",
                    "listen B",
                ],
            ),
            ("nothing", &[]),
            ("digits A 12#", &[]),
            ("digits B 12#", &[]),
            (
                "hungup B",
                &["unbridge A B", "ask 5.1 HANGUP Hangup LEG-B 0"],
            ),
            ("wait 4000", &[]),
        ],
    );
}

#[test]
fn a_regular_expression_that_cannot_be_is_refused() {
    let stage = play_on(
        play(ANSWERED),
        &[(
            r#"reply {"Type":"ReceiveDigits","Parameters":{"InputDigitsRegex":"(?=1)","InBetweenDigitsDurationInMilliseconds":1,"FlushDigitsDurationInMilliseconds":1}}"#,
            &["ask 3.1 ACTION_FAILED ReceiveDigits InvalidActionParameter"],
        )],
    );
    assert!(
        stage.last_event()["ActionData"]["ErrorMessage"]
            .as_str()
            .unwrap()
            .contains("look-around")
    );
}

#[test]
fn hangup_first_rejects_and_nothing_is_answered() {
    for (code, status) in [
        ("486", "reject A 486"),
        ("480", "reject A 480"),
        ("0", "reject A 480"),
    ] {
        play(&[
            ("call", &["ask 1.1 NEW_INBOUND_CALL"]),
            (
                &format!(
                    r#"reply {{"Type":"Hangup","Parameters":{{"SipResponseCode":"{code}","ParticipantTag":""}}}}"#
                ),
                &[status, &format!("ask 2.1 HANGUP Hangup LEG-A {code}")],
            ),
            ("body null", &["end"]),
        ]);
    }
}

#[test]
fn hangup_ends_an_answered_leg_and_what_follows_it_runs_on_the_other() {
    play_on(
        play(ANSWERED),
        &[
            (
                r#"reply {"Type":"Hangup"},{"Type":"Speak","Parameters":{"Text":"x"}}"#,
                &["hangup A", "ask 3.1 HANGUP Hangup LEG-A 0"],
            ),
            (
                r#"reply {"Type":"Speak","Parameters":{"Text":"x"}}"#,
                &["end"],
            ),
        ],
    );
    play_on(
        bridged(),
        &[
            (
                r#"reply {"Type":"Hangup","Parameters":{"ParticipantTag":"LEG-B","SipResponseCode":0}},{"Type":"Speak","Parameters":{"Text":"Bye"}}"#,
                &[
                    "hangup B",
                    "unbridge A B",
                    "render 4 Bye",
                    "ask 4.1 HANGUP Hangup LEG-B 0",
                ],
            ),
            ("nothing", &[]),
            ("ready 4", &["play 5 A speech 4 x1"]),
            ("played 5", &["drop 4", "ask 5.1 ACTION_SUCCESSFUL Speak"]),
        ],
    );
}

#[test]
fn a_bridge_leaves_leg_a_unanswered_until_b_answers() {
    let stage = play(&[
        ("call", &["ask 1.1 NEW_INBOUND_CALL"]),
        (
            BRIDGE,
            &[
                "ring A",
                "dial B b1 +14255550123 from +16075550199 +0 headers",
            ],
        ),
        ("ringing B", &[]),
        ("wait 19999", &[]),
        (
            "answered B",
            &[
                "answer A",
                "bridge A B",
                "ask 2.1 ACTION_SUCCESSFUL CallAndBridge",
            ],
        ),
    ]);
    let event = stage.last_event();
    assert_eq!(event["ActionData"]["Parameters"]["CallId"], "a");
    assert_eq!(
        event["CallDetails"]["Participants"],
        json!([
            {"CallId": "a", "ParticipantTag": "LEG-A", "To": "+16075550199", "From": "+12045550100", "Direction": "Inbound",
             "StartTimeInMilliseconds": "1714558272000", "Status": "Connected"},
            {"CallId": "b1", "ParticipantTag": "LEG-B", "To": "+14255550123", "From": "+16075550199", "Direction": "Outbound",
             "StartTimeInMilliseconds": "1714558272000", "Status": "Connected"}])
    );
}

#[test]
fn a_bridge_that_is_not_answered_answers_nobody() {
    let failed = "ask 2.1 ACTION_FAILED CallAndBridge CallNotAnswered";
    let start: &[(&str, &[&str])] = &[
        ("call", &["ask 1.1 NEW_INBOUND_CALL"]),
        (
            BRIDGE,
            &[
                "ring A",
                "dial B b1 +14255550123 from +16075550199 +0 headers",
            ],
        ),
    ];
    let stage = play_on(play(start), &[("refused B 486", &[failed])]);
    assert_eq!(
        stage.last_event()["ActionData"]["ErrorMessage"],
        "Call not answered"
    );
    assert_eq!(
        stage.last_event()["CallDetails"]["Participants"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert!(
        stage
            .notes
            .iter()
            .any(|note| note.text.contains("refused with 486"))
    );
    play_on(
        stage,
        &[
            (
                r#"reply {"Type":"Hangup","Parameters":{"SipResponseCode":486}}"#,
                &["reject A 486", "ask 3.1 HANGUP Hangup LEG-A 486"],
            ),
            ("nothing", &["end"]),
        ],
    );
    // The time runs out, and the other side is faster than the CANCEL.
    play_on(
        play(start),
        &[
            ("wait 20000", &["cancel B", failed]),
            ("answered B", &["hangup B"]),
            (
                BRIDGE,
                &[
                    "ring A",
                    "dial B2 b2 +14255550123 from +16075550199 +0 headers",
                ],
            ),
            ("refused B 487", &[]),
            (
                "answered B2",
                &[
                    "answer A",
                    "bridge A B2",
                    "ask 3.1 ACTION_SUCCESSFUL CallAndBridge",
                ],
            ),
        ],
    );
}

#[test]
fn a_caller_who_gives_up_ends_the_ringing_too() {
    let stage = play(&[
        ("call", &["ask 1.1 NEW_INBOUND_CALL"]),
        (
            BRIDGE,
            &[
                "ring A",
                "dial B b1 +14255550123 from +16075550199 +0 headers",
            ],
        ),
        (
            "cancelled",
            &["cancel B", "ask 2.1 HANGUP Hangup LEG-A 487"],
        ),
        ("nothing", &[]),
    ]);
    let both = [("refused B 487", &["end"] as &[&str])];
    play_on(stage, &both);
}

#[test]
fn a_ringback_tone_is_played_before_the_answer_too() {
    let reply = BRIDGE.replace(r#""CallTimeoutSeconds""#, r#""RingbackTone":{"Type":"S3","BucketName":"b","Key":"r.wav"},"SipHeaders":{"X-Room":"12"},"CallTimeoutSeconds""#);
    play(&[
        ("call", &["ask 1.1 NEW_INBOUND_CALL"]),
        (
            &reply,
            &[
                "ring A early",
                "dial B b1 +14255550123 from +16075550199 +1 headers",
                "play 1 A file r.wav for ever",
            ],
        ),
        ("unplayable 1 InvalidAudioSource", &[]),
        (
            "answered B",
            &[
                "answer A",
                "bridge A B",
                "ask 2.1 ACTION_SUCCESSFUL CallAndBridge",
            ],
        ),
    ]);
}

#[test]
fn the_callers_number_of_a_skill_call_may_not_be_shown() {
    let reply = BRIDGE.replace("+16075550199", "+12045550100");
    let skill = || {
        Stage::new(
            config(),
            inbound(&[
                ("x-alexa-lwa-clientid", "amzn1.application-oa2-client.0"),
                ("Via", "x"),
            ]),
        )
    };
    let stage = play_on(
        skill(),
        &[
            ("call", &["ask 1.1 NEW_INBOUND_CALL"]),
            (
                &reply,
                &["ask 2.1 ACTION_FAILED CallAndBridge InvalidActionParameter"],
            ),
        ],
    );
    assert_eq!(
        stage.last_event()["CallDetails"]["Participants"][0]["SipHeaders"],
        json!({"x-alexa-lwa-clientid": "amzn1.application-oa2-client.0"})
    );
    play(&[
        ("call", &["ask 1.1 NEW_INBOUND_CALL"]),
        (
            &reply,
            &[
                "ring A",
                "dial B b1 +14255550123 from +12045550100 +0 headers",
            ],
        ),
    ]);
    let mut own = config();
    own.own_numbers = vec!["+16075550111".to_owned()];
    play_on(
        Stage::new(own, inbound(&[])),
        &[
            ("call", &["ask 1.1 NEW_INBOUND_CALL"]),
            (
                &BRIDGE.replace("+16075550199", "+16075550222"),
                &["ask 2.1 ACTION_FAILED CallAndBridge InvalidActionParameter"],
            ),
            (
                &BRIDGE.replace("+16075550199", "+16075550111"),
                &[
                    "ring A",
                    "dial B b1 +14255550123 from +16075550111 +0 headers",
                ],
            ),
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
fn actions_that_are_not_built_say_so() {
    for action in [
        r#"{"Type":"SendDigits","Parameters":{"Digits":"1"}}"#,
        r#"{"Type":"VoiceFocus","Parameters":{"Enable":true}}"#,
        r#"{"Type":"JoinChimeMeeting","Parameters":{"JoinToken":"t"}}"#,
        r#"{"Type":"PauseCallRecording","Parameters":{}}"#,
    ] {
        let name = action.split('"').nth(3).unwrap();
        let stage = play_on(
            play(ANSWERED),
            &[(
                &format!("reply {action}"),
                &[&format!("ask 3.1 ACTION_FAILED {name} SystemException")],
            )],
        );
        assert!(
            stage.last_event()["ActionData"]["ErrorMessage"]
                .as_str()
                .unwrap()
                .contains("does not carry it out")
        );
    }
}

#[test]
fn legs_are_chosen_as_facts_f5_says() {
    let speak = |selector: &str| {
        format!(r#"reply {{"Type":"Speak","Parameters":{{"Text":"x"{selector}}}}}"#)
    };
    for (selector, leg) in [
        ("", "A"),
        (r#","CallId":"","ParticipantTag":"""#, "A"),
        (r#","ParticipantTag":"LEG-B""#, "B"),
        (r#","CallId":"b1","ParticipantTag":"LEG-A""#, "B"),
        (r#","CallId":"a""#, "A"),
    ] {
        play_on(
            bridged(),
            &[
                (&speak(selector), &["render 4 x"]),
                ("ready 4", &[&format!("play 5 {leg} speech 4 x1")]),
            ],
        );
    }
    for selector in [r#","CallId":"zzz""#, r#","ParticipantTag":"LEG-B""#] {
        let stage = play_on(
            play(ANSWERED),
            &[(
                &speak(selector),
                &["ask 3.1 ACTION_FAILED Speak InvalidActionParameter"],
            )],
        );
        assert!(
            stage.last_event()["ActionData"]["ErrorMessage"]
                .as_str()
                .unwrap()
                .ends_with("it has LEG-A")
        );
    }
}
