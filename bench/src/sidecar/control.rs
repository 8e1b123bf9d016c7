//! The sidecar's own counters, from its control API.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

/// A way to the control API.
pub(super) struct Control {
    address: SocketAddr,
    token: String,
    runtime: Runtime,
}

/// `GET /v1/figures`, at one moment.
pub(super) struct Figures(Value);

impl Figures {
    /// A counter; 0 when this sidecar does not have it.
    pub(super) fn get(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap_or_default()
    }
}

impl Control {
    /// To the control API at `address`.
    pub(super) fn new(address: SocketAddr, token: String) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Self {
            address,
            token,
            runtime,
        })
    }

    /// The counters now.
    pub(super) fn figures(&self) -> anyhow::Result<Figures> {
        let asked = Request::get("/v1/figures").body(Full::default())?;
        self.runtime.block_on(self.ask(asked)).map(Figures)
    }

    /// What a POST of this body is answered with.
    pub(super) fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let asked = Request::post(path)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(body.to_string()))?;
        self.runtime.block_on(self.ask(asked))
    }

    async fn ask(&self, mut request: Request<Full<Bytes>>) -> anyhow::Result<Value> {
        let stream = TcpStream::connect(self.address)
            .await
            .context("the control API")?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let what = request.uri().to_string();
        let headers = request.headers_mut();
        headers.insert(HOST, self.address.to_string().parse()?);
        headers.insert(AUTHORIZATION, format!("Bearer {}", self.token).parse()?);
        let exchange = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            let body = response.into_body().collect().await?.to_bytes();
            ensure!(
                status.is_success(),
                "{what} answered {status}: {}",
                String::from_utf8_lossy(&body)
            );
            Ok(serde_json::from_slice(&body)?)
        };
        tokio::select! {
            biased;
            answer = exchange => answer,
            ended = connection => {
                ended?;
                anyhow::bail!("the control API closed the connection")
            }
        }
    }
}
