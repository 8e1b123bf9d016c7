//! Meetings and their attendees, in the shapes of Amazon's chime-sdk-meetings.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::Control;
use super::voice::{Exception, object};
use crate::meetings::{Meeting, MeetingError};

/// Longest ExternalMeetingId and ExternalUserId, as at Amazon.
const LONGEST_NAME: usize = 64;

fn shown(meeting: &Meeting) -> Json<Value> {
    let mut shown = json!({ "MeetingId": meeting.id });
    if let Some(external) = &meeting.external_id {
        shown["ExternalMeetingId"] = json!(external);
    }
    Json(json!({ "Meeting": shown }))
}

fn refused(error: MeetingError) -> Exception {
    match error {
        MeetingError::NoMeeting(_) | MeetingError::NoAttendee => {
            Exception::not_found(error.to_string())
        }
        MeetingError::TooMany(_) | MeetingError::TakesPart => Exception::new(
            StatusCode::BAD_REQUEST,
            "LimitExceededException",
            error.to_string(),
        ),
    }
}

fn name(body: &[u8], key: &str) -> Result<Option<String>, Exception> {
    match object(body)?.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(name)) if (2..=LONGEST_NAME).contains(&name.chars().count()) => {
            Ok(Some(name.clone()))
        }
        Some(_) => Err(Exception::bad_request(format!(
            "{key} is no text of 2 to {LONGEST_NAME} characters"
        ))),
    }
}

/// CreateMeeting.
pub(super) async fn create(
    State(control): State<Arc<Control>>,
    body: Bytes,
) -> Result<Json<Value>, Exception> {
    let external = name(&body, "ExternalMeetingId")?;
    let meeting = control.meetings.create(external).map_err(refused)?;
    Ok(shown(&meeting))
}

/// GetMeeting.
pub(super) async fn get(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Exception> {
    control
        .meetings
        .get(&id)
        .map(|meeting| shown(&meeting))
        .map_err(refused)
}

/// DeleteMeeting: it ends for all who are in it.
pub(super) async fn end(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Exception> {
    control
        .meetings
        .end(&id)
        .map(|()| StatusCode::NO_CONTENT)
        .map_err(refused)
}

/// CreateAttendee.
pub(super) async fn invite(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Exception> {
    let user = name(&body, "ExternalUserId")?.ok_or_else(|| {
        Exception::bad_request("ExternalUserId is missing; expected a text of 2 to 64 characters")
    })?;
    let meeting = control.meetings.get(&id).map_err(refused)?;
    let attendee = meeting.invite(user).map_err(refused)?;
    Ok(Json(json!({ "Attendee": attendee })))
}

/// ListAttendees.
pub(super) async fn attendees(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Exception> {
    let meeting = control.meetings.get(&id).map_err(refused)?;
    Ok(Json(json!({ "Attendees": meeting.attendees() })))
}
