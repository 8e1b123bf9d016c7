//! CallAndBridge, Hangup, and which leg an action is for.

use serde_json::json;

use super::script::{ANSWERED, BRIDGE, Stage, bridged, config, inbound, play, play_on};

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
                    "unbridge A B",
                    "hangup B",
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
fn what_the_other_party_sends_before_its_answer_is_heard() {
    let dial = "dial B b1 +14255550123 from +16075550199 +0 headers";
    let begin: &[(&str, &[&str])] = &[
        ("call", &["ask 1.1 NEW_INBOUND_CALL"]),
        (BRIDGE, &["ring A", dial]),
        ("early B", &["ring A early", "bridge A B"]),
        // It may say so in each of its provisional responses.
        ("early B", &[]),
    ];
    let answered = [(
        "answered B",
        &["answer A", "ask 2.1 ACTION_SUCCESSFUL CallAndBridge"] as &[&str],
    )];
    play(&[begin, &answered].concat());
    let refused = [(
        "refused B 486",
        &[
            "unbridge A B",
            "ask 2.1 ACTION_FAILED CallAndBridge CallNotAnswered",
        ] as &[&str],
    )];
    play(&[begin, &refused].concat());
}

#[test]
fn a_tone_that_the_action_names_is_played_in_place_of_early_media() {
    let reply = BRIDGE.replace(
        r#""CallTimeoutSeconds""#,
        r#""RingbackTone":{"Type":"S3","BucketName":"b","Key":"r.wav"},"CallTimeoutSeconds""#,
    );
    play(&[
        ("call", &["ask 1.1 NEW_INBOUND_CALL"]),
        (
            &reply,
            &[
                "ring A early",
                "dial B b1 +14255550123 from +16075550199 +0 headers",
                "play 1 A file r.wav for ever",
            ],
        ),
        ("early B", &[]),
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
