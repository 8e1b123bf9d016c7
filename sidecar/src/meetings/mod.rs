//! Meetings (facts F6, JoinChimeMeeting): made through the control API, joined by calls, mixed here.
//!
//! A meeting may have participants on several workers. Each of them takes the meeting's lock for a moment twice in 20 ms,
//! to say and to hear; nobody waits for anything while holding it.

mod view;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use skillcall_media::Frame;
use skillcall_media::mixer::{Mixer, SeatId};
use uuid::Uuid;

pub(crate) use view::MeetingView;

/// Most meetings at a time.
const MOST_MEETINGS: usize = 1000;
/// Most attendees of a meeting, as at Amazon.
const MOST_ATTENDEES: usize = 250;
/// A meeting that nobody has been in for so long may make room for another one.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Why something cannot be done with a meeting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MeetingError {
    /// No such meeting, or it has ended.
    #[error("there is no meeting with the id {0}")]
    NoMeeting(String),
    /// The token is nobody's.
    #[error("the JoinToken is that of no attendee of the meeting")]
    NoAttendee,
    /// No attendee has this id.
    #[error("the meeting has no attendee with the id {0}")]
    NoAttendeeId(String),
    /// The attendee takes part already.
    #[error("the attendee takes part in the meeting already")]
    TakesPart,
    /// The `ClientRequestToken` made another meeting.
    #[error("the ClientRequestToken was used for a meeting with other parameters")]
    TokenUsed,
    /// There are too many of them.
    #[error("there are {0} already, the most that there may be")]
    TooMany(usize),
}

/// All meetings.
#[derive(Debug, Default)]
pub(crate) struct Meetings {
    meetings: Mutex<HashMap<String, Arc<Meeting>>>,
}

/// What a meeting is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NewMeeting {
    /// `ExternalMeetingId`.
    pub(crate) external_id: Option<String>,
    /// `MeetingHostId`.
    pub(crate) host_id: Option<String>,
    /// `MediaRegion`.
    pub(crate) region: Option<String>,
    /// `ClientRequestToken`: asked for twice with the same one, there is one meeting.
    pub(crate) token: Option<String>,
}

/// One meeting.
#[derive(Debug)]
pub(crate) struct Meeting {
    /// `MeetingId`.
    pub(crate) id: String,
    /// What its maker said of it.
    pub(crate) made: NewMeeting,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    mixer: Mixer,
    attendees: Vec<Member>,
    /// Seats whose attendees were taken away, until their calls have left.
    removed: Vec<SeatId>,
    ended: bool,
    empty_since: Instant,
}

#[derive(Debug)]
struct Member {
    attendee: Attendee,
    muted: bool,
    seat: Option<SeatId>,
}

/// An attendee, as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Attendee {
    /// `ExternalUserId`.
    pub(crate) external_user_id: String,
    /// `AttendeeId`.
    pub(crate) attendee_id: String,
    /// `JoinToken`.
    pub(crate) join_token: String,
}

impl Meetings {
    /// Makes a meeting; with a `ClientRequestToken` that one was made with, gives that one.
    ///
    /// # Errors
    /// There are too many, or the token was used for another one.
    pub(crate) fn create(&self, made: NewMeeting) -> Result<Arc<Meeting>, MeetingError> {
        let mut meetings = self.lock();
        let by_token =
            |meeting: &&Arc<Meeting>| made.token.is_some() && meeting.made.token == made.token;
        if let Some(meeting) = meetings.values().find(by_token) {
            return if meeting.made == made {
                Ok(Arc::clone(meeting))
            } else {
                Err(MeetingError::TokenUsed)
            };
        }
        if meetings.len() >= MOST_MEETINGS {
            meetings.retain(|_, meeting| !meeting.is_abandoned());
        }
        if meetings.len() >= MOST_MEETINGS {
            return Err(MeetingError::TooMany(MOST_MEETINGS));
        }
        let meeting = Arc::new(Meeting {
            id: Uuid::new_v4().to_string(),
            made,
            state: Mutex::new(State {
                mixer: Mixer::new(),
                attendees: Vec::new(),
                removed: Vec::new(),
                ended: false,
                empty_since: Instant::now(),
            }),
        });
        meetings.insert(meeting.id.clone(), Arc::clone(&meeting));
        Ok(meeting)
    }

    /// A meeting by its id.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn get(&self, id: &str) -> Result<Arc<Meeting>, MeetingError> {
        self.lock()
            .get(id)
            .cloned()
            .ok_or_else(|| MeetingError::NoMeeting(id.to_owned()))
    }

    /// Ends a meeting, for all who are in it.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn end(&self, id: &str) -> Result<(), MeetingError> {
        let ended = self.lock().remove(id);
        let meeting = ended.ok_or_else(|| MeetingError::NoMeeting(id.to_owned()))?;
        meeting.lock().ended = true;
        Ok(())
    }

    /// Joins by an attendee's token; without an id all meetings are looked through.
    ///
    /// # Errors
    /// No such meeting or attendee, or it takes part already.
    pub(crate) fn join(&self, id: Option<&str>, token: &str) -> Result<Seat, MeetingError> {
        let meetings: Vec<Arc<Meeting>> = match id {
            Some(id) => vec![self.get(id)?],
            None => self.lock().values().cloned().collect(),
        };
        meetings
            .iter()
            .map(|meeting| meeting.join(token))
            .find(|joined| !matches!(joined, Err(MeetingError::NoAttendee)))
            .unwrap_or(Err(MeetingError::NoAttendee))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Meeting>>> {
        self.meetings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Meeting {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_abandoned(&self) -> bool {
        let state = self.lock();
        state.mixer.is_empty() && state.empty_since.elapsed() > ABANDONED
    }

    /// Makes an attendee.
    ///
    /// # Errors
    /// There are too many.
    pub(crate) fn invite(&self, external_user_id: String) -> Result<Attendee, MeetingError> {
        let mut state = self.lock();
        if state.attendees.len() >= MOST_ATTENDEES {
            return Err(MeetingError::TooMany(MOST_ATTENDEES));
        }
        let attendee = Attendee {
            external_user_id,
            attendee_id: Uuid::new_v4().to_string(),
            join_token: hex::encode(rand::random::<[u8; 32]>()),
        };
        state.attendees.push(Member {
            attendee: attendee.clone(),
            muted: false,
            seat: None,
        });
        Ok(attendee)
    }

    /// All attendees.
    pub(crate) fn attendees(&self) -> Vec<Attendee> {
        let state = self.lock();
        state
            .attendees
            .iter()
            .map(|member| member.attendee.clone())
            .collect()
    }

    /// An attendee by its id.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn attendee(&self, id: &str) -> Result<Attendee, MeetingError> {
        let state = self.lock();
        let mut attendees = state.attendees.iter();
        let member = attendees.find(|member| member.attendee.attendee_id == id);
        member
            .map(|member| member.attendee.clone())
            .ok_or_else(|| MeetingError::NoAttendeeId(id.to_owned()))
    }

    /// Takes an attendee away: its token is nobody's from now on, and it takes part no more.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn remove(&self, id: &str) -> Result<(), MeetingError> {
        let mut state = self.lock();
        let place = state
            .attendees
            .iter()
            .position(|member| member.attendee.attendee_id == id)
            .ok_or_else(|| MeetingError::NoAttendeeId(id.to_owned()))?;
        let seat = state.attendees.swap_remove(place).seat;
        state.removed.extend(seat);
        Ok(())
    }

    /// Mutes or unmutes attendees, all of them or none.
    ///
    /// # Errors
    /// The ids that are none of the meeting's.
    pub(crate) fn mute(&self, ids: &[String], muted: bool) -> Result<(), Vec<String>> {
        let mut state = self.lock();
        let State {
            mixer, attendees, ..
        } = &mut *state;
        let foreign: Vec<String> = ids
            .iter()
            .filter(|id| {
                attendees
                    .iter()
                    .all(|member| member.attendee.attendee_id != **id)
            })
            .cloned()
            .collect();
        if !foreign.is_empty() {
            return Err(foreign);
        }
        for member in attendees
            .iter_mut()
            .filter(|member| ids.contains(&member.attendee.attendee_id))
        {
            member.muted = muted;
            if let Some(seat) = member.seat {
                mixer.mute(seat, muted);
            }
        }
        Ok(())
    }

    fn join(self: &Arc<Self>, token: &str) -> Result<Seat, MeetingError> {
        let mut state = self.lock();
        let State {
            mixer,
            attendees,
            ended,
            ..
        } = &mut *state;
        if *ended {
            return Err(MeetingError::NoMeeting(self.id.clone()));
        }
        let member = attendees
            .iter_mut()
            .find(|member| member.attendee.join_token == token)
            .ok_or(MeetingError::NoAttendee)?;
        if member.seat.is_some() {
            return Err(MeetingError::TakesPart);
        }
        let id = mixer.join(member.muted);
        member.seat = Some(id);
        Ok(Seat {
            meeting: Arc::clone(self),
            id,
        })
    }
}

/// A call's place in a meeting, which it leaves when this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    meeting: Arc<Meeting>,
    id: SeatId,
}

impl Seat {
    /// The meeting.
    pub(crate) fn meeting(&self) -> &Meeting {
        &self.meeting
    }

    /// What the call says. False when the meeting has ended, for all or for this attendee.
    pub(crate) fn say(&self, frame: &Frame) -> bool {
        let mut state = self.meeting.lock();
        state.mixer.put(self.id, frame);
        !state.ended && !state.removed.contains(&self.id)
    }

    /// What the call hears.
    pub(crate) fn hear(&self) -> Frame {
        self.meeting.lock().mixer.heard_by(self.id)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.meeting.lock();
        state.mixer.leave(self.id);
        state.removed.retain(|seat| *seat != self.id);
        for member in &mut state.attendees {
            if member.seat == Some(self.id) {
                member.seat = None;
            }
        }
        state.empty_since = Instant::now();
    }
}

#[cfg(test)]
mod tests;
