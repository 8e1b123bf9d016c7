//! The control API, as somebody asks it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{LIMIT, TOKEN};

pub(crate) struct Api {
    pub(crate) client: reqwest::Client,
    pub(crate) control: SocketAddr,
}

impl Api {
    pub(crate) fn new(control: SocketAddr) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            client: reqwest::Client::new(),
            control,
        }
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        self.ask_with(TOKEN, method, path, body).await
    }

    pub(crate) async fn ask_with(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let url = format!("http://{}{path}", self.control);
        let request = self
            .client
            .request(method.parse().unwrap(), url)
            .bearer_auth(token);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    pub(crate) async fn calls(&self) -> Vec<Value> {
        let (status, calls) = self.ask("GET", "/v1/calls", None).await;
        assert_eq!(status, 200);
        calls["calls"].as_array().unwrap().clone()
    }

    /// Waits until it is registered with its first trunk.
    pub(crate) async fn is_registered(&self) {
        let until = Instant::now() + LIMIT;
        loop {
            let (_, trunks) = self.ask("GET", "/v1/trunks", None).await;
            if trunks["trunks"][0]["registration"]["state"] == "registered" {
                return;
            }
            assert!(Instant::now() < until, "{trunks}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// How many processes it has taken over from.
    pub(crate) async fn predecessors(&self) -> u64 {
        let (_, figures) = self.ask("GET", "/v1/figures", None).await;
        figures["predecessors"].as_u64().unwrap()
    }
}
