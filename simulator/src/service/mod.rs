//! The Alexa service's HTTP side: the APIs that a skill calls, and the certificate chains.
//!
//! | route | facts |
//! |---|---|
//! | `GET /echo.api/echo-api-cert-<n>.pem` | B |
//! | `GET /v2/accounts/~current/settings/<key>`, `GET /v2/persons/~current/profile/<key>` | C1 |
//! | `POST /v1/communications/session` | D |
//! | `POST /v1/communications/signaling` | G3, G5 |
//! | `/v1/communications/serviceProviders…`, `/v1/addressBooks/<id>/contacts` | G8 |
//! | `POST /v1/directives` | A5 |
//! | `GET /v1/communications/profile` | D5 |
//! | `POST /v1/skillmessages/users/<id>` | H |
//! | `POST /auth/o2/token` | H |
//! | `GET /user/profile`, `GET /userinfo` | C2 |

mod chains;
mod communication_profile;
mod directives;
mod listener;
mod login;
mod messages;
mod profile;
mod provisioner;
mod provisioning;
mod recording;
mod sessions;
mod signaling;
mod trouble;
mod userinfo;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};

pub(crate) use self::listener::serve;
pub(crate) use self::recording::About;
use crate::alexa::{Alexa, ErrorBody};
use crate::tokens::TokenRefusal;

/// The largest body that a route reads.
pub(crate) const MAX_BODY: usize = 64 * 1024;

/// The routes of the Alexa APIs.
pub(crate) fn router(alexa: Arc<Alexa>) -> Router {
    Router::new()
        .route("/echo.api/{file}", get(chains::chain))
        .route(
            "/v2/accounts/~current/settings/{key}",
            get(profile::of_account),
        )
        .route(
            "/v2/persons/~current/profile/{key}",
            get(profile::of_person),
        )
        .route("/v1/communications/session", post(sessions::start))
        .route("/v1/communications/signaling", post(signaling::message))
        .route("/v1/directives", post(directives::directive))
        .route(
            "/v1/communications/profile",
            get(communication_profile::of_unit).post(provisioning::make_profile),
        )
        .merge(provisioning::router())
        .route("/v1/skillmessages/users/{user}", post(messages::message))
        .route("/auth/o2/token", post(login::token))
        .route("/auth/O2/token", post(login::token))
        .route("/user/profile", get(userinfo::amazon))
        .route("/userinfo", get(userinfo::own))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(Arc::clone(&alexa), recording::record))
        .with_state(alexa)
}

/// An error in the shape of the Alexa APIs (facts C1, D2).
pub(crate) fn refusal(status: StatusCode, code: &str, message: impl Into<String>) -> Response {
    let message = message.into();
    let body = ErrorBody {
        code: code.to_owned(),
        message: message.clone(),
    };
    let mut response = (status, Json(body.to_value())).into_response();
    response.extensions_mut().insert(About {
        problems: vec![format!("{code}: {message}")],
        ..About::default()
    });
    response
}

/// A header's text, if it is visible ASCII.
fn text_of(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether the body is said to be JSON; parameters such as a charset are allowed.
fn is_json(headers: &HeaderMap) -> bool {
    text_of(headers, header::CONTENT_TYPE)
        .and_then(|value| value.split(';').next())
        .is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("application/json"))
}

/// The `Authorization` header, or why there is none that could be read.
fn authorization(headers: &HeaderMap) -> Result<Option<&str>, TokenRefusal> {
    match headers.get(header::AUTHORIZATION) {
        None => Ok(None),
        Some(value) => value
            .to_str()
            .map(Some)
            .map_err(|_| TokenRefusal::NotBearer),
    }
}
