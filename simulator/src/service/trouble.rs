//! Trouble in HTTP answers.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use tokio::sync::watch;

use super::listener::CloseUnanswered;
use super::refusal;
use crate::stopping::stopped;
use crate::trouble::Fault;

/// Makes the trouble that stands in place of an answer; `None`: the right answer shall follow.
pub(super) async fn in_place_of_answer(
    fault: &Fault,
    stopping: &watch::Receiver<bool>,
) -> Option<Response> {
    match fault {
        Fault::Answer {
            status,
            code,
            message,
        } => Some(answer(*status, code.as_deref(), message.as_deref())),
        Fault::Delay { milliseconds } => {
            let mut stopping = stopping.clone();
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(*milliseconds)) => {}
                () = stopped(&mut stopping) => {}
            }
            None
        }
        Fault::Silence => Some(silence(stopping).await),
        Fault::Close => Some(close()),
        Fault::Nonsense => Some(
            (
                StatusCode::OK,
                [("content-type", "text/html")],
                "<html>It works!</html>",
            )
                .into_response(),
        ),
        _ => None,
    }
}

/// An answer with a status, and the code that the facts give for it (D2) unless another is ordered.
pub(super) fn answer(status: u16, code: Option<&str>, message: Option<&str>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let usual = match status.as_u16() {
        400 => "InvalidInput",
        401 => "BadToken",
        403 => "AccessDenied",
        404 => "NotFound",
        429 => "Throttling",
        _ => "InternalServerError",
    };
    refusal(
        status,
        code.unwrap_or(usual),
        message.unwrap_or("trouble, as ordered"),
    )
}

/// Never answers: the client gives up, or the simulator stops.
pub(super) async fn silence(stopping: &watch::Receiver<bool>) -> Response {
    stopped(&mut stopping.clone()).await;
    close()
}

pub(super) fn close() -> Response {
    let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
    response.extensions_mut().insert(CloseUnanswered);
    response
}
