//! `GET /health`: whether the component can serve, and whom it trusts.

use serde::Serialize;

use super::message::Response;
use crate::settings::Settings;

/// The report.
#[derive(Serialize)]
struct Health {
    status: &'static str,
    version: &'static str,
    /// `amazon`, or the words that say that a simulator is trusted.
    trust: String,
}

/// The report of an installation whose settings are complete; others answer 503 before.
pub(super) fn report(settings: &Settings) -> Response {
    let health = Health {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
        trust: settings.test_trust().unwrap_or_else(|| "amazon".to_owned()),
    };
    // Three strings always become JSON.
    Response::json(200, serde_json::to_vec(&health).unwrap_or_default())
}
