//! JoinChimeMeeting and ModifyChimeMeetingAttendees (facts F6).

use serde_json::json;

use super::script::{ANSWERED, Stage, bridged, play, play_on};

const JOIN: &str =
    r#"reply {"Type":"JoinChimeMeeting","Parameters":{"JoinToken":"t","MeetingId":"m"}}"#;

/// A call whose first action joins a meeting.
fn joined() -> Stage {
    play(&[
        ("call", &["ask 1.1 NEW_INBOUND_CALL"]),
        (JOIN, &["join A B m t"]),
        (
            "joined B",
            &["answer A", "ask 2.1 ACTION_SUCCESSFUL JoinChimeMeeting"],
        ),
    ])
}

#[test]
fn a_meeting_is_leg_b_and_is_left_by_a_hangup_that_succeeds() {
    let stage = joined();
    let leg = &stage.last_event()["CallDetails"]["Participants"][1];
    assert_eq!(
        (
            &leg["ParticipantTag"],
            &leg["To"],
            &leg["From"],
            &leg["Direction"],
            &leg["Status"]
        ),
        (
            &json!("LEG-B"),
            &json!("+17035550122"),
            &json!("SMA"),
            &json!("Outbound"),
            &json!("Connected")
        )
    );
    let left = play_on(
        stage,
        &[
            (
                r#"reply {"Type":"Hangup","Parameters":{"ParticipantTag":"LEG-B"}},{"Type":"Pause","Parameters":{"DurationInMilliseconds":9}}"#,
                &["leave A", "ask 3.1 ACTION_SUCCESSFUL Hangup"],
            ),
            ("nothing", &[]),
            ("wait 9", &["ask 4.1 ACTION_SUCCESSFUL Pause"]),
            // Another meeting may be joined then.
            (JOIN, &["join A B2 m t"]),
            ("joined B2", &["ask 5.1 ACTION_SUCCESSFUL JoinChimeMeeting"]),
            ("nothing", &[]),
            // The meeting was ended through the API.
            ("hungup B2", &["leave A", "ask 6.1 HANGUP Hangup LEG-B 0"]),
        ],
    );
    assert_eq!(left.records.len(), 2);
    assert!(left.records.iter().all(|record| record.is_meeting));
}

#[test]
fn the_callers_end_leaves_the_meetings_leg_to_the_handler() {
    play_on(
        joined(),
        &[
            ("nothing", &[]),
            ("hungup A", &["ask 3.1 HANGUP Hangup LEG-A 0"]),
            (
                r#"reply {"Type":"Hangup","Parameters":{"ParticipantTag":"LEG-B"}}"#,
                &["ask 4.1 ACTION_SUCCESSFUL Hangup"],
            ),
            ("nothing", &["end"]),
        ],
    );
    play_on(
        joined(),
        &[
            ("nothing", &[]),
            (
                "terminate",
                &["leave A", "hangup A", "ask 3.1 HANGUP Hangup LEG-B 0"],
            ),
            ("nothing", &["ask 4.1 HANGUP Hangup LEG-A 0"]),
            ("nothing", &["end"]),
        ],
    );
}

#[test]
fn a_meeting_that_cannot_be_joined_is_told_in_both_forms() {
    let stage = play(&[
        ("call", &["ask 1.1 NEW_INBOUND_CALL"]),
        (JOIN, &["join A B m t"]),
        (
            "not-joined B ErrorJoiningMeeting",
            &["ask 2.1 ACTION_FAILED JoinChimeMeeting ErrorJoiningMeeting"],
        ),
    ]);
    let event = stage.last_event();
    assert_eq!(event["ActionData"]["Error"], "ErrorJoiningMeeting: why");
    assert_eq!(
        event["CallDetails"]["Participants"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    play(&[
        ("call", &["ask 1.1 NEW_INBOUND_CALL"]),
        (JOIN, &["join A B m t"]),
        (
            "hungup B",
            &["ask 2.1 ACTION_FAILED JoinChimeMeeting ErrorJoiningMeeting"],
        ),
        ("joined B", &[]),
    ]);
    play_on(
        bridged(),
        &[(
            JOIN,
            &["ask 4.1 ACTION_FAILED JoinChimeMeeting InvalidActionParameter"],
        )],
    );
    play_on(
        play(ANSWERED),
        &[
            (JOIN, &["join A B m t"]),
            ("hungup A", &["ask 3.1 HANGUP Hangup LEG-A 0"]),
        ],
    );
}

#[test]
fn attendees_are_muted_by_those_who_are_in_the_meeting() {
    let mute = r#"reply {"Type":"ModifyChimeMeetingAttendees","Parameters":{"Operation":"Mute","MeetingId":"m","AttendeeList":["x","y"],"ParticipantTag":"LEG-B"}}"#;
    let stage = play_on(
        joined(),
        &[
            (mute, &["mute A m x+y"]),
            (
                "modified",
                &["ask 3.1 ACTION_SUCCESSFUL ModifyChimeMeetingAttendees"],
            ),
        ],
    );
    assert_eq!(stage.last_event()["ActionData"]["ErrorList"], json!([]));
    let stage = play_on(
        stage,
        &[
            (mute, &["mute A m x+y"]),
            (
                "foreign y",
                &["ask 4.1 ACTION_FAILED ModifyChimeMeetingAttendees InvalidActionParameter"],
            ),
        ],
    );
    assert_eq!(
        stage.last_event()["ActionData"]["ErrorList"][0]["AttendeeId"],
        "y"
    );
    play_on(
        play(ANSWERED),
        &[(
            &mute.replace("LEG-B", "LEG-A"),
            &["ask 3.1 ACTION_FAILED ModifyChimeMeetingAttendees InvalidActionParameter"],
        )],
    );
}
