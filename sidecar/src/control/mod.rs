//! The control API: what runs, what was, and an end to it.
//!
//! Everything but `GET /health` wants the bearer token, or a signature by an access key as the AWS SDKs make it; `POST /v1/traces` and `POST /v1/signaling` want a signature instead. A foreign `Host`
//! or `Origin` is refused, so that no page in a browser on the same machine gets in.

mod applications;
mod bans;
mod calls;
mod captures;
mod drain;
mod elder;
mod exception;
mod guard;
mod legs;
mod meetings;
mod openapi;
mod phones;
mod problem;
mod reload;
mod rules;
mod server;
mod signaling;
mod signed;
mod sigv4;
mod traces;
mod trunks;
mod voice;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use skillcall_protocol::signing::NonceWindow;

use crate::applications::{Applications, Book, Configured, Refusal};
use crate::capture::Captures;
use crate::engine::Throttle;
use crate::figures::{Figures, FiguresSnapshot};
use crate::front::FrontHandle;
use crate::gateway::Switchboard;
use crate::guard::{Known, SharedBans};
use crate::handover::Elder;
use crate::journal::Journal;
use crate::meetings::Meetings;
use crate::metrics::{CONTENT_TYPE, Scrape};
use crate::phones::Phones;
use crate::reachable::Reachable;
use crate::sidecar::Reload;
use crate::speech::{SpeechFigures, SpeechService};
use crate::trace::TraceStore;
use crate::trunks::Trunks;
use crate::worker::WorkerHandle;
use exception::Exception;
use problem::Problem;
pub(crate) use server::ControlServer;
pub(crate) use sigv4::AccessKeys;

/// The largest body that is read: a batch of trace records.
const MOST_BODY: usize = 1 << 20;
/// Nonces of trace posts that are remembered.
const NONCES: usize = 100_000;

/// Changes of applications and rules that are taken in a second (ours).
const CHANGES_PER_SECOND: usize = 50;

/// What the routes work on.
pub(crate) struct Control {
    pub(crate) token: Option<String>,
    /// Who may sign requests as the AWS SDKs do.
    pub(crate) access_keys: AccessKeys,
    pub(crate) hosts: Vec<String>,
    pub(crate) workers: Vec<WorkerHandle>,
    pub(crate) figures: Arc<Figures>,
    pub(crate) speech: Arc<SpeechService>,
    pub(crate) traces: TraceStore,
    pub(crate) nonces: Mutex<NonceWindow>,
    pub(crate) applications: Arc<Applications>,
    pub(crate) meetings: Arc<Meetings>,
    pub(crate) trunks: Trunks,
    pub(crate) phones: Arc<Phones>,
    /// How often applications and rules change.
    pub(crate) changes: Throttle,
    /// How often calls are made: `[limits] calls-per-second`.
    pub(crate) creations: Throttle,
    /// `[limits] calls-per-second`.
    pub(crate) most_creations: usize,
    /// `[limits] calls`.
    pub(crate) most_calls: usize,
    /// RTP port pairs that there are.
    pub(crate) port_pairs: usize,
    pub(crate) known: Arc<Known>,
    pub(crate) bans: SharedBans,
    /// No new calls are taken.
    pub(crate) draining: Arc<AtomicBool>,
    pub(crate) front: FrontHandle,
    /// Where peers reach us.
    pub(crate) reachable: Arc<Reachable>,
    pub(crate) reload: Reload,
    pub(crate) captures: Arc<Captures>,
    /// The gateway, if there is one.
    pub(crate) switchboard: Option<Arc<Switchboard>>,
    pub(crate) journal: Journal,
    /// The process that was taken over from, if there was one.
    pub(crate) elder: Option<Arc<Elder>>,
}

impl Control {
    /// Changes what the API has made: so many times a second, because each change goes to the disk.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Book, &Configured) -> Result<T, Refusal>,
    ) -> Result<T, Exception> {
        if !self.changes.take(Instant::now()) {
            return Err(throttled("changes", CHANGES_PER_SECOND));
        }
        Ok(self.applications.change(change)?)
    }

    pub(crate) fn changes() -> Throttle {
        Throttle::per_second(CHANGES_PER_SECOND)
    }

    /// The window of signed requests' nonces, with those that another process has taken.
    pub(crate) fn nonces(used: &[(i64, String)]) -> Mutex<NonceWindow> {
        let mut window = NonceWindow::new(NONCES);
        for (at, nonce) in used {
            window.accept(nonce, *at);
        }
        Mutex::new(window)
    }

    /// The nonces that were taken, and when.
    pub(crate) fn used_nonces(&self) -> Vec<(i64, String)> {
        let window = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        let used = window.used();
        used.map(|(at, nonce)| (at, nonce.to_owned())).collect()
    }
}

/// ThrottledClientException, which the AWS SDKs answer by trying again.
fn throttled(what: &str, most: usize) -> Exception {
    Exception::new(
        StatusCode::TOO_MANY_REQUESTS,
        "ThrottledClientException",
        format!("more than {most} {what} a second; try again later"),
    )
}

/// Everything that is served: method and path. `docs/openapi/sidecar.yaml` says the same; a test compares.
#[cfg(test)]
pub(crate) const ROUTES: &[(&str, &str)] = &[
    ("get", "/health"),
    ("get", "/openapi.json"),
    ("get", "/v1/calls"),
    ("get", "/v1/calls/{id}"),
    ("delete", "/v1/calls/{id}"),
    ("post", "/v1/calls/{id}/update"),
    ("post", "/v1/legs/{id}/hold"),
    ("post", "/v1/legs/{id}/transfer"),
    ("get", "/v1/figures"),
    ("get", "/v1/trunks"),
    ("get", "/v1/phones"),
    ("get", "/metrics"),
    ("get", "/v1/bans"),
    ("delete", "/v1/bans/{address}"),
    ("post", "/v1/reload"),
    ("post", "/v1/captures"),
    ("get", "/v1/captures/{id}"),
    ("delete", "/v1/captures/{id}"),
    ("post", "/v1/drain"),
    ("delete", "/v1/drain"),
    ("get", "/v1/meetings/{id}"),
    ("get", "/v1/traces/{id}"),
    ("post", "/v1/traces"),
    ("post", "/v1/signaling"),
    ("post", "/meetings"),
    ("get", "/meetings/{id}"),
    ("delete", "/meetings/{id}"),
    ("get", "/meetings/{id}/attendees"),
    ("post", "/meetings/{id}/attendees"),
    ("get", "/meetings/{id}/attendees/{attendee}"),
    ("delete", "/meetings/{id}/attendees/{attendee}"),
    ("get", "/sip-media-applications"),
    ("post", "/sip-media-applications"),
    ("get", "/sip-media-applications/{id}"),
    ("put", "/sip-media-applications/{id}"),
    ("delete", "/sip-media-applications/{id}"),
    ("get", "/sip-media-applications/{id}/logging-configuration"),
    ("put", "/sip-media-applications/{id}/logging-configuration"),
    (
        "get",
        "/sip-media-applications/{id}/alexa-skill-configuration",
    ),
    (
        "put",
        "/sip-media-applications/{id}/alexa-skill-configuration",
    ),
    ("get", "/sip-rules"),
    ("post", "/sip-rules"),
    ("get", "/sip-rules/{id}"),
    ("put", "/sip-rules/{id}"),
    ("delete", "/sip-rules/{id}"),
    ("post", "/sip-media-applications/{id}/calls"),
    ("post", "/sip-media-applications/{id}/calls/{transaction}"),
];

/// The routes.
pub(crate) fn router(control: Arc<Control>) -> Router {
    let guarded = Router::new()
        .route("/openapi.json", get(openapi::document))
        .route("/v1/calls", get(calls::list))
        .route("/v1/calls/{id}", get(calls::show).delete(calls::end))
        .route("/v1/calls/{id}/update", post(calls::update))
        .route("/v1/legs/{id}/hold", post(legs::hold))
        .route("/v1/legs/{id}/transfer", post(legs::transfer))
        .route("/v1/figures", get(figures))
        .route("/v1/trunks", get(trunks::list))
        .route("/v1/phones", get(phones::list))
        .route("/metrics", get(metrics))
        .route("/v1/bans", get(bans::list))
        .route("/v1/bans/{address}", delete(bans::lift))
        .route("/v1/reload", post(reload::run))
        .route("/v1/captures", post(captures::begin))
        .route(
            "/v1/captures/{id}",
            get(captures::file).delete(captures::end),
        )
        .route("/v1/drain", post(drain::begin).delete(drain::end))
        .route("/v1/meetings/{id}", get(meetings::view))
        .route("/meetings", post(meetings::create))
        .route("/meetings/{id}", get(meetings::get).delete(meetings::end))
        .route(
            "/meetings/{id}/attendees",
            get(meetings::attendees).post(meetings::invite),
        )
        .route(
            "/meetings/{id}/attendees/{attendee}",
            get(meetings::attendee).delete(meetings::remove),
        )
        .route(
            "/sip-media-applications",
            get(applications::list).post(applications::create),
        )
        .route(
            "/sip-media-applications/{id}",
            get(applications::get)
                .put(applications::update)
                .delete(applications::delete),
        )
        .route(
            "/sip-media-applications/{id}/logging-configuration",
            get(applications::get_logging).put(applications::put_logging),
        )
        .route(
            "/sip-media-applications/{id}/alexa-skill-configuration",
            get(applications::get_skill).put(applications::put_skill),
        )
        .route("/sip-rules", get(rules::list).post(rules::create))
        .route(
            "/sip-rules/{id}",
            get(rules::get).put(rules::update).delete(rules::delete),
        )
        .route("/sip-media-applications/{id}/calls", post(voice::create))
        .route(
            "/sip-media-applications/{id}/calls/{transaction}",
            post(voice::update),
        )
        .route("/v1/traces/{id}", get(traces::show))
        .route_layer(middleware::from_fn_with_state(
            Arc::clone(&control),
            elder::ask,
        ))
        .route_layer(middleware::from_fn_with_state(
            Arc::clone(&control),
            guard::token,
        ));
    Router::new()
        .route("/health", get(health))
        .route("/v1/traces", post(traces::take))
        .route("/v1/signaling", post(signaling::take))
        .merge(guarded)
        .fallback(|| async { Problem::not_found("no such route; see /openapi.json") })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(DefaultBodyLimit::max(MOST_BODY))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&control),
            guard::browser,
        ))
        .with_state(control)
}

#[derive(serde::Serialize)]
struct Health {
    status: &'static str,
    version: &'static str,
    calls: usize,
    /// Our registrations with trunks; none where no trunk is to be registered with.
    #[serde(skip_serializing_if = "Option::is_none")]
    registrations: Option<RegistrationCounts>,
}

#[derive(serde::Serialize)]
struct RegistrationCounts {
    wanted: usize,
    registered: usize,
}

fn registrations(control: &Control) -> Option<RegistrationCounts> {
    let all = control.trunks.registrations().list();
    (!all.is_empty()).then(|| RegistrationCounts {
        wanted: all.len(),
        registered: all.iter().filter(|(_, registered)| *registered).count(),
    })
}

async fn health(State(control): State<Arc<Control>>) -> axum::Json<Health> {
    axum::Json(Health {
        status: if control.draining.load(Ordering::Relaxed) {
            "draining"
        } else {
            "ok"
        },
        version: env!("CARGO_PKG_VERSION"),
        calls: control.figures.calls.load(Ordering::Relaxed),
        registrations: registrations(&control),
    })
}

#[derive(serde::Serialize)]
struct AllFigures {
    #[serde(flatten)]
    process: FiguresSnapshot,
    speech: SpeechFigures,
}

async fn figures(State(control): State<Arc<Control>>) -> axum::Json<AllFigures> {
    axum::Json(AllFigures {
        process: control.figures.snapshot(),
        speech: control.speech.figures(),
    })
}

async fn metrics(State(control): State<Arc<Control>>) -> Response {
    let scrape = Scrape {
        figures: Arc::clone(&control.figures),
        sources: control.known.calls(),
        registrations: control.trunks.registrations().list(),
        stun_servers: control.reachable.answers(),
        trunks: trunks::scrape(&control),
        phones: control.phones.count(),
        port_pairs: control.port_pairs,
        most_calls: control.most_calls,
    };
    match scrape.into_text() {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
        }
    }
}
