//! Where the certificate chain lies in this measurement: a server that counts how often it is fetched.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Serves one chain on every path. Dropping it stops it.
pub(super) struct ChainServer {
    address: SocketAddr,
    fetched: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl ChainServer {
    /// Serves this chain.
    pub(super) async fn start(pem: String) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let fetched = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&fetched);
        let pem = Bytes::from(pem);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (pem, counted) = (pem.clone(), Arc::clone(&counted));
                tokio::spawn(async move {
                    let service = service_fn(|_| {
                        counted.fetch_add(1, Ordering::Relaxed);
                        let response = Response::new(Full::new(pem.clone()));
                        async { Ok::<_, Infallible>(response) }
                    });
                    // Whoever fetches sees it when this breaks.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Ok(Self {
            address,
            fetched,
            task,
        })
    }

    /// What the setting `chain_origin` is set to.
    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How often it was asked.
    pub(super) fn fetched(&self) -> usize {
        self.fetched.load(Ordering::Relaxed)
    }
}

impl Drop for ChainServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
