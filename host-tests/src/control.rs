//! The sidecar's control API.

use std::net::SocketAddr;

use serde_json::Value;
use skillcall_protocol::trace::Record;

use crate::wait::until;

/// A client of the control API.
#[derive(Debug, Clone)]
pub struct Control {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Control {
    pub(crate) fn new(http: reqwest::Client, address: SocketAddr, token: &str) -> Self {
        Self {
            http,
            base: format!("http://{address}"),
            token: token.to_owned(),
        }
    }

    /// GET; the JSON that came, or null when it was an error.
    ///
    /// # Panics
    /// When the control API cannot be reached.
    pub async fn get(&self, path: &str) -> Value {
        let request = self
            .http
            .get(format!("{}{path}", self.base))
            .bearer_auth(&self.token);
        let response = request.send().await.expect("the control API answers");
        if !response.status().is_success() {
            return Value::Null;
        }
        response.json().await.expect("the control API answers JSON")
    }

    /// The calls that run.
    pub async fn calls(&self) -> Vec<Value> {
        self.get("/v1/calls").await["calls"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    }

    /// Waits until a call runs this action; the call.
    pub async fn running(&self, action: &str) -> Value {
        until(&format!("a call that runs {action}"), async || {
            self.calls()
                .await
                .into_iter()
                .find(|call| call["running"]["type"] == action)
        })
        .await
    }

    /// The trace records that the sidecar has with this id.
    pub async fn trace(&self, id: &str) -> Vec<Record> {
        let found = self.get(&format!("/v1/traces/{id}")).await;
        serde_json::from_value(found["records"].clone()).unwrap_or_default()
    }
}
