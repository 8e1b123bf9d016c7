//! Starting the parts in order, and ending them in the reverse one.

mod controlling;
mod ending;
mod leaving;
mod relays;
mod reload;
mod starting;
mod succession;
mod threads;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;

use crate::capture::Tap;
use crate::cdr::CallDetails;
use crate::config::{BucketProblem, ConfigError, Finding, SecretError, SidecarConfig};
use crate::control::ControlServer;
use crate::failure::{Failures, ThreadFailed};
use crate::figures::{Figures, FiguresSnapshot};
use crate::front::FrontHandle;
use crate::guard::{Known, SharedBans};
use crate::handler::HandlerError;
use crate::handover::{Elder, HandoverError, Predecessor};
use crate::journal::Journal;
use crate::phones::Phones;
use crate::reachable::Reachable;
use crate::recording::RecordingStore;
use crate::tls::TlsError;
use crate::trace::{TraceSink, TraceStore};
use crate::trunks::Trunks;
#[cfg(feature = "injected-panics")]
use crate::worker::ToWorker;
use crate::worker::WorkerHandle;
pub(crate) use reload::Reload;
pub use reload::Reloaded;

/// A sidecar that does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A secret is unusable.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A certificate is unusable.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A bucket is unusable.
    #[error(transparent)]
    Bucket(BucketProblem),
    /// A handler cannot be set up.
    #[error(transparent)]
    Handler(#[from] HandlerError),
    /// The sidecar that runs does not hand over.
    #[error(transparent)]
    Handover(#[from] HandoverError),
    /// The system refused: an address that is taken, a folder that cannot be made, a thread.
    #[error("{what}: {error}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system said.
        error: std::io::Error,
    },
}

fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> StartError {
    let what = what.into();
    move |error| StartError::Io { what, error }
}

/// A running sidecar.
pub struct Sidecar {
    config: Arc<SidecarConfig>,
    sip_udp: Option<SocketAddr>,
    sip_tcp: Option<SocketAddr>,
    sip_tls: Option<SocketAddr>,
    sip_ws: Option<SocketAddr>,
    sip_wss: Option<SocketAddr>,
    trunks: Trunks,
    control: SocketAddr,
    warnings: Vec<Finding>,
    figures: Arc<Figures>,
    failures: Failures,
    traces: TraceStore,
    trace: TraceSink,
    recordings: RecordingStore,
    journal: Journal,
    call_details: Option<CallDetails>,
    front: FrontHandle,
    reload: Reload,
    phones: Arc<Phones>,
    tap: Tap,
    known: Arc<Known>,
    bans: SharedBans,
    draining: Arc<AtomicBool>,
    workers: Vec<WorkerHandle>,
    threads: Vec<JoinHandle<()>>,
    store_threads: Vec<JoinHandle<()>>,
    control_server: Option<Arc<ControlServer>>,
    handed_over: Arc<AtomicBool>,
    predecessor: Option<Arc<Predecessor>>,
    elder: Option<Arc<Elder>>,
    telemetry_task: Option<tokio::task::JoinHandle<()>>,
    reachable: Arc<Reachable>,
    asking_task: Option<tokio::task::JoinHandle<()>>,
}

impl Sidecar {
    /// The bound UDP address of SIP.
    pub fn sip_udp(&self) -> Option<SocketAddr> {
        self.sip_udp
    }

    /// The bound TCP address of SIP.
    pub fn sip_tcp(&self) -> Option<SocketAddr> {
        self.sip_tcp
    }

    /// Where SIP over TLS is taken, if it is.
    pub fn sip_tls(&self) -> Option<SocketAddr> {
        self.sip_tls
    }

    /// Where SIP over WebSocket is taken, if it is.
    pub fn sip_ws(&self) -> Option<SocketAddr> {
        self.sip_ws
    }

    /// Where SIP over secure WebSocket is taken, if it is.
    pub fn sip_wss(&self) -> Option<SocketAddr> {
        self.sip_wss
    }

    /// Takes up another state of the configuration: certificates, and what can be taken up without a restart, hold for
    /// all that begins from then on. Running calls and connections stay as they are.
    ///
    /// # Errors
    /// The configuration is refused, or a certificate is unusable: then all stays as it was.
    pub async fn reload(&self, config: SidecarConfig) -> Result<Reloaded, StartError> {
        self.reload.take(config).await
    }

    /// The bound address of the control API.
    pub fn control(&self) -> SocketAddr {
        self.control
    }

    /// What was found wrong in the configuration, and did not keep it from starting.
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }

    /// Counters now.
    pub fn figures(&self) -> FiguresSnapshot {
        self.figures.snapshot()
    }

    /// The trace, for programs that have the sidecar inside.
    pub fn traces(&self) -> &TraceStore {
        &self.traces
    }

    /// Waits until a thread has ended that nothing replaces: then the sidecar is deaf, and has to be ended by
    /// [`Sidecar::shutdown`]. A media worker that panics is replaced, and is none of them.
    pub async fn failed(&self) -> ThreadFailed {
        self.failures.first().await
    }

    /// Makes a worker panic, as a mistake in it would.
    #[cfg(feature = "injected-panics")]
    pub fn make_worker_panic(&self, worker: usize) {
        if let Some(worker) = self.workers.get(worker) {
            worker.send(ToWorker::Panic);
        }
    }

    /// Makes the signalling thread panic, as a mistake in it would.
    #[cfg(feature = "injected-panics")]
    pub fn make_front_panic(&self) {
        self.front.send(crate::front::ToFront::Panic);
    }
}
