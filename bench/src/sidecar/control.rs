//! The sidecar's own counters, from its control API.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper::header::{AUTHORIZATION, HOST};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

/// A way to the control API.
pub(super) struct Control {
    address: SocketAddr,
    token: String,
    runtime: Runtime,
}

/// `GET /v1/figures`, at one moment.
pub(super) struct Figures(serde_json::Value);

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
        self.runtime.block_on(self.get("/v1/figures")).map(Figures)
    }

    async fn get(&self, path: &str) -> anyhow::Result<serde_json::Value> {
        let stream = TcpStream::connect(self.address)
            .await
            .context("the control API")?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::get(path)
            .header(HOST, self.address.to_string())
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .body(Empty::<Bytes>::new())?;
        let exchange = async {
            let response = sender.send_request(request).await?;
            ensure!(
                response.status() == 200,
                "{path} answered {}",
                response.status()
            );
            let body = response.into_body().collect().await?.to_bytes();
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
