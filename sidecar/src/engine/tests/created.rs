//! Calls that are made through the API (facts E3, F10).

use std::time::Duration;

use super::script::{START, created, play_on};

const ASKED: (&str, &[&str]) = ("call", &["ask 1.1 NEW_OUTBOUND_CALL CallCreateRequest"]);
const DIALED: (&str, &[&str]) = (
    "nothing",
    &["dial A a +14255550123 from +16075550199 +1 headers"],
);

#[test]
fn it_rings_is_answered_and_goes_on_like_any_call() {
    let stage = play_on(
        created(),
        &[
            ASKED,
            DIALED,
            ("ringing A", &["ask 2.1 RINGING"]),
            ("ringing A", &[]),
            ("answered A", &[]),
            // The actions of RINGING's reply are not used.
            (
                r#"reply {"Type":"Speak","Parameters":{"Text":"early"}}"#,
                &["ask 3.1 CALL_ANSWERED"],
            ),
            (
                r#"reply {"Type":"Speak","Parameters":{"Text":"Hello"}}"#,
                &["render 1 Hello"],
            ),
            ("ready 1", &["play 2 A speech 1 x1"]),
            ("wait 4000", &[]),
            ("played 2", &["drop 1", "ask 4.1 ACTION_SUCCESSFUL Speak"]),
            (
                r#"reply {"Type":"Hangup"}"#,
                &["hangup A", "ask 5.1 HANGUP Hangup LEG-A 0"],
            ),
            ("nothing", &["end"]),
        ],
    );
    let [record] = stage.records.as_slice() else {
        panic!("{:?}", stage.records)
    };
    assert_eq!(
        (record.answered, record.ended, record.code),
        (Some(START), START + 4000, 0)
    );
}

#[test]
fn nobody_answers() {
    let stage = play_on(
        created(),
        &[
            ASKED,
            DIALED,
            ("wait 59999", &[]),
            ("wait 1", &["cancel A", "ask 2.1 HANGUP Hangup LEG-A 480"]),
            ("nothing", &[]),
            ("refused A 487", &["end"]),
        ],
    );
    assert_eq!(stage.records[0].answered, None);
    for (status, code) in [("486", 486), ("600", 486), ("408", 480), ("404", 404)] {
        let hangup = format!("ask 2.1 HANGUP Hangup LEG-A {code}");
        play_on(
            created(),
            &[
                ASKED,
                DIALED,
                (&format!("refused A {status}"), &[&hangup]),
                ("nothing", &["end"]),
            ],
        );
    }
}

#[test]
fn it_answers_at_the_moment_it_is_given_up() {
    play_on(
        created(),
        &[
            ASKED,
            DIALED,
            (
                "terminate",
                &["cancel A", "ask 2.1 HANGUP Hangup LEG-A 480"],
            ),
            ("answered A", &["hangup A"]),
            ("nothing", &["end"]),
        ],
    );
}

#[test]
fn a_handler_that_cannot_be_reached_makes_no_call() {
    play_on(
        created(),
        &[
            ASKED,
            (
                "unreachable",
                &["ask 1.2 NEW_OUTBOUND_CALL CallCreateRequest"],
            ),
            ("unreachable", &["ask 2.1 HANGUP Hangup LEG-A 480"]),
            ("nothing", &["end"]),
        ],
    );
    // A reply that is no good is no reason: its actions would not have been used.
    let dialed = DIALED.1;
    play_on(created(), &[ASKED, ("body null", dialed)]);
}

#[test]
fn an_update_while_it_rings_hangs_up_or_waits_for_the_answer() {
    let ringing = || {
        play_on(
            created(),
            &[
                ASKED,
                DIALED,
                (
                    "update",
                    &["ask 2.1 CALL_UPDATE_REQUESTED CallUpdateRequest"],
                ),
            ],
        )
    };
    play_on(
        ringing(),
        &[
            (
                r#"reply {"Type":"Hangup"}"#,
                &["cancel A", "ask 3.1 HANGUP Hangup LEG-A 0"],
            ),
            ("nothing", &[]),
            ("refused A 487", &["end"]),
        ],
    );
    let mut stage = play_on(
        ringing(),
        &[
            (
                r#"reply {"Type":"Speak","Parameters":{"Text":"Hello"}}"#,
                &[],
            ),
            ("answered A", &["render 1 Hello", "ask 3.1 CALL_ANSWERED"]),
        ],
    );
    assert!(stage.wait(Duration::from_millis(1)).is_empty());
}
