//! The control API: what a person or a test does with the simulator by HTTP.
//!
//! Each route but `GET /health` and the files of the page `/echo` wants `Authorization: Bearer <token>`; each refuses a foreign `Host` or `Origin`, so
//! that no web page in a browser on this machine can reach it.

mod browser;
mod guard;
mod routes;
mod sessions;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post, put};

use crate::alexa::Alexa;
use crate::browser::Browsers;
use crate::config::{Contact, Secret};
use crate::phone::Phone;

/// The largest body that a route reads.
const MAX_BODY: usize = 64 * 1024;

/// What the control API works on.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) alexa: Arc<Alexa>,
    pub(crate) phone: Option<Phone>,
    pub(crate) browsers: Arc<Browsers>,
    pub(crate) contacts: Vec<Contact>,
    pub(crate) token: Secret,
    pub(crate) address: SocketAddr,
}

/// The routes of the control API.
pub(crate) fn router(control: Arc<Control>) -> Router {
    let guarded = Router::new()
        .route("/sim/v1/say", post(routes::say))
        .route("/sim/v1/requests", post(routes::ask))
        .route("/sim/v1/grant", post(routes::grant))
        .route("/sim/v1/login", get(routes::login))
        .route("/sim/v1/calls", get(routes::calls))
        .route("/sim/v1/calls/{id}", get(routes::call))
        .route("/sim/v1/calls/{id}/digits", post(routes::digits))
        .route("/sim/v1/calls/{id}/hangup", post(routes::hang_up))
        .route("/sim/v1/calls/{id}/answer", post(routes::answer))
        .route("/sim/v1/sessions", post(sessions::begin).get(sessions::all))
        .route("/sim/v1/sessions/{id}", get(sessions::one))
        .route("/sim/v1/sessions/{id}/{act}", post(sessions::act))
        .route("/sim/v1/browser", post(browser::attach))
        .route("/sim/v1/browser/{page}", delete(browser::detach))
        .route("/sim/v1/browser/{page}/events", get(browser::events))
        .route("/sim/v1/traces/{id}", get(routes::traces))
        .route(
            "/sim/v1/trouble",
            put(routes::set_trouble).get(routes::trouble),
        )
        .route_layer(from_fn_with_state(Arc::clone(&control), guard::token));
    Router::new()
        .route("/health", get(routes::health))
        .route("/echo", get(browser::file))
        .route("/echo.js", get(browser::file))
        .route("/echo.css", get(browser::file))
        .merge(guarded)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(Arc::clone(&control), guard::origin))
        .with_state(control)
}
