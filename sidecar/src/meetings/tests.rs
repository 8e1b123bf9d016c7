//! Who joins, and who is muted.

use super::*;

#[test]
fn attendees_join_by_their_token_once_and_are_muted_by_their_id() {
    let meetings = Meetings::default();
    let meeting = meetings.create(NewMeeting::default()).unwrap();
    let (ann, bob) = (
        meeting.invite("ann".into()).unwrap(),
        meeting.invite("bob".into()).unwrap(),
    );
    let first = meetings.join(Some(&meeting.id), &ann.join_token).unwrap();
    let second = meetings.join(None, &bob.join_token).unwrap();
    assert_eq!(
        meetings
            .join(Some(&meeting.id), &ann.join_token)
            .unwrap_err(),
        MeetingError::TakesPart
    );
    assert_eq!(
        meetings.join(None, "x").unwrap_err(),
        MeetingError::NoAttendee
    );
    assert!(matches!(
        meetings.join(Some("none"), &ann.join_token),
        Err(MeetingError::NoMeeting(_))
    ));
    assert!(first.say(&[7; 160]));
    assert_eq!((first.hear()[0], second.hear()[0]), (0, 7));
    let ids = [ann.attendee_id.clone()];
    meeting.mute(&ids, true).unwrap();
    first.say(&[7; 160]);
    assert_eq!(second.hear()[0], 0);
    assert_eq!(
        meeting.mute(&[ids[0].clone(), "stranger".into()], false),
        Err(vec!["stranger".to_owned()])
    );
    drop(first);
    // Muted attendees come back muted.
    let again = meetings.join(None, &ann.join_token).unwrap();
    again.say(&[9; 160]);
    assert_eq!(second.hear()[0], 0);
    meetings.end(&meeting.id).unwrap();
    assert!(!again.say(&[9; 160]));
    assert!(meetings.join(None, &bob.join_token).is_err());
    assert!(meetings.get(&meeting.id).is_err());
}
