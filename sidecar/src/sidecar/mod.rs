//! Starting the parts in order, and ending them in the reverse one.

mod ending;
mod leaving;
mod relays;
mod reload;
mod succession;
mod threads;

use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use skillcall_sip::endpoint::Transport;
use skillcall_webrtc::{Identity, dtls::OpenSsl};

use crate::applications::{Application, Applications, ApplicationsError};
use crate::bot::Bots;
use crate::capture::Tap;
use crate::cdr::CallDetails;
use crate::config::{
    BucketProblem, ConfigError, Finding, Live, SecretError, Secrets, Severity, SidecarConfig, check,
};
use crate::control::{AccessKeys, Control, ControlServer, router};
use crate::engine::Throttle;
use crate::failure::{Failures, ThreadFailed};
use crate::figures::{Figures, FiguresSnapshot};
use crate::front::{Front, FrontHandle};
use crate::gateway::Switchboard;
use crate::guard::{Bans, Known, SharedBans, Toll};
use crate::handler::{HandlerError, Handlers};
use crate::handover::{Elder, HandoverError, Inherited, Predecessor, TakenFrom};
use crate::journal::{Journal, Left};
use crate::leg::DeviceSettings;
use crate::meetings::Meetings;
use crate::phones::Phones;
use crate::playback::{FilePrompts, prompt_of_file};
use crate::reachable::{Asking, Reachable};
use crate::recording::RecordingStore;
use crate::resolve::Names;
use crate::speech::SpeechService;
use crate::telemetry::Telemetry;
use crate::tls::{Tls, TlsError, TlsSetup};
use crate::trace::{Files, TraceSink, TraceStore};
use crate::trunks::{TrunkTable, Trunks};
use crate::worker::{Shared, ToWorker, WorkerHandle};
use leaving::LeaveTaking;
pub(crate) use reload::Reload;
pub use reload::Reloaded;
use threads::usable;

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
    /// Starts everything. Needs a tokio runtime with I/O and time, which must live as long as the sidecar.
    ///
    /// # Errors
    /// [`StartError`], with what would be right.
    pub async fn start(config: SidecarConfig) -> Result<Self, StartError> {
        let (errors, warnings): (Vec<Finding>, Vec<Finding>) = findings(&config)
            .await?
            .into_iter()
            .partition(|finding| finding.severity == Severity::Error);
        if !errors.is_empty() {
            return Err(ConfigError::Refused(errors).into());
        }
        let secrets = Secrets::read(&config)?;
        let mut approach = succession::approach(&config).await?;
        let mut inherited = match &mut approach {
            Some(approach) => approach.inherit(&config)?,
            None => Inherited::default(),
        };
        let config = Arc::new(config);
        let figures = Arc::new(Figures::default());
        let failures = Failures::default();

        let buckets = config.own_buckets().map_err(StartError::Bucket)?;
        let buckets = Arc::new(buckets);
        let (recordings, recording_thread) =
            RecordingStore::start(Arc::clone(&buckets), Arc::clone(&figures))
                .map_err(io("recordings"))?;

        let mut store_threads = vec![recording_thread];
        let mut call_details = None;
        if let Some(folder) = &config.records.folder {
            let folder = config.resolve(folder);
            let age = Duration::from_secs(u64::from(config.records.max_age_days) * 86_400);
            let (records, thread) = CallDetails::start(&folder, config.records.max_file_bytes, age)
                .map_err(io(format!("records folder {}", folder.display())))?;
            call_details = Some(records);
            store_threads.push(thread);
        }

        let folder = config.resolve(&config.trace.folder);
        let age = Duration::from_secs(u64::from(config.trace.max_age_days) * 86_400);
        let files = Files::new(&folder, config.trace.max_bytes, age)
            .map_err(io(format!("trace folder {}", folder.display())))?;
        let started = Telemetry::start(&config, Arc::clone(&figures))
            .map_err(std::io::Error::other)
            .map_err(io("[opentelemetry]"))?;
        let (telemetry, telemetry_task) = started.unzip();
        let (trace, trace_thread) =
            TraceSink::start(files, Arc::clone(&figures), telemetry).map_err(io("trace"))?;
        let traces = TraceStore::new(folder, trace.clone());

        let speech = Arc::new(SpeechService::new(&config.speech));
        let handlers = Arc::new(Handlers::new(Arc::clone(&figures), trace.clone())?);
        let applications =
            Arc::new(
                Applications::open(&config, &secrets).map_err(|error| match error {
                    ApplicationsError::Handler(error) => StartError::Handler(error),
                    ApplicationsError::Kept(error) => io("[control] state-folder")(error),
                })?,
            );

        let bots =
            Bots::new(&config, secrets.recognizer_key.clone()).map_err(HandlerError::Client)?;
        let meetings = Arc::new(Meetings::default());
        let known = Arc::new(Known::new(&config, Instant::now()));
        let bans = Arc::new(Mutex::new(Bans::new(
            Duration::from_secs(config.guard.ban_seconds.into()),
            config.guard.table as usize,
        )));
        let live = Live::new(Arc::clone(&config));
        let (tap, hep_thread) =
            Tap::start(&config.hep, Arc::clone(&figures)).map_err(io("[hep]"))?;
        let tls = Tls::new(TlsSetup::read(&config)?);
        let trunks = Trunks::new(TrunkTable::new(&config));
        let front = Front::bind(&config, tls.clone(), trunks.clone(), &mut inherited)
            .map_err(io("SIP listener"))?;
        let (sip_udp, sip_tcp) = (front.udp_address(), front.stream_address(Transport::Tcp));
        let [sip_tls, sip_ws, sip_wss] = [Transport::Tls, Transport::Ws, Transport::Wss]
            .map(|transport| front.stream_address(transport));
        let names = Names::new(&config.dns, usable(sip_udp))
            .map_err(std::io::Error::other)
            .map_err(io("[dns] name servers"))?;
        let bound = sip_udp.or(sip_tcp).or(sip_tls).or(sip_ws).or(sip_wss);
        let bound = bound.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 5060)));
        let reachable = Arc::new(Reachable::new(&config, bound));
        let mut asking = Asking::new(Arc::clone(&reachable), bound.ip());
        asking.ask().await;
        let mut devices = None;
        if config.gateway.skill.is_some() {
            // OpenSSL, as devices may have RSA certificates.
            let identity = OpenSsl::generate()
                .map(|dtls| Identity::with_backend(Arc::new(dtls)))
                .map_err(std::io::Error::other)
                .map_err(io("the certificate for devices"))?;
            let music = config.gateway.hold_music.as_ref();
            let music = music.map(|path| prompt_of_file(&config.resolve(path)));
            let hold_music = music.transpose().map_err(io("[gateway] hold-music"))?;
            devices = Some(Arc::new(DeviceSettings {
                identity,
                hold_music,
                prefer_opus: config.gateway.prefer_opus,
                codecs: config
                    .gateway
                    .codecs
                    .iter()
                    .copied()
                    .map(Into::into)
                    .collect(),
                lite: config.gateway.ice_lite,
                servers: relays::servers(&config).await?,
                tls: tls.clone(),
                gathered: config.gateway.gathered as usize,
            }));
        }
        // All that takes time is done: what comes waits from here on until the threads run.
        let mut taken = succession::take(approach, &figures).await?;
        if taken.is_some() {
            applications
                .read_again()
                .map_err(io("[control] state-folder"))?;
        }
        let (mut journal, mut left) = (Journal::default(), Left::default());
        if config.journal.enabled {
            let folder = config.resolve(&config.journal.folder);
            let (started, thread, calls) = Journal::start(&folder, config.journal.max_bytes)
                .map_err(io(format!("journal folder {}", folder.display())))?;
            (journal, left) = (started, calls);
            store_threads.push(thread);
        }
        let switchboard = Switchboard::new(
            &config.gateway,
            &secrets,
            Arc::new(Application::of_gateway(&config)),
            journal.clone(),
            trace.clone(),
            Arc::clone(&figures),
        )?
        .map(Arc::new);
        let handed_over = Arc::<AtomicBool>::default();
        let draining = Arc::<AtomicBool>::default();
        let phones = Phones::open(&config).map_err(io("[phones] file"))?;
        let (phones, now) = (Arc::new(phones), Instant::now());
        for (source, left) in phones.sources() {
            known.registered(source.ip(), now + left, now);
        }
        let shared = Arc::new(Shared {
            config: Arc::clone(&config),
            applications: Arc::clone(&applications),
            front: front.handle(),
            figures: Arc::clone(&figures),
            failures: failures.clone(),
            trace: trace.clone(),
            handlers: Arc::clone(&handlers),
            speech: Arc::clone(&speech),
            files: Arc::new(FilePrompts::new(buckets)),
            recordings: recordings.clone(),
            journal: journal.clone(),
            call_details: call_details.clone(),
            meetings: Arc::clone(&meetings),
            known: Arc::clone(&known),
            tap: tap.clone(),
            live: live.clone(),
            toll: Toll::new(config.guard.table as usize),
            bots: Arc::new(bots),
            runtime: tokio::runtime::Handle::current(),
            trunks: trunks.clone(),
            draining: Arc::clone(&draining),
            handed_over: Arc::clone(&handed_over),
            phones: Arc::clone(&phones),
            names: Arc::new(names),
            switchboard: switchboard.clone(),
            devices,
            reachable: Arc::clone(&reachable),
        });

        let mut sidecar = Self {
            sip_udp,
            sip_tcp,
            sip_tls,
            sip_ws,
            sip_wss,
            trunks: trunks.clone(),
            control: config.control.listen,
            warnings,
            figures: Arc::clone(&figures),
            failures,
            traces: traces.clone(),
            trace: trace.clone(),
            recordings,
            journal,
            call_details,
            front: front.handle(),
            reload: Reload {
                live,
                front: front.handle(),
                known: Arc::clone(&known),
                trunks: trunks.clone(),
                tls: tls.clone(),
                phones: Arc::clone(&phones),
            },
            phones,
            tap,
            known,
            bans,
            draining,
            workers: Vec::new(),
            threads: Vec::new(),
            store_threads: {
                store_threads.push(trace_thread);
                store_threads.extend(hep_thread);
                store_threads
            },
            control_server: None,
            handed_over,
            predecessor: None,
            elder: None,
            telemetry_task,
            reachable,
            asking_task: None,
            config,
        };
        succession::tell_trunks(taken.as_ref(), &sidecar.trunks);
        let naming = front.naming();
        let sockets = sidecar.duplicates(&front)?;
        let taken_over = taken.as_mut().map(TakenFrom::front);
        sidecar.start_threads(front, &shared, taken_over)?;
        if asking.is_needed() {
            let every = Duration::from_secs(sidecar.config.sip.stun_seconds.max(1).into());
            let workers = sidecar.workers.clone();
            let changed = move || {
                workers
                    .iter()
                    .for_each(|worker| worker.send(ToWorker::Readdress))
            };
            sidecar.asking_task = Some(tokio::spawn(asking.keep_asking(every, changed)));
        }
        let leave = LeaveTaking {
            workers: sidecar.workers.clone(),
            naming,
            applications: Arc::clone(&applications),
            handlers,
            switchboard: switchboard.clone(),
            trace,
            journal: sidecar.journal.clone(),
            runtime: tokio::runtime::Handle::current(),
        };
        leave.take(left);
        let used_nonces = succession::used_nonces(taken.as_mut());
        sidecar.elder = succession::elder(taken.as_ref())?;
        succession::tell_gateway(taken.as_ref(), switchboard.as_deref());
        let control = sidecar.start_control(
            secrets,
            (speech, applications, meetings),
            switchboard,
            &used_nonces,
            inherited.control(),
        )?;
        if let Some(taken) = taken {
            sidecar.follow(taken, leave.clone())?;
        }
        sidecar.await_successor(naming, control, sockets, leave, inherited.hand_over())?;
        tracing::info!(
            udp = ?sidecar.sip_udp, tcp = ?sidecar.sip_tcp, control = %sidecar.control,
            workers = sidecar.workers.len(), "sidecar started"
        );
        Ok(sidecar)
    }

    fn start_control(
        &mut self,
        secrets: Secrets,
        (speech, applications, meetings): (Arc<SpeechService>, Arc<Applications>, Arc<Meetings>),
        switchboard: Option<Arc<Switchboard>>,
        used_nonces: &[(i64, String)],
        inherited: Option<std::net::TcpListener>,
    ) -> Result<Arc<Control>, StartError> {
        let address = self.config.control.listen;
        let listener = match inherited {
            Some(listener) => listener,
            None => std::net::TcpListener::bind(address)
                .map_err(io(format!("control API on {address}")))?,
        };
        self.control = listener.local_addr().map_err(io("control API"))?;
        let port = self.control.port();
        let mut hosts = vec![
            self.control.to_string(),
            format!("localhost:{port}"),
            format!("127.0.0.1:{port}"),
            format!("[::1]:{port}"),
        ];
        hosts.extend(self.config.control.hosts.iter().cloned());
        let access_keys = AccessKeys::parse(secrets.access_keys.as_deref().unwrap_or_default())
            .map_err(std::io::Error::other)
            .map_err(io("[control] access-keys-file"))?;
        let control = Arc::new(Control {
            token: secrets.control_token,
            access_keys,
            hosts,
            workers: self.workers.clone(),
            figures: Arc::clone(&self.figures),
            speech,
            traces: self.traces.clone(),
            applications,
            nonces: Control::nonces(used_nonces),
            meetings,
            trunks: self.trunks.clone(),
            phones: Arc::clone(&self.phones),
            changes: Control::changes(),
            creations: Throttle::per_second(self.config.limits.calls_per_second as usize),
            most_creations: self.config.limits.calls_per_second as usize,
            most_calls: self.config.limits.calls as usize,
            port_pairs: self.config.rtp.ports.pairs().into(),
            known: Arc::clone(&self.known),
            bans: Arc::clone(&self.bans),
            draining: Arc::clone(&self.draining),
            switchboard,
            journal: self.journal.clone(),
            reload: self.reload.clone(),
            captures: Arc::clone(&self.tap.single),
            front: self.front.clone(),
            reachable: Arc::clone(&self.reachable),
            elder: self.elder.clone(),
        });
        let server = Arc::new(ControlServer::new(router(Arc::clone(&control))));
        server
            .serve(listener)
            .map_err(io(format!("control API on {address}")))?;
        self.control_server = Some(server);
        Ok(control)
    }

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

/// Everything that is wrong; looking runs the speech engine once, so it is done aside.
async fn findings(config: &SidecarConfig) -> Result<Vec<Finding>, StartError> {
    let config = config.clone();
    tokio::task::spawn_blocking(move || check(&config))
        .await
        .map_err(|error| io("looking at the configuration")(std::io::Error::other(error)))
}
