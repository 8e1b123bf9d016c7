//! The actions that get digits, and the listener.

use serde_json::json;

use super::script::{ANSWERED, Stage, bridged, play, play_on};

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
fn digits_before_the_action_are_discarded_and_those_before_its_question_count() {
    let done = "ask 3.1 ACTION_SUCCESSFUL SpeakAndGetDigits digits=2";
    let stage = play(ANSWERED);
    play_on(
        stage,
        &[
            ("digits A 11", &[]),
            (GET, &["render 3 Q", "render 4 F", "listen A"]),
            ("digits A 2#", &["drop 3", "drop 4", done, "deaf A"]),
        ],
    );
    let stage = play(ANSWERED);
    play_on(
        stage,
        &[
            (GET, &["render 3 Q", "render 4 F", "listen A"]),
            ("digits A 2", &[]),
            // It is answered already.
            ("ready 3", &[]),
            ("wait 999", &[]),
            ("wait 1", &["drop 3", "drop 4", done, "deaf A"]),
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
            ("nothing", &[]),
            ("wait 9000", &[]),
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
fn the_gap_of_one_question_does_not_end_the_next() {
    let get = r#"{"Type":"SpeakAndGetDigits","Parameters":{"SpeechParameters":{"Text":"Q"},"MaxNumberOfDigits":2,"RepeatDurationInMilliseconds":5000,"InBetweenDigitsDurationInMilliseconds":1000}}"#;
    play_on(
        play(ANSWERED),
        &[
            (&format!("reply {get},{get}"), &["render 3 Q", "listen A"]),
            ("ready 3", &["play 4 A speech 3 x1"]),
            (
                "digits A 12",
                &[
                    "stop-play 4 A",
                    "drop 3",
                    "render 5 Q",
                    "ask 3.1 ACTION_SUCCESSFUL SpeakAndGetDigits digits=12",
                ],
            ),
            ("ready 5", &["play 6 A speech 5 x1"]),
            ("played 6", &[]),
            ("nothing", &[]),
            ("wait 4999", &[]),
            (
                "wait 1",
                &[
                    "drop 5",
                    "ask 4.1 ACTION_FAILED SpeakAndGetDigits InvalidDigitsReceived",
                    "deaf A",
                ],
            ),
        ],
    );
}
