//! Meetings and their attendees, in the shapes of Amazon's chime-sdk-meetings.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Control;
use super::applications::Paging;
use super::exception::{Exception, object, page};
use super::problem::Problem;
use crate::meetings::{Attendee, Meeting, MeetingError, MeetingView, NewMeeting};

/// Longest ExternalMeetingId and ExternalUserId, as at Amazon.
const LONGEST_NAME: usize = 64;

fn shown(meeting: &Meeting) -> Value {
    let made = &meeting.made;
    let mut shown = json!({ "MeetingId": meeting.id });
    for (key, value) in [
        ("ExternalMeetingId", &made.external_id),
        ("MeetingHostId", &made.host_id),
        ("MediaRegion", &made.region),
    ] {
        if let Some(value) = value {
            shown[key] = json!(value);
        }
    }
    shown
}

fn refused(error: MeetingError) -> Exception {
    match error {
        MeetingError::NoMeeting(_) | MeetingError::NoAttendee | MeetingError::NoAttendeeId(_) => {
            Exception::not_found(error.to_string())
        }
        MeetingError::TokenUsed => {
            Exception::new(StatusCode::CONFLICT, "ConflictException", error.to_string())
        }
        MeetingError::TooMany(_) | MeetingError::TakesPart => Exception::new(
            StatusCode::BAD_REQUEST,
            "LimitExceededException",
            error.to_string(),
        ),
    }
}

fn name(body: &Map<String, Value>, key: &str) -> Result<Option<String>, Exception> {
    match body.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(name)) if (2..=LONGEST_NAME).contains(&name.chars().count()) => {
            Ok(Some(name.clone()))
        }
        Some(_) => Err(Exception::bad_request(format!(
            "{key} is no text of 2 to {LONGEST_NAME} characters"
        ))),
    }
}

fn user(body: &Map<String, Value>) -> Result<String, Exception> {
    name(body, "ExternalUserId")?.ok_or_else(|| {
        Exception::bad_request("ExternalUserId is missing; expected a text of 2 to 64 characters")
    })
}

/// `Attendees` of the operations that make several.
fn users(body: &Map<String, Value>, most: usize) -> Result<Vec<String>, Exception> {
    let wrong = || {
        Exception::bad_request(format!(
            "Attendees is no list of 1 to {most} objects {{ExternalUserId}}"
        ))
    };
    let list = body.get("Attendees").and_then(Value::as_array);
    let list = list.filter(|list| (1..=most).contains(&list.len()));
    list.ok_or_else(wrong)?
        .iter()
        .map(|one| user(one.as_object().ok_or_else(wrong)?))
        .collect()
}

/// Makes attendees; those that cannot be made are told of.
fn invite_all(meeting: &Meeting, users: Vec<String>) -> (Vec<Attendee>, Vec<Value>) {
    let (mut attendees, mut errors) = (Vec::new(), Vec::new());
    for user in users {
        match meeting.invite(user.clone()) {
            Ok(attendee) => attendees.push(attendee),
            Err(error) => errors.push(json!({
                "ExternalUserId": user,
                "ErrorCode": "LimitExceeded",
                "ErrorMessage": error.to_string(),
            })),
        }
    }
    (attendees, errors)
}

/// `operation` of a POST: which of the operations that share a path.
#[derive(Default, Deserialize)]
pub(super) struct Operation {
    operation: Option<String>,
}

impl Operation {
    fn is(&self, name: &str) -> Result<bool, Exception> {
        match self.operation.as_deref() {
            None => Ok(false),
            Some(operation) if operation == name => Ok(true),
            Some(operation) => Err(Exception::bad_request(format!(
                "operation is {operation:?}; expected {name}, or none"
            ))),
        }
    }
}

/// CreateMeeting, and CreateMeetingWithAttendees.
pub(super) async fn create(
    State(control): State<Arc<Control>>,
    Query(operation): Query<Operation>,
    body: Bytes,
) -> Result<Json<Value>, Exception> {
    let with_attendees = operation.is("create-attendees")?;
    let body = object(&body)?;
    let made = NewMeeting {
        external_id: name(&body, "ExternalMeetingId")?,
        host_id: name(&body, "MeetingHostId")?,
        region: name(&body, "MediaRegion")?,
        token: name(&body, "ClientRequestToken")?,
    };
    let users = match with_attendees {
        true => Some(users(&body, 20)?),
        false => None,
    };
    let meeting = control.meetings.create(made).map_err(refused)?;
    let mut reply = json!({ "Meeting": shown(&meeting) });
    if let Some(users) = users {
        let (attendees, errors) = invite_all(&meeting, users);
        reply["Attendees"] = json!(attendees);
        reply["Errors"] = json!(errors);
    }
    Ok(Json(reply))
}

/// GetMeeting.
pub(super) async fn get(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Exception> {
    control
        .meetings
        .get(&id)
        .map(|meeting| Json(json!({ "Meeting": shown(&meeting) })))
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

/// CreateAttendee, and BatchCreateAttendee.
pub(super) async fn invite(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    Query(operation): Query<Operation>,
    body: Bytes,
) -> Result<Json<Value>, Exception> {
    let body = object(&body)?;
    if operation.is("batch-create")? {
        let users = users(&body, 100)?;
        let meeting = control.meetings.get(&id).map_err(refused)?;
        let (attendees, errors) = invite_all(&meeting, users);
        return Ok(Json(json!({ "Attendees": attendees, "Errors": errors })));
    }
    let user = user(&body)?;
    let meeting = control.meetings.get(&id).map_err(refused)?;
    let attendee = meeting.invite(user).map_err(refused)?;
    Ok(Json(json!({ "Attendee": attendee })))
}

/// ListAttendees.
pub(super) async fn attendees(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    Query(paging): Query<Paging>,
) -> Result<Json<Value>, Exception> {
    let meeting = control.meetings.get(&id).map_err(refused)?;
    let (page, next) = page(meeting.attendees(), &paging)?;
    let mut reply = json!({ "Attendees": page });
    if let Some(next) = next {
        reply["NextToken"] = json!(next);
    }
    Ok(Json(reply))
}

/// GetAttendee.
pub(super) async fn attendee(
    State(control): State<Arc<Control>>,
    Path((id, attendee)): Path<(String, String)>,
) -> Result<Json<Value>, Exception> {
    let meeting = control.meetings.get(&id).map_err(refused)?;
    let attendee = meeting.attendee(&attendee).map_err(refused)?;
    Ok(Json(json!({ "Attendee": attendee })))
}

/// DeleteAttendee: its call leaves the meeting.
pub(super) async fn remove(
    State(control): State<Arc<Control>>,
    Path((id, attendee)): Path<(String, String)>,
) -> Result<StatusCode, Exception> {
    let meeting = control.meetings.get(&id).map_err(refused)?;
    meeting.remove(&attendee).map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}

/// A meeting now: who is in it, who is muted, who speaks.
pub(super) async fn view(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<Json<MeetingView>, Problem> {
    let meeting = control.meetings.get(&id);
    let meeting = meeting.map_err(|error| Problem::not_found(error.to_string()))?;
    Ok(Json(meeting.view()))
}
