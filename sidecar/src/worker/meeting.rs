//! A call that takes part in a meeting.

use super::Running;
use super::call::CallKey;
use crate::engine::{Failure, Input, LegId};
use skillcall_protocol::sma::ErrorType;

impl Running {
    pub(super) fn join_meeting(
        &mut self,
        key: CallKey,
        leg: LegId,
        meeting: LegId,
        meeting_id: Option<&str>,
        join_token: &str,
    ) {
        let joined = self
            .shared
            .meetings
            .join(meeting_id, join_token)
            .map_err(|error| error.to_string());
        let input = match (joined, self.leg_media(key, leg)) {
            (Ok(seat), Some(media)) => {
                media.seat = Some(seat);
                Ok(())
            }
            (Ok(_), None) => Err("the leg has no audio".to_owned()),
            (Err(told), _) => Err(told),
        };
        if input.is_ok()
            && let Some(call) = self.call_mut(key)
        {
            call.meeting = Some(meeting);
        }
        self.input(
            key,
            match input {
                Ok(()) => Input::MeetingJoined { leg: meeting },
                Err(told) => Input::MeetingRefused {
                    leg: meeting,
                    failure: Failure::new(ErrorType::ErrorJoiningMeeting, told),
                },
            },
        );
    }

    pub(super) fn mute_attendees(
        &mut self,
        key: CallKey,
        leg: LegId,
        muted: bool,
        meeting_id: &str,
        attendees: &[String],
    ) {
        let seat = self
            .leg_media(key, leg)
            .and_then(|media| media.seat.as_ref());
        let result = match seat.map(|seat| seat.meeting()) {
            Some(meeting) if meeting.id == meeting_id => {
                meeting.mute(attendees, muted).map_err(|foreign| {
                    let told = "AttendeeList holds ids that are no attendees of the meeting";
                    (told.to_owned(), foreign)
                })
            }
            Some(_) => Err((
                "MeetingId is not that of the meeting that the call is in".to_owned(),
                Vec::new(),
            )),
            None => Err(("the call is in no meeting".to_owned(), Vec::new())),
        };
        self.input(key, Input::AttendeesModified { result });
    }
}
