//! What replies do, and what happens without them (facts F1, F3, F4).

use std::sync::Arc;

use serde_json::json;

use crate::engine::EngineConfig;

use super::script::{ANSWERED, Stage, config, inbound, play, play_on};

const HANGUP: &str = "ask 2.1 HANGUP Hangup LEG-A 480";

#[test]
fn a_silent_handler_is_tried_every_five_seconds_and_given_up_after_twenty() {
    play(&[
        ("call", &["ask 1.1 NEW_INBOUND_CALL"]),
        ("wait 4999", &[]),
        ("wait 1", &["abandon 1.1", "ask 1.2 NEW_INBOUND_CALL"]),
        ("late 1.1", &[]),
        (
            "wait 10000",
            &[
                "abandon 1.2",
                "ask 1.3 NEW_INBOUND_CALL",
                "abandon 1.3",
                "ask 1.4 NEW_INBOUND_CALL",
            ],
        ),
        ("wait 4999", &[]),
        ("wait 1", &["abandon 1.4", "reject A 480", HANGUP]),
        ("nothing", &["end"]),
    ]);
}

#[test]
fn an_error_is_retried_once() {
    play(&[
        ("call", &["ask 1.1 NEW_INBOUND_CALL"]),
        ("status 404", &["ask 1.2 NEW_INBOUND_CALL"]),
        (
            r#"reply {"Type":"Pause","Parameters":{"DurationInMilliseconds":9}}"#,
            &[],
        ),
    ]);
    for error in ["status 404", "status 500", "unreachable"] {
        play(&[
            ("call", &["ask 1.1 NEW_INBOUND_CALL"]),
            (error, &["ask 1.2 NEW_INBOUND_CALL"]),
            (error, &["reject A 480", HANGUP]),
            ("status 500", &["ask 2.2 HANGUP Hangup LEG-A 480"]),
            ("status 500", &["end"]),
        ]);
    }
    let stage = play_on(
        play(ANSWERED),
        &[
            ("unreachable", &["ask 2.2 ACTION_SUCCESSFUL Speak"]),
            (
                "unreachable",
                &["hangup A", "ask 3.1 HANGUP Hangup LEG-A 0"],
            ),
        ],
    );
    assert!(stage.notes.iter().any(|note| {
        note.text
            .contains("attempt 2 failed too (refused); the call ends")
    }));
}

#[test]
fn a_call_without_actions_ends_after_thirty_seconds() {
    for nothing in ["nothing", r#"body {"SchemaVersion":"1.0","Actions":[]}"#] {
        play(&[
            ("call", &["ask 1.1 NEW_INBOUND_CALL"]),
            (nothing, &[]),
            ("wait 29999", &[]),
            ("wait 1", &["reject A 480", HANGUP]),
            ("nothing", &["end"]),
        ]);
    }
    play_on(play(ANSWERED), &[("nothing", &[]), ("wait 60000", &[])]);
}

#[test]
fn an_invalid_reply_is_told_and_the_old_list_goes_on() {
    let stage = play_on(
        play(ANSWERED),
        &[(
            r#"body {"statusCode":200,"body":"{}"}"#,
            &["ask 3.1 INVALID_LAMBDA_RESPONSE SchemaVersionMismatch"],
        )],
    );
    let event = stage.last_event();
    assert!(
        event["ErrorMessage"]
            .as_str()
            .unwrap()
            .contains("API Gateway"),
        "{event}"
    );
    assert!(event.get("ActionData").is_none());
    play_on(
        stage,
        &[
            (
                r#"reply {"Type":"Pause","Parameters":{"DurationInMilliseconds":9}}"#,
                &[],
            ),
            ("wait 9", &["ask 4.1 ACTION_SUCCESSFUL Pause"]),
            (
                r#"reply {"Type":"Dance"}"#,
                &["ask 5.1 INVALID_LAMBDA_RESPONSE UnsupportedActionType"],
            ),
            (
                "body nonsense",
                &["hangup A", "ask 6.1 HANGUP Hangup LEG-A 0"],
            ),
            ("body nonsense", &["end"]),
        ],
    );
}

#[test]
fn an_empty_list_keeps_the_old_one_and_another_replaces_it() {
    // Two actions that report in the middle: the handler replies while the second runs.
    let two = r#"reply {"Type":"SpeakAndGetDigits","Parameters":{"SpeechParameters":{"Text":"Q"},"MaxNumberOfDigits":1,"RepeatDurationInMilliseconds":9}},{"Type":"Pause","Parameters":{"DurationInMilliseconds":100}},{"Type":"Speak","Parameters":{"Text":"old"}}"#;
    let running = || {
        play_on(
            play(ANSWERED),
            &[
                (two, &["render 3 Q", "listen A"]),
                ("ready 3", &["play 4 A speech 3 x1"]),
                (
                    "digits A 1",
                    &[
                        "stop-play 4 A",
                        "drop 3",
                        "ask 3.1 ACTION_SUCCESSFUL SpeakAndGetDigits digits=1",
                        "deaf A",
                    ],
                ),
            ],
        )
    };
    play_on(
        running(),
        &[
            (r#"body {"SchemaVersion":"1.0","Actions":[]}"#, &[]),
            ("wait 100", &["render 5 old"]),
        ],
    );
    play_on(
        running(),
        &[
            (r#"reply {"Type":"Speak","Parameters":{"Text":"new"}}"#, &[]),
            ("wait 100", &["render 5 new"]),
            (
                "unspeakable 5 SystemException",
                &["drop 5", "ask 4.1 ACTION_FAILED Speak SystemException"],
            ),
        ],
    );
}

#[test]
fn a_bad_parameter_fails_its_action_when_its_turn_comes() {
    let stage = play(&[
        ("call", &["ask 1.1 NEW_INBOUND_CALL"]),
        (
            r#"reply {"Type":"Pause","Parameters":{"DurationInMilliseconds":5}},{"Type":"Speak","Parameters":{"Engine":"neural"}},{"Type":"Hangup"}"#,
            &[],
        ),
        (
            "wait 5",
            &["ask 2.1 ACTION_FAILED Speak MissingRequiredActionParameter"],
        ),
    ]);
    assert_eq!(
        stage.last_event()["ActionData"],
        json!({"Type": "Speak", "Parameters": {"Engine": "neural", "CallId": "a"}, "ErrorType": "MissingRequiredActionParameter",
            "ErrorMessage": "Text is nothing; expected a text of 1 to 1000 characters"})
    );
    assert!(
        stage
            .notes
            .iter()
            .any(|note| note.text.contains("the 1 actions after it are dropped"))
    );
    play_on(
        stage,
        &[
            ("nothing", &[]),
            (
                "wait 30000",
                &["reject A 480", "ask 3.1 HANGUP Hangup LEG-A 480"],
            ),
        ],
    );
}

#[test]
fn attributes_are_kept_replaced_and_cleared() {
    let pause = r#""Actions":[{"Type":"Pause","Parameters":{"DurationInMilliseconds":1}}]"#;
    let mut stage = play(&[("call", &["ask 1.1 NEW_INBOUND_CALL"])]);
    for (said, after) in [
        (
            r#","TransactionAttributes":{"a":"1","b":2}"#,
            json!({"a": "1", "b": "2"}),
        ),
        ("", json!({"a": "1", "b": "2"})),
        (
            r#","TransactionAttributes":null"#,
            json!({"a": "1", "b": "2"}),
        ),
        (r#","TransactionAttributes":{"c":"3"}"#, json!({"c": "3"})),
        (r#","TransactionAttributes":{}"#, json!(null)),
    ] {
        stage.step(&format!(r#"body {{"SchemaVersion":"1.0",{pause}{said}}}"#));
        stage.step("wait 1");
        assert_eq!(
            stage.last_event()["CallDetails"]["TransactionAttributes"],
            after,
            "{said}"
        );
    }
    let many: serde_json::Map<_, _> = (0..101).map(|n| (n.to_string(), json!("v"))).collect();
    let body = json!({"SchemaVersion": "1.0", "TransactionAttributes": many});
    assert_eq!(
        stage.step(&format!("body {body}")),
        ["ask 7.1 INVALID_LAMBDA_RESPONSE TransactionAttributesInvalidMapSize"]
    );
}

#[test]
fn a_handler_is_asked_a_thousand_times_at_most() {
    let mut config = config();
    config.limits.invocations = 2;
    let mut stage = play_on(
        Stage::new(config, inbound(&[])),
        &[
            ("call", &["ask 1.1 NEW_INBOUND_CALL"]),
            (
                r#"reply {"Type":"Pause","Parameters":{"DurationInMilliseconds":1}}"#,
                &[],
            ),
            ("wait 1", &["ask 2.1 ACTION_SUCCESSFUL Pause"]),
            (
                r#"reply {"Type":"Pause","Parameters":{"DurationInMilliseconds":1}}"#,
                &[],
            ),
        ],
    );
    assert_eq!(stage.step("wait 1"), ["reject A 480", "end"]);
}

#[test]
fn a_rules_next_application_takes_a_call_that_the_first_has_not_heard_of() {
    let targets = || {
        let mut stage = Stage::new(config(), inbound(&[]));
        stage.call.or_else([Arc::new(EngineConfig {
            aws_region: "us-west-2".to_owned(),
            sip_media_application_id: "other".to_owned(),
            ..config()
        })]);
        stage
    };
    let first: &[(&str, &[&str])] = &[
        ("call", &["ask 1.1 NEW_INBOUND_CALL"]),
        ("status 500", &["ask 1.2 NEW_INBOUND_CALL"]),
        ("status 500", &["next-target", "ask 1.3 NEW_INBOUND_CALL"]),
        // What the first application says now is nobody's.
        ("late 1.1", &[]),
        ("late 1.2", &[]),
    ];
    let stage = play_on(targets(), first);
    let (_, _, event) = stage.asked.as_ref().unwrap();
    let details = &event.call_details;
    assert_eq!(
        (
            details.sip_media_application_id.as_str(),
            details.aws_region.as_str()
        ),
        ("other", "us-west-2")
    );
    // Both have failed: the caller is refused, and the last one hears of it.
    play_on(
        stage,
        &[
            ("status 500", &["ask 1.4 NEW_INBOUND_CALL"]),
            ("status 500", &["reject A 480", HANGUP]),
            ("nothing", &["end"]),
        ],
    );
    // Once one has replied, the call is its.
    play_on(
        play_on(targets(), first),
        &[
            (
                r#"reply {"Type":"Speak","Parameters":{"Text":"x"}}"#,
                &["render 1 x"],
            ),
            ("ready 1", &["answer A", "play 2 A speech 1 x1"]),
            ("played 2", &["drop 1", "ask 2.1 ACTION_SUCCESSFUL Speak"]),
            ("status 500", &["ask 2.2 ACTION_SUCCESSFUL Speak"]),
            ("status 500", &["hangup A", "ask 3.1 HANGUP Hangup LEG-A 0"]),
        ],
    );
}
