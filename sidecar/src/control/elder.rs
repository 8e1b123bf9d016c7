//! After a hand-over: what is asked about a call of the process that was taken over from is asked of that process.

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use super::{Control, MOST_BODY};
use crate::handover::Elder;

/// Asks the older process what nothing here has the id of. Behind the guard, and that process checks again.
pub(super) async fn ask(
    State(control): State<Arc<Control>>,
    request: Request,
    next: Next,
) -> Response {
    let Some(elder) = control.elder().filter(|_| names_one(&request)) else {
        return next.run(request).await;
    };
    let elder = Arc::clone(elder);
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MOST_BODY).await else {
        return Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body cannot be read, or is too long",
        )
        .into_response();
    };
    let (method, uri, headers) = (
        parts.method.clone(),
        parts.uri.clone(),
        parts.headers.clone(),
    );
    let own = next
        .run(Request::from_parts(parts, Body::from(body.clone())))
        .await;
    if own.status() != StatusCode::NOT_FOUND {
        return own;
    }
    match elder.ask(method, &uri, &headers, body).await {
        Some(theirs) if theirs.status() != StatusCode::NOT_FOUND => theirs,
        _ => own,
    }
}

/// Whether a request names something that belongs to a call, or to the calls of one process.
fn names_one(request: &Request) -> bool {
    let path = request.uri().path();
    let one_of = [
        "/v1/calls/",
        "/v1/legs/",
        "/v1/captures",
        "/v1/meetings/",
        "/v1/traces/",
        "/meetings/",
    ];
    one_of.iter().any(|begin| path.starts_with(begin))
        || (path.starts_with("/sip-media-applications/") && path.contains("/calls/"))
}

impl Control {
    /// The process that was taken over from, while it has calls.
    pub(super) fn elder(&self) -> Option<&Arc<Elder>> {
        self.elder.as_ref().filter(|elder| elder.lives())
    }

    /// Hands a message of Alexa's on whose session is the older process's, signature and all. None: it is not.
    pub(super) async fn ask_of_session(
        &self,
        session: &str,
        uri: &Uri,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Option<Response> {
        let elder = self.elder().filter(|elder| elder.has_session(session))?;
        let asked = elder.ask(Method::POST, uri, headers, body.clone()).await;
        Some(asked.unwrap_or_else(|| {
            let why = "the process that has the session does not answer";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, why).into_response()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_a_call_may_be_the_older_process_s() {
        for (path, expected) in [
            ("/v1/calls/7", true),
            ("/v1/calls/7/update", true),
            ("/v1/legs/7/hold", true),
            ("/v1/captures", true),
            ("/v1/captures/7", true),
            ("/v1/traces/7", true),
            ("/meetings/7/attendees", true),
            ("/sip-media-applications/a/calls/7", true),
            // Each process has its own.
            ("/v1/calls", false),
            ("/v1/figures", false),
            ("/v1/drain", false),
            ("/v1/bans/192.0.2.1", false),
            ("/meetings", false),
            ("/sip-media-applications/a", false),
            ("/sip-media-applications/a/calls", false),
            ("/nowhere", false),
        ] {
            let request = Request::builder().uri(path).body(Body::empty()).unwrap();
            assert_eq!(names_one(&request), expected, "{path}");
        }
    }
}
