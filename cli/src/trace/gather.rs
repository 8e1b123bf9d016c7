//! Gathers a call's records from every part that can be asked.

use anyhow::Context;
use serde::Serialize;
use serde_json::Value;
use skillcall_protocol::trace::Record;

use crate::control::Control;

/// The records of a call, and which parts could not be asked.
#[derive(Debug, Serialize)]
pub(crate) struct Gathered {
    /// All records found, as the parts gave them.
    pub(crate) records: Vec<Record>,
    /// Parts that did not answer, each with the reason.
    pub(crate) unreachable: Vec<String>,
}

/// Asks the sidecar (which holds the component's records) and the simulator.
///
/// An id that one part knows may lead to ids that only the other knows, so each is asked again
/// for every id that turned up, until nothing is added.
pub(crate) async fn gather(id: &str, sidecar: &Control, simulator: Option<&Control>) -> Gathered {
    let mut found = Gathered {
        records: Vec::new(),
        unreachable: Vec::new(),
    };
    let mut asked: Vec<String> = Vec::new();
    let mut ask = vec![id.to_owned()];
    while let Some(id) = ask.pop() {
        if asked.contains(&id) {
            continue;
        }
        let parts = [
            Some((sidecar, format!("/v1/traces/{}", escape(&id)))),
            simulator.map(|part| (part, format!("/sim/v1/traces/{}", escape(&id)))),
        ];
        for (control, path) in parts.into_iter().flatten() {
            match records(control, &path).await {
                Ok(records) => {
                    for record in records {
                        if !found.records.contains(&record) {
                            ask.extend(record.ids.all().map(str::to_owned));
                            found.records.push(record);
                        }
                    }
                }
                Err(error) => {
                    let reason = format!("{error:#}");
                    if !found.unreachable.contains(&reason) {
                        found.unreachable.push(reason);
                    }
                }
            }
        }
        asked.push(id);
    }
    found
}

async fn records(control: &Control, path: &str) -> anyhow::Result<Vec<Record>> {
    let mut answer = control.get(path).await?;
    let records = answer
        .get_mut("records")
        .map(Value::take)
        .context("the answer has no `records`")?;
    serde_json::from_value(records).context("a record that this version does not know")
}

/// Percent-encodes an id for a path segment.
fn escape(id: &str) -> String {
    percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC).to_string()
}
