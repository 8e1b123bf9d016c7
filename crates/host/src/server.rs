//! The HTTP/1.1 server in front of a component.

use crate::config::{HostConfig, StateConfig};
use crate::problem;
use crate::settings::SettingName;
use crate::skill::{LoadError, Skill};
use crate::state::{DurableState, MemoryState, OpenError, State};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use wasmtime_wasi_http::WasiBody;

/// Open connections; further ones wait in the system's queue.
const CONNECTIONS: usize = 1024;
/// The time in which a client must have sent a request's headers; idle connections end after it, too.
const HEADERS: Duration = Duration::from_secs(30);

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address can be reached from outside, and nobody said that it may.
    #[error(
        "{0} can be reached from outside this machine: put TLS in front of a loopback address, or set public = true if you mean it"
    )]
    Public(SocketAddr),
    /// The address can be reached from outside, and a secret is not set.
    #[error("{address} can be reached from outside this machine, and the secret {name} is not set")]
    PublicWithoutSecret {
        /// The address.
        address: SocketAddr,
        /// The setting.
        name: SettingName,
    },
    /// The address cannot be taken.
    #[error("{address} cannot be listened on: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The state file cannot be used.
    #[error(transparent)]
    State(#[from] OpenError),
    /// The component cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The component serves no HTTP.
    #[error("the component does not export wasi:http/incoming-handler")]
    NoHttp,
}

/// What a request goes through before it reaches the component; an `Err` is the answer.
pub(crate) type Gate = Arc<
    dyn Fn(Request<Incoming>, SocketAddr) -> Result<Request<Incoming>, Box<Response<WasiBody>>>
        + Send
        + Sync,
>;

/// A running server. Dropping it ends it at once; [`Server::shutdown`] ends it well.
pub struct Server {
    address: SocketAddr,
    skill: Skill,
    drain: Duration,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Loads the component and listens.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(config: HostConfig) -> Result<Self, StartError> {
        check_public(&config)?;
        let listener = listen(config.listen).await?;
        let state: Arc<dyn State> = match config.state {
            StateConfig::Memory(bounds) => Arc::new(MemoryState::new(bounds)),
            StateConfig::File(path, bounds) => Arc::new(DurableState::open(&path, bounds)?),
            StateConfig::Custom(state) => state,
        };
        let (component, engine) = (config.component, config.engine);
        let (settings, outbound) = (config.settings, config.outbound);
        let loading = tokio::task::spawn_blocking(move || {
            Skill::load(component, engine, state, settings, &outbound)
        });
        let skill = loading
            .await
            .map_err(|error| LoadError::Component(error.to_string()))??;
        let open: Gate = Arc::new(|request, _| Ok(request));
        Self::run(skill, listener, config.drain, open)
    }

    /// Listens for a component that is loaded already. `address` must be a loopback address; `drain` is
    /// [`HostConfig::drain`].
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn serve(
        skill: Skill,
        address: SocketAddr,
        drain: Duration,
    ) -> Result<Self, StartError> {
        if !address.ip().is_loopback() {
            return Err(StartError::Public(address));
        }
        let open: Gate = Arc::new(|request, _| Ok(request));
        Self::run(skill, listen(address).await?, drain, open)
    }

    pub(crate) fn run(
        skill: Skill,
        listener: TcpListener,
        drain: Duration,
        gate: Gate,
    ) -> Result<Self, StartError> {
        if !skill.serves_http() {
            return Err(StartError::NoHttp);
        }
        let address = listener.local_addr().map_err(|source| StartError::Listen {
            address: SocketAddr::from(([0, 0, 0, 0], 0)),
            source,
        })?;
        let (stop, stopped) = watch::channel(false);
        let accepting = tokio::spawn(accept(listener, skill.clone(), gate, stopped, drain));
        tracing::info!("the component is served at http://{address}");
        Ok(Self {
            address,
            skill,
            drain,
            stop,
            accepting,
        })
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The component, for calls in types.
    #[must_use]
    pub fn skill(&self) -> &Skill {
        &self.skill
    }

    /// Stops listening, lets requests end, and waits for work after replies, for at most the configured
    /// time ([`HostConfig::drain`]). Answers whether all of it ended; what did not is cut off.
    pub async fn shutdown(mut self) -> bool {
        let began = tokio::time::Instant::now();
        // The accepting task may have ended by itself.
        let _ended = self.stop.send(true);
        let connections = (&mut self.accepting).await;
        if let Err(error) = connections {
            tracing::error!("the server ended badly: {error}");
        }
        let idle = self
            .skill
            .idle(self.drain.saturating_sub(began.elapsed()))
            .await;
        if !idle {
            let left = self.skill.running();
            tracing::warn!("{left} instances were still at work after {:?}", self.drain);
        }
        idle
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn check_public(config: &HostConfig) -> Result<(), StartError> {
    let address = config.listen;
    if address.ip().is_loopback() {
        return Ok(());
    }
    if !config.public {
        return Err(StartError::Public(address));
    }
    let needed = crate::settings::KNOWN
        .iter()
        .filter(|known| known.secret && known.required);
    for known in needed {
        if let Ok(name) = SettingName::new(known.name)
            && !matches!(config.settings.get(&name), Ok(Some(_)))
        {
            return Err(StartError::PublicWithoutSecret { address, name });
        }
    }
    Ok(())
}

pub(crate) async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| StartError::Listen { address, source })
}

async fn accept(
    listener: TcpListener,
    skill: Skill,
    gate: Gate,
    mut stopped: watch::Receiver<bool>,
    drain: Duration,
) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    loop {
        let room = Arc::clone(&connections).acquire_owned();
        let accepted = async {
            let room = room.await;
            (room, listener.accept().await)
        };
        let (room, accepted) = tokio::select! {
            accepted = accepted => accepted,
            _ = stopped.wait_for(|stopped| *stopped) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = connection(stream, peer, skill.clone(), Arc::clone(&gate));
                let connection = graceful.watch(connection);
                tokio::spawn(async move {
                    let _room = room;
                    if let Err(error) = connection.await {
                        tracing::debug!("a connection of {peer} ended: {error}");
                    }
                });
            }
            Err(error) => {
                // Out of file handles, as a rule: others must end before one can be had.
                tracing::warn!("no connection can be accepted: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(drain, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("connections were still open after {drain:?}");
    }
}

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    skill: Skill,
    gate: Gate,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> + Send {
    // Small replies must not wait for the client's delayed acknowledgement.
    let _unsupported = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let (skill, gate) = (skill.clone(), Arc::clone(&gate));
        async move { Ok::<_, Infallible>(answer(&skill, &gate, request, peer).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .serve_connection(TokioIo::new(stream), service)
}

async fn answer(
    skill: &Skill,
    gate: &Gate,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Response<WasiBody> {
    let request = match gate(request, peer) {
        Ok(request) => request,
        Err(response) => return *response,
    };
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    match skill.serve(request).await {
        Ok(response) => response,
        Err(error) => {
            let response = problem::response(&error);
            tracing::error!("{method} {path}: {}: {error}", response.status());
            response
        }
    }
}
