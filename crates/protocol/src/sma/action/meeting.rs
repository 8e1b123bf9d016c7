//! JoinChimeMeeting and ModifyChimeMeetingAttendees (facts F6).

use serde::Serialize;

use super::Parameters;
use super::types::LegSelector;
use crate::sma::fields::{FieldError, Fields};

/// JoinChimeMeeting: join leg A to a meeting.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct JoinChimeMeeting {
    /// The attendee's token.
    pub join_token: String,
    /// Required for meetings made through the meetings API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meeting_id: Option<String>,
    /// LEG-A only.
    #[serde(flatten)]
    pub leg: LegSelector,
}

impl Parameters for JoinChimeMeeting {
    fn read(fields: &Fields<'_>) -> Result<Self, FieldError> {
        Ok(Self {
            join_token: fields.required_text("JoinToken", "the attendee's token")?,
            meeting_id: fields.text("MeetingId", "a meeting's id")?,
            leg: LegSelector::read(fields)?,
        })
    }
}

/// `Operation` of ModifyChimeMeetingAttendees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum AttendeeOperation {
    /// Mute.
    #[default]
    Mute,
    /// Unmute.
    Unmute,
}

/// ModifyChimeMeetingAttendees: mute or unmute.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ModifyChimeMeetingAttendees {
    /// What to do.
    pub operation: AttendeeOperation,
    /// In which meeting.
    pub meeting_id: String,
    /// With whom: 1 to 100 attendee ids.
    pub attendee_list: Vec<String>,
    /// LEG-B, the meeting's leg.
    #[serde(flatten)]
    pub leg: LegSelector,
}

impl Parameters for ModifyChimeMeetingAttendees {
    fn read(fields: &Fields<'_>) -> Result<Self, FieldError> {
        let operations = "Mute or Unmute";
        let operation = match fields.required_text("Operation", operations)?.as_str() {
            "Mute" => AttendeeOperation::Mute,
            "Unmute" => AttendeeOperation::Unmute,
            _ => return Err(fields.invalid("Operation", operations)),
        };
        let expected = "a list of 1 to 100 attendee ids";
        let list = fields
            .list("AttendeeList")
            .ok_or_else(|| fields.missing("AttendeeList", expected))?;
        let attendee_list: Vec<String> = list
            .iter()
            .filter_map(|id| id.as_str())
            .map(str::to_owned)
            .collect();
        if attendee_list.len() != list.len() || !(1..=100).contains(&list.len()) {
            return Err(fields.invalid("AttendeeList", expected));
        }
        Ok(Self {
            operation,
            meeting_id: fields.required_text("MeetingId", "a meeting's id")?,
            attendee_list,
            leg: LegSelector::read(fields)?,
        })
    }
}
