//! The page in a device's place: its files, and what it is told.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Control;
use super::routes::{bad_body, problem};

/// Nothing but the page's own files and this listener.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) async fn file(uri: Uri) -> Response {
    match crate::browser::file(uri.path()) {
        None => StatusCode::NOT_FOUND.into_response(),
        Some((kind, text)) => {
            let headers = [
                (header::CONTENT_TYPE, kind),
                (header::CONTENT_SECURITY_POLICY, POLICY),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
                (header::REFERRER_POLICY, "no-referrer"),
                (header::CACHE_CONTROL, "no-cache"),
            ];
            (headers, text).into_response()
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Attach {
    device: Option<String>,
}

pub(super) async fn attach(
    State(control): State<Arc<Control>>,
    body: Result<Json<Attach>, JsonRejection>,
) -> Response {
    let Json(Attach { device }) = match body {
        Ok(body) => body,
        Err(error) => return bad_body(&error),
    };
    let Some(customer) = control.alexa.customer(device.as_deref()) else {
        let device = device.unwrap_or_default();
        return problem(
            StatusCode::NOT_FOUND,
            format!("there is no device {device:?}"),
        );
    };
    let contacts: Vec<Value> = control
        .contacts
        .iter()
        .filter_map(|contact| Some(json!({"name": contact.name, "to": contact.id()?})))
        .collect();
    let page = control.browsers.attach(&customer.device_id);
    let shown = json!({
        "page": page,
        "device": customer.device_id,
        "addresses": customer.addresses,
        "contacts": contacts,
    });
    (StatusCode::CREATED, Json(shown)).into_response()
}

pub(super) async fn detach(
    State(control): State<Arc<Control>>,
    Path(page): Path<String>,
) -> StatusCode {
    control.browsers.detach(&page);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
pub(super) struct After {
    #[serde(default)]
    after: u64,
}

pub(super) async fn events(
    State(control): State<Arc<Control>>,
    Path(page): Path<String>,
    Query(After { after }): Query<After>,
) -> Response {
    let mut stopping = control.alexa.stopping.clone();
    tokio::select! {
        news = control.browsers.news(&page, after) => match news {
            Ok(events) => Json(json!({"events": events})).into_response(),
            Err(error) => problem(StatusCode::GONE, error.to_string()),
        },
        () = crate::stopping::stopped(&mut stopping) => {
            problem(StatusCode::GONE, "the simulator stops")
        }
    }
}
