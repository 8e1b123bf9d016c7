//! Refusals as problem details (RFC 9457).

use serde::Serialize;

use super::message::{PROBLEM, Response};

/// Why a request is not served. The detail never says what would help somebody who should not get in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The kind of problem, as a URN; stable.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What was wrong this time, and what would be right.
    pub detail: String,
    #[serde(skip)]
    allow: Option<&'static str>,
}

impl Problem {
    fn new(status: u16, kind: &str, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:skillcall:problem:{kind}"),
            title,
            status,
            detail: detail.into(),
            allow: None,
        }
    }

    /// 400: the request is refused, which is what Alexa's certification expects (facts B).
    pub fn refused(detail: impl Into<String>) -> Self {
        Self::new(400, "refused", "The request was refused", detail)
    }

    /// 400: the request's id came with another body before.
    pub fn altered() -> Self {
        Self::new(
            400,
            "altered",
            "The request was altered",
            "a request with this id came with another body; expected the same bytes",
        )
    }

    /// 401: the signature of the sidecar, or of another media server, is missing or wrong.
    pub fn unsigned(detail: impl Into<String>) -> Self {
        Self::new(401, "unsigned", "The request is not rightly signed", detail)
    }

    /// 404.
    pub fn no_route(path: &str) -> Self {
        Self::new(
            404,
            "no-route",
            "There is nothing here",
            format!(
                "found {path:?}; expected /alexa, /media/events, /messages, /signaling or /health"
            ),
        )
    }

    /// 405, with the method that would be right.
    pub fn method(found: &str, allowed: &'static str) -> Self {
        let mut problem = Self::new(
            405,
            "method",
            "The method is wrong",
            format!("found {found:?}; expected {allowed}"),
        );
        problem.allow = Some(allowed);
        problem
    }

    /// 413.
    pub fn too_long(limit: usize) -> Self {
        Self::new(
            413,
            "too-long",
            "The body is too long",
            format!("expected at most {limit} bytes"),
        )
    }

    /// 500: the skill failed.
    pub fn failed() -> Self {
        Self::new(
            500,
            "failed",
            "The skill failed",
            "the log of the skill says why",
        )
    }

    /// 502: one of Amazon's services did not do what was asked.
    pub fn upstream(detail: impl Into<String>) -> Self {
        Self::new(
            502,
            "upstream",
            "A service of Amazon's did not do it",
            detail,
        )
    }

    /// 503: a setting is missing or wrong.
    pub fn not_configured() -> Self {
        Self::new(
            503,
            "not-configured",
            "The skill is not configured",
            "a setting is missing or wrong; the log of the skill names it",
        )
    }

    /// 503: the same request is still being served.
    pub fn still_running() -> Self {
        Self::new(
            503,
            "still-running",
            "The same request is still being served",
            "expected it to be done by now; send it again",
        )
    }
}

impl From<Problem> for Response {
    fn from(problem: Problem) -> Self {
        let mut headers = vec![("content-type", PROBLEM.to_owned())];
        headers.extend(problem.allow.map(|allow| ("allow", allow.to_owned())));
        // A struct of strings and a number always becomes JSON.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        Self {
            status: problem.status,
            headers,
            body,
        }
    }
}
