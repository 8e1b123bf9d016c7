//! Talks to the control APIs of a running installation.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

/// A control API: where it listens and the token that it wants.
#[derive(Debug, Clone)]
pub(crate) struct Control {
    client: reqwest::Client,
    origin: String,
    token: String,
    what: &'static str,
}

impl Control {
    /// The control API of `what` ("sidecar", "simulator"), with the token in `token_file`.
    pub(crate) fn new(
        what: &'static str,
        address: SocketAddr,
        token_file: &Path,
    ) -> anyhow::Result<Self> {
        let token = std::fs::read_to_string(token_file)
            .with_context(|| format!("the {what}'s control token {}", token_file.display()))?;
        let client = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(Duration::from_secs(2))
            .timeout(Duration::from_secs(60))
            .build()
            .context("HTTP client")?;
        Ok(Self {
            client,
            origin: format!("http://{address}"),
            token: token.trim().to_owned(),
            what,
        })
    }

    /// A link to a page of the API's, with the token behind the `#`.
    pub(crate) fn link(&self, path: &str) -> String {
        format!("{}{path}#token={}", self.origin, self.token)
    }

    /// GET, as JSON.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.send(self.client.get(format!("{}{path}", self.origin)), path)
            .await
    }

    /// POST of JSON, answered by JSON.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send(
            self.client
                .post(format!("{}{path}", self.origin))
                .json(body),
            path,
        )
        .await
    }

    /// DELETE.
    pub(crate) async fn delete(&self, path: &str) -> anyhow::Result<()> {
        self.send(self.client.delete(format!("{}{path}", self.origin)), path)
            .await?;
        Ok(())
    }

    /// GET of a capture's file, and how the capture stands.
    pub(crate) async fn download(&self, path: &str) -> anyhow::Result<(Vec<u8>, Option<String>)> {
        let request = self.client.get(format!("{}{path}", self.origin));
        let reply = request
            .bearer_auth(&self.token)
            .send()
            .await
            .with_context(|| format!("the {} at {} does not answer", self.what, self.origin))?;
        if !reply.status().is_success() {
            bail!("the {} refused {path}: {}", self.what, reply.status());
        }
        let state = reply.headers().get("x-capture-state");
        let state = state.and_then(|state| Some(state.to_str().ok()?.to_owned()));
        Ok((reply.bytes().await?.to_vec(), state))
    }

    async fn send(&self, request: reqwest::RequestBuilder, path: &str) -> anyhow::Result<Value> {
        let reply = request
            .bearer_auth(&self.token)
            .send()
            .await
            .with_context(|| {
                format!(
                    "the {} at {} does not answer: does `skillcall up` run?",
                    self.what, self.origin
                )
            })?;
        let status = reply.status();
        let body = reply
            .bytes()
            .await
            .with_context(|| format!("the {}'s reply to {path}", self.what))?;
        let json: Value = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&body).with_context(|| {
                format!(
                    "the {} answered {path} with {status} and no JSON",
                    self.what
                )
            })?
        };
        if status.is_success() {
            return Ok(json);
        }
        let reason = ["detail", "title", "error", "message"]
            .iter()
            .find_map(|key| json[*key].as_str());
        bail!(
            "the {} refused {path}: {status}{}",
            self.what,
            reason.map(|text| format!(", {text}")).unwrap_or_default()
        )
    }
}
