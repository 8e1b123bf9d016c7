//! HTTP that the component sends: where it may go, over TLS, within time.

mod connect;
mod hooks;
mod origin;
mod paced;

pub(crate) use hooks::Hooks;
pub use origin::{BadOrigin, Origin};

use connect::Connector;
use http::Uri;
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use paced::Paced;
use rustls_pki_types::CertificateDer;
use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

/// What the component may call, and how long that may take.
#[derive(Debug, Clone)]
pub struct OutboundConfig {
    /// The origins that may be called; none: any.
    pub allow: Option<Vec<Origin>>,
    /// The time for a connection, TLS included. 2 s.
    pub connect: Duration,
    /// The time until the reply's headers, connecting included; also the longest pause within its body.
    /// The component may ask for less. 7 s: Alexa waits for 8 (facts A4).
    pub first_byte: Duration,
    /// Certificates trusted beside the public roots that are compiled in.
    pub extra_roots: Vec<CertificateDer<'static>>,
}

impl Default for OutboundConfig {
    fn default() -> Self {
        Self {
            allow: None,
            connect: Duration::from_secs(2),
            first_byte: Duration::from_secs(7),
            extra_roots: Vec::new(),
        }
    }
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
#[error("outbound TLS cannot be set up: {0}")]
pub struct TlsError(#[from] rustls::Error);

/// Decides whether a request to a URI may be sent.
pub(crate) type Policy = Arc<dyn Fn(&Uri) -> bool + Send + Sync>;

/// The client that all instances of a component share, with its idle connections.
#[derive(Clone)]
pub(crate) struct Outbound {
    client: Client<Connector, WasiBody>,
    policy: Policy,
    first_byte: Duration,
}

impl Outbound {
    pub(crate) fn new(config: &OutboundConfig) -> Result<Self, TlsError> {
        let allow = config.allow.clone();
        let policy = move |uri: &Uri| match &allow {
            None => true,
            Some(allow) => Origin::of(uri).is_some_and(|origin| allow.contains(&origin)),
        };
        Self::with_policy(config, Arc::new(policy))
    }

    pub(crate) fn with_policy(config: &OutboundConfig, policy: Policy) -> Result<Self, TlsError> {
        let connector = Connector::new(&config.extra_roots, config.connect)?;
        // A connection that the far end is about to close is better not used: kept for less time than
        // servers keep theirs.
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(15))
            .pool_max_idle_per_host(8)
            .build(connector);
        Ok(Self {
            client,
            policy,
            first_byte: config.first_byte,
        })
    }

    async fn send(
        self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<http::Response<WasiBody>, Error> {
        if !(self.policy)(request.uri()) {
            let origin = Origin::of(request.uri());
            let origin = origin.map_or_else(|| "no origin".to_owned(), |o| o.to_string());
            tracing::warn!("an outbound request was refused: {origin} is not allowed");
            return Err(Error::HttpRequestDenied);
        }
        let options = options.unwrap_or_default();
        let within = |asked: Option<Duration>| {
            asked.map_or(self.first_byte, |asked| asked.min(self.first_byte))
        };
        let first_byte = within(options.first_byte_timeout);
        let response = tokio::time::timeout(first_byte, self.client.request(request))
            .await
            .map_err(|_| Error::ConnectionReadTimeout)?
            .map_err(|error| named(&error))?;
        let pause = within(options.between_bytes_timeout);
        Ok(response.map(|body| Paced::new(body, pause).boxed_unsync()))
    }
}

/// The client's error as the one of `wasi:http` that says the same.
fn named(error: &hyper_util::client::legacy::Error) -> Error {
    let mut cause = error.source();
    let mut kind = None;
    while let Some(inner) = cause {
        if inner.is::<connect::TimedOut>() {
            return Error::ConnectionTimeout;
        }
        if inner.is::<rustls::Error>() {
            return Error::TlsCertificateError;
        }
        cause = inner.source();
        if let Some(inner) = inner.downcast_ref::<io::Error>() {
            kind = Some(inner.kind());
            // What an io::Error wraps is not its source: that is the source of what it wraps.
            cause = inner.get_ref().map(|wrapped| wrapped as &dyn StdError);
        }
    }
    match kind {
        Some(io::ErrorKind::ConnectionRefused) => Error::ConnectionRefused,
        Some(
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof,
        ) => Error::ConnectionTerminated,
        _ if error.is_connect() => Error::DestinationUnavailable,
        Some(kind) => Error::InternalError(Some(kind.to_string())),
        None => Error::HttpProtocolError,
    }
}
