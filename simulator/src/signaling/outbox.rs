//! A session's messages to the skill, one after the other, with the trouble that is ordered; and its clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use skillcall_protocol::ids::SessionId;
use skillcall_protocol::signaling::{Message, Operation, OperationName};
use skillcall_protocol::trace::{Level, Party};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

use crate::alexa::Alexa;
use crate::customer::Customer;
use crate::skill::{RequestKind, new_id};
use crate::stopping::stopped;
use crate::trace::Known;
use crate::trouble::{Fault, Place};

/// A message that was told to let another one pass waits no longer than this for one.
const PASSING: Duration = Duration::from_secs(1);

/// Sends a session's messages and watches its time until it is over.
pub(crate) fn run(
    alexa: &Arc<Alexa>,
    id: &SessionId,
    customer: Customer,
    messages: UnboundedReceiver<Operation>,
) {
    let (sending, watching) = (Arc::clone(alexa), Arc::clone(alexa));
    let (session, watched) = (id.clone(), id.clone());
    tokio::spawn(async move {
        let mut stopping = sending.stopping.clone();
        tokio::select! {
            () = send_all(&sending, &session, &customer, messages) => {}
            () = stopped(&mut stopping) => {}
        }
    });
    tokio::spawn(async move {
        let mut stopping = watching.stopping.clone();
        tokio::select! {
            () = watch(&watching, watched.as_str()) => {}
            () = stopped(&mut stopping) => {}
        }
    });
}

/// The session's clock.
async fn watch(alexa: &Alexa, id: &str) {
    let mut changes = alexa.sessions.changes();
    loop {
        changes.borrow_and_update();
        let Some(due) = alexa.sessions.due(id) else {
            return;
        };
        let wait = due.map(|due| due.saturating_duration_since(Instant::now()));
        tokio::select! {
            () = pause(wait) => alexa.sessions.tick(id),
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

async fn pause(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}

async fn send_all(
    alexa: &Arc<Alexa>,
    id: &SessionId,
    customer: &Customer,
    mut messages: UnboundedReceiver<Operation>,
) {
    let mut passed = None;
    loop {
        let next = match &passed {
            None => messages.recv().await,
            Some(_) => match timeout(PASSING, messages.recv()).await {
                Ok(next) => next,
                Err(_) => passed.take(),
            },
        };
        let Some(operation) = next else {
            return;
        };
        let name = operation.name();
        let faults = alexa.orders.take_all_of(Place::Signals, name.as_str());
        if passed.is_none() && faults.contains(&Fault::Overtaken) {
            passed = Some(operation);
            continue;
        }
        deliver(alexa, id, customer, operation, &faults).await;
        if let Some(late) = passed.take() {
            deliver(alexa, id, customer, late, &[]).await;
        }
        if name == OperationName::CallEnded {
            return;
        }
    }
}

async fn deliver(
    alexa: &Arc<Alexa>,
    id: &SessionId,
    customer: &Customer,
    operation: Operation,
    faults: &[Fault],
) {
    let name = operation.name();
    if faults.contains(&Fault::Lost) {
        alexa.sessions.sent(id.as_str(), name, "lost".to_owned());
        return;
    }
    for fault in faults {
        if let Fault::Delay { milliseconds } = fault {
            tokio::time::sleep(Duration::from_millis(*milliseconds)).await;
        }
    }
    let begins = matches!(operation, Operation::InitiateOutboundCall { .. });
    let message = Message::new(id.clone(), operation);
    let request: Map<String, Value> = match serde_json::to_value(&message) {
        Ok(Value::Object(members)) => members,
        // A device's description may break a rule: then there is nothing to send.
        Ok(_) | Err(_) => {
            alexa
                .sessions
                .fail(id.as_str(), "the device's message breaks a rule");
            return;
        }
    };
    let kind = RequestKind::Other { request };
    let request_id = new_id("amzn1.echo-api.request");
    let copies: Vec<Fault> = faults
        .iter()
        .filter(|fault| matches!(fault, Fault::Repeated { .. }))
        .cloned()
        .collect();
    let outcome = alexa.signal(&kind, &request_id, customer, copies).await;
    let failed = match &outcome {
        Ok(()) => None,
        Err(why) => Some(why.clone()),
    };
    if let Some(why) = &failed {
        let known = Known::default()
            .request(Some(&request_id))
            .session(Some(id.as_str()));
        let note = format!("the skill did not take {name}: {why}");
        alexa
            .trace
            .note(Party::Alexa, &known, Level::Warning, &note);
    }
    let told = failed.clone().unwrap_or_else(|| "200".to_owned());
    alexa.sessions.sent(id.as_str(), name, told);
    if let Some(why) = failed.filter(|_| begins) {
        alexa.sessions.fail(id.as_str(), &why);
    }
}
