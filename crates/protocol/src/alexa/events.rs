//! The members of requests that tell the skill what happened outside a dialog (facts A2). All of them are read leniently:
//! what is absent or malformed is left out, because nothing is answered that would depend on it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Request;

/// What SessionEndedRequest says (facts A2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEnded {
    /// USER_INITIATED, ERROR or EXCEEDED_MAX_REPROMPTS.
    #[serde(default)]
    pub reason: String,
    /// What went wrong, when the reason is ERROR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Fault>,
}

/// An error that Alexa tells of (facts A2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// INVALID_RESPONSE, DEVICE_COMMUNICATION_ERROR, INTERNAL_SERVICE_ERROR, ENDPOINT_TIMEOUT.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// Alexa's words for developers.
    #[serde(default)]
    pub message: String,
}

/// What System.ExceptionEncountered says (facts A2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExceptionEncountered {
    /// The error.
    #[serde(default)]
    pub error: Fault,
    /// Which request's response could not be carried out.
    #[serde(default)]
    pub cause: Cause,
}

/// Names the request that caused an exception.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// Its id.
    #[serde(default)]
    pub request_id: String,
}

/// How a task that was handed on came out (facts A2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskStatus {
    /// An HTTP status as text, such as `200`.
    #[serde(default)]
    pub code: String,
    /// Alexa's words for developers.
    #[serde(default)]
    pub message: String,
}

/// What Connections.Response says, and `cause` of SessionResumedRequest (facts A2).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskDone {
    /// The task's name; absent in SessionResumedRequest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How it came out.
    #[serde(default)]
    pub status: TaskStatus,
    /// What the skill gave along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
}

/// What Messaging.MessageReceived says (facts A2, H).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MessageReceived {
    /// The message, as it was sent to the Skill Messaging API.
    #[serde(default)]
    pub message: Map<String, Value>,
}

/// What AlexaSkillEvent.SkillPermissionAccepted and .SkillPermissionChanged say (facts A2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AcceptedPermissions {
    /// The permissions that hold now.
    #[serde(default)]
    pub accepted_permissions: Vec<AcceptedScope>,
    /// Those of the recognised speaker.
    #[serde(default)]
    pub accepted_person_permissions: Vec<AcceptedScope>,
}

/// A permission by its scope.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedScope {
    /// Such as `alexa::profile:mobile_number:read`.
    #[serde(default)]
    pub scope: String,
}

#[derive(Deserialize)]
struct WithBody<T> {
    body: T,
}

#[derive(Deserialize)]
struct GrantBody {
    grant: GrantCode,
}

#[derive(Deserialize)]
struct GrantCode {
    #[serde(rename = "type", default)]
    kind: String,
    code: String,
}

impl Request {
    fn told<T: for<'de> Deserialize<'de>>(&self) -> Option<T> {
        serde_json::from_value(Value::Object(self.more.clone())).ok()
    }

    /// The members of SessionEndedRequest.
    #[must_use]
    pub fn session_ended(&self) -> SessionEnded {
        self.told().unwrap_or_default()
    }

    /// The members of System.ExceptionEncountered.
    #[must_use]
    pub fn exception(&self) -> ExceptionEncountered {
        self.told().unwrap_or_default()
    }

    /// The members of Connections.Response.
    #[must_use]
    pub fn task_done(&self) -> TaskDone {
        self.told().unwrap_or_default()
    }

    /// `cause` of SessionResumedRequest.
    #[must_use]
    pub fn resumed_by(&self) -> TaskDone {
        self.more
            .get("cause")
            .and_then(|cause| serde_json::from_value(cause.clone()).ok())
            .unwrap_or_default()
    }

    /// The members of Messaging.MessageReceived.
    #[must_use]
    pub fn message(&self) -> MessageReceived {
        self.told().unwrap_or_default()
    }

    /// The body of the two permission events.
    #[must_use]
    pub fn accepted_permissions(&self) -> AcceptedPermissions {
        self.told::<WithBody<AcceptedPermissions>>()
            .map(|with| with.body)
            .unwrap_or_default()
    }

    /// The authorization code of Alexa.Authorization.Grant (facts A2, G7); none when there is none, or the grant is of
    /// another type than `OAuth2.AuthorizationCode`. It is a secret.
    #[must_use]
    pub fn grant_code(&self) -> Option<String> {
        let grant = self.told::<WithBody<GrantBody>>()?.body.grant;
        (grant.kind == "OAuth2.AuthorizationCode" && !grant.code.is_empty()).then_some(grant.code)
    }

    /// The task with which LaunchRequest opens the skill, by its name (facts A2).
    #[must_use]
    pub fn task_name(&self) -> Option<&str> {
        self.more.get("task")?.get("name")?.as_str()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Envelope;
    use super::*;

    fn request(more: Value) -> Request {
        let mut request = json!({"type": "x", "requestId": "r"});
        if let (Value::Object(request), Value::Object(more)) = (&mut request, more) {
            request.extend(more);
        }
        Envelope::read(json!({ "request": request }).to_string().as_bytes())
            .unwrap()
            .request
    }

    #[test]
    fn members_are_read_and_what_is_malformed_is_left_out() {
        let ended = request(
            json!({"reason": "ERROR", "error": {"type": "INVALID_RESPONSE", "message": "m"}}),
        );
        assert_eq!(
            ended.session_ended().error.unwrap().kind,
            "INVALID_RESPONSE"
        );
        assert_eq!(
            request(json!({"reason": 5})).session_ended(),
            SessionEnded::default()
        );
        let exception =
            request(json!({"error": {"type": "INVALID_RESPONSE"}, "cause": {"requestId": "r1"}}));
        assert_eq!(exception.exception().cause.request_id, "r1");
        let done = request(
            json!({"name": "AskFor", "status": {"code": "200"}, "token": "t", "payload": {"a": 1}}),
        );
        assert_eq!(done.task_done().status.code, "200");
        let resumed =
            request(json!({"cause": {"type": "ConnectionCompleted", "status": {"code": "404"}}}));
        assert_eq!(resumed.resumed_by().status.code, "404");
        let message = request(json!({"message": {"a": "b"}}));
        assert_eq!(message.message().message["a"], "b");
        let accepted = request(json!({"body": {"acceptedPermissions": [{"scope": "s"}]}}));
        assert_eq!(
            accepted.accepted_permissions().accepted_permissions[0].scope,
            "s"
        );
        assert_eq!(
            request(json!({"task": {"name": "T", "version": "1"}})).task_name(),
            Some("T")
        );
    }

    #[test]
    fn only_a_code_of_the_right_type_is_a_grant() {
        let grant = |kind: &str, code: Value| {
            request(json!({"body": {"grant": {"type": kind, "code": code}}})).grant_code()
        };
        assert_eq!(
            grant("OAuth2.AuthorizationCode", json!("c")),
            Some("c".to_owned())
        );
        assert_eq!(grant("OAuth2.Implicit", json!("c")), None);
        assert_eq!(grant("OAuth2.AuthorizationCode", json!("")), None);
        assert_eq!(grant("OAuth2.AuthorizationCode", json!(5)), None);
        assert_eq!(request(json!({})).grant_code(), None);
    }
}
