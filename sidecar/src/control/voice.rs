//! CreateSipMediaApplicationCall and UpdateSipMediaApplicationCall in Amazon's shapes (facts F10).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};
use skillcall_protocol::sma::{CallId, SipHeaders, TransactionId};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::Control;
use super::exception::{Exception, object};
use crate::applications::Application;
use crate::engine::OutboundCall;
use crate::worker::ToWorker;

/// Most entries of ArgumentsMap, Arguments and SipHeaders (facts F10).
const MOST_ENTRIES: usize = 20;

/// `{"SipMediaApplicationCall": {"TransactionId"}}`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Made {
    sip_media_application_call: MadeCall,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MadeCall {
    transaction_id: String,
}

impl Made {
    fn of(transaction_id: String) -> Json<Self> {
        Json(Self {
            sip_media_application_call: MadeCall { transaction_id },
        })
    }
}

/// CreateSipMediaApplicationCall: 201, before the handler has heard of it.
pub(super) async fn create(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<(StatusCode, Json<Made>), Exception> {
    let application = application(&control, &id)?;
    let body = object(&body)?;
    let to = number(&body, "ToPhoneNumber")?;
    let from = number(&body, "FromPhoneNumber")?;
    if !application.config.may_show(&from) {
        return Err(Exception::new(
            StatusCode::FORBIDDEN,
            "ForbiddenException",
            format!("FromPhoneNumber {from} is none of the application's numbers and own-numbers"),
        ));
    }
    let headers: SipHeaders = strings(&body, "SipHeaders")?.into_iter().collect();
    headers.check_outgoing().map_err(Exception::bad_request)?;
    let arguments = strings(&body, "ArgumentsMap")?;
    if control.draining.load(Ordering::Relaxed) {
        return Err(going_down());
    }
    if control.figures.calls.load(Ordering::Relaxed) >= control.most_calls {
        return Err(Exception::new(
            StatusCode::BAD_REQUEST,
            "ResourceLimitExceededException",
            "[limits] calls are up already",
        ));
    }
    if !control.creations.take(Instant::now()) {
        return Err(super::throttled("calls", control.most_creations));
    }
    let transaction = Uuid::new_v4().to_string();
    let call = OutboundCall {
        transaction_id: TransactionId::new(transaction.clone()),
        call_id: CallId::new(Uuid::new_v4().to_string()),
        to,
        from,
        headers,
        arguments,
    };
    // Calls are spread over the workers by chance.
    let place = rand::random_range(0..control.workers.len().max(1));
    let worker = control.workers.get(place).ok_or_else(going_down)?;
    let (reply, waiting) = oneshot::channel();
    worker.send(ToWorker::Create {
        application,
        call: Box::new(call),
        reply,
    });
    match waiting.await {
        Ok(true) => Ok((StatusCode::CREATED, Made::of(transaction))),
        _ => Err(going_down()),
    }
}

fn going_down() -> Exception {
    Exception::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "ServiceUnavailableException",
        "the sidecar takes no new calls now: it drains",
    )
}

/// UpdateSipMediaApplicationCall: 202, before the handler has heard of it.
pub(super) async fn update(
    State(control): State<Arc<Control>>,
    Path((id, transaction)): Path<(String, String)>,
    body: Bytes,
) -> Result<(StatusCode, Json<Made>), Exception> {
    application(&control, &id)?;
    let body = object(&body)?;
    if !body.contains_key("Arguments") {
        return Err(Exception::bad_request(
            "Arguments is missing; expected a map of strings",
        ));
    }
    let arguments = strings(&body, "Arguments")?;
    if control.update(&transaction, &arguments).await {
        Ok((StatusCode::ACCEPTED, Made::of(transaction)))
    } else {
        Err(Exception::not_found(format!(
            "no call with TransactionId {transaction} is in progress"
        )))
    }
}

fn application(control: &Control, id: &str) -> Result<Arc<Application>, Exception> {
    control
        .applications
        .by_id(id)
        .ok_or_else(|| Exception::not_found(format!("no SIP media application has the id {id}")))
}

/// `^\+?[1-9]\d{1,14}$` (facts F10); the plus sign is added.
fn number(body: &Map<String, Value>, key: &str) -> Result<String, Exception> {
    let expected = "a number such as +14255550123";
    let text = match body.get(key) {
        Some(Value::String(text)) => text.as_str(),
        _ => {
            return Err(Exception::bad_request(format!(
                "{key} is missing; expected {expected}"
            )));
        }
    };
    let digits = text.strip_prefix('+').unwrap_or(text);
    let number = format!("+{digits}");
    if skillcall_protocol::sma::action::is_e164(&number) {
        Ok(number)
    } else {
        Err(Exception::bad_request(format!(
            "{key} is {text:?}; expected {expected}"
        )))
    }
}

fn strings(body: &Map<String, Value>, key: &str) -> Result<BTreeMap<String, String>, Exception> {
    let wrong =
        || Exception::bad_request(format!("{key} is no map of at most {MOST_ENTRIES} strings"));
    match body.get(key) {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Object(map)) if map.len() <= MOST_ENTRIES => map
            .iter()
            .map(|(name, value)| match value {
                Value::String(text) => Ok((name.clone(), text.clone())),
                _ => Err(wrong()),
            })
            .collect(),
        Some(_) => Err(wrong()),
    }
}
