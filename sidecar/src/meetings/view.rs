//! A meeting as the control API shows it: who is in it, who is muted, who speaks.

use serde::Serialize;

use super::Meeting;

/// A meeting now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MeetingView {
    meeting_id: String,
    /// AttendeeId of whoever speaks, or spoke last.
    active_speaker: Option<String>,
    attendees: Vec<AttendeeView>,
}

/// An attendee now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct AttendeeView {
    attendee_id: String,
    external_user_id: String,
    /// Whether a call takes part for it.
    present: bool,
    muted: bool,
}

impl Meeting {
    /// The meeting now.
    pub(crate) fn view(&self) -> MeetingView {
        let state = self.lock();
        let speaker = state.mixer.active_speaker();
        let is_speaker = |member: &&super::Member| member.seat.is_some() && member.seat == speaker;
        MeetingView {
            meeting_id: self.id.clone(),
            active_speaker: state
                .attendees
                .iter()
                .find(is_speaker)
                .map(|member| member.attendee.attendee_id.clone()),
            attendees: state
                .attendees
                .iter()
                .map(|member| AttendeeView {
                    attendee_id: member.attendee.attendee_id.clone(),
                    external_user_id: member.attendee.external_user_id.clone(),
                    present: member.seat.is_some(),
                    muted: member.muted,
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use skillcall_media::tone::{power_at, sine};
    use skillcall_media::{FRAME_SAMPLES, Frame};

    use super::super::{Meetings, NewMeeting, Seat};

    const PEOPLE: usize = 100;

    /// A hundred participants in virtual time: each hears all others, the muted are not heard, and who speaks up is told.
    #[test]
    fn a_hundred_are_mixed_and_the_one_who_speaks_is_told() {
        let meetings = Meetings::default();
        let meeting = meetings.create(NewMeeting::default()).unwrap();
        let attendees: Vec<_> = (0..PEOPLE)
            .map(|n| meeting.invite(format!("person {n}")).unwrap())
            .collect();
        let seats: Vec<Seat> = attendees
            .iter()
            .map(|attendee| {
                meetings
                    .join(Some(&meeting.id), &attendee.join_token)
                    .unwrap()
            })
            .collect();
        let frame =
            |hz: f64, dbov: f64| -> Frame { sine(hz, dbov, FRAME_SAMPLES).try_into().unwrap() };
        // Whole numbers of waves in a frame, so that frames follow each other without a click.
        let (mine, low, high) = (
            frame(1000.0, -25.0),
            frame(500.0, -55.0),
            frame(2000.0, -55.0),
        );
        let heard_in = |by: usize, muted: &[usize]| {
            let ids: Vec<String> = muted
                .iter()
                .map(|n| attendees[*n].attendee_id.clone())
                .collect();
            meeting.mute(&ids, true).unwrap();
            let mut heard = Vec::new();
            for _ in 0..100 {
                for (n, seat) in seats.iter().enumerate() {
                    let said = match n {
                        7 => &mine,
                        n if n % 2 == 0 => &low,
                        _ => &high,
                    };
                    assert!(seat.say(said));
                }
                heard.extend(seats[by].hear());
            }
            meeting.mute(&ids, false).unwrap();
            heard
        };
        let heard = heard_in(0, &[]);
        // 49 voices each of −55 dBov in phase are at −21 dBov.
        let shares = [500.0, 1000.0, 2000.0].map(|hz| power_at(&heard, hz));
        assert!(shares.iter().all(|share| *share > 0.15), "{shares:?}");
        assert!(
            power_at(&heard_in(7, &[]), 1000.0) < 0.01,
            "nobody hears himself"
        );
        let odd: Vec<usize> = (0..PEOPLE).filter(|n| n % 2 == 1 && *n != 7).collect();
        let heard = heard_in(0, &odd);
        assert!(power_at(&heard, 2000.0) < 0.01, "they are muted");
        assert!(power_at(&heard, 1000.0) > 0.2);

        let view = serde_json::to_value(meeting.view()).unwrap();
        assert_eq!(view["activeSpeaker"], json!(attendees[7].attendee_id));
        assert_eq!(view["attendees"].as_array().unwrap().len(), PEOPLE);
        // The speaker is muted, and another one speaks up.
        meeting
            .mute(&[attendees[7].attendee_id.clone()], true)
            .unwrap();
        for _ in 0..100 {
            seats[7].say(&mine);
            seats[42].say(&mine);
        }
        let view = serde_json::to_value(meeting.view()).unwrap();
        assert_eq!(view["activeSpeaker"], json!(attendees[42].attendee_id));
        assert_eq!(
            (
                &view["attendees"][7]["muted"],
                &view["attendees"][7]["present"]
            ),
            (&json!(true), &json!(true))
        );
        drop(seats);
        let view = serde_json::to_value(meeting.view()).unwrap();
        assert_eq!(
            (&view["activeSpeaker"], &view["attendees"][7]["present"]),
            (&json!(null), &json!(false))
        );
    }
}
