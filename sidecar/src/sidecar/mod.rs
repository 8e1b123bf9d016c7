//! Starting the parts in order, and ending them in the reverse one.

mod relays;
mod reload;
mod threads;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use skillcall_sip::endpoint::Transport;
use skillcall_webrtc::{Identity, dtls::OpenSsl};
use tokio::sync::oneshot;

use crate::applications::{Application, Applications, ApplicationsError};
use crate::bot::Bots;
use crate::capture::Tap;
use crate::cdr::CallDetails;
use crate::config::{
    BucketProblem, ConfigError, Finding, Live, SecretError, Secrets, Severity, SidecarConfig, check,
};
use crate::control::{AccessKeys, Control, router};
use crate::engine::Throttle;
use crate::failure::{Failures, ThreadFailed};
use crate::figures::{Figures, FiguresSnapshot};
use crate::front::{Front, FrontHandle, Naming, ToFront};
use crate::gateway::Switchboard;
use crate::guard::{Bans, Known, SharedBans, Toll};
use crate::handler::{HandlerError, Handlers};
use crate::journal::{Journal, Left, take_leave};
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
pub(crate) use reload::Reload;
pub use reload::Reloaded;
use threads::{join, usable};

/// After the calls were hung up, so long their handlers may take to hear of it.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How often the end of the last call is looked for.
const LOOK: Duration = Duration::from_millis(10);

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
    naming: Naming,
    reload: Reload,
    phones: Arc<Phones>,
    tap: Tap,
    known: Arc<Known>,
    bans: SharedBans,
    draining: Arc<AtomicBool>,
    workers: Vec<WorkerHandle>,
    threads: Vec<JoinHandle<()>>,
    store_threads: Vec<JoinHandle<()>>,
    end_control: Option<oneshot::Sender<()>>,
    control_task: Option<tokio::task::JoinHandle<()>>,
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

        let (mut journal, mut left) = (Journal::default(), Left::default());
        if config.journal.enabled {
            let folder = config.resolve(&config.journal.folder);
            let (started, thread, calls) = Journal::start(&folder, config.journal.max_bytes)
                .map_err(io(format!("journal folder {}", folder.display())))?;
            (journal, left) = (started, calls);
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
        let front =
            Front::bind(&config, tls.clone(), trunks.clone()).map_err(io("SIP listener"))?;
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
        let switchboard = Switchboard::new(
            &config.gateway,
            &secrets,
            Arc::new(Application::of_gateway(&config)),
            journal.clone(),
            trace.clone(),
            Arc::clone(&figures),
        )?
        .map(Arc::new);
        let mut devices = None;
        if switchboard.is_some() {
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
            naming: front.naming(),
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
            end_control: None,
            control_task: None,
            telemetry_task,
            reachable,
            asking_task: None,
            config,
        };
        sidecar.start_threads(front, &shared)?;
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
        sidecar.leave(left, &applications, &handlers, switchboard.as_ref());
        sidecar
            .start_control(secrets, speech, applications, meetings, switchboard)
            .await?;
        tracing::info!(
            udp = ?sidecar.sip_udp, tcp = ?sidecar.sip_tcp, control = %sidecar.control,
            workers = sidecar.workers.len(), "sidecar started"
        );
        Ok(sidecar)
    }

    /// Takes leave of the calls that an earlier process has left.
    fn leave(
        &self,
        left: Left,
        applications: &Arc<Applications>,
        handlers: &Arc<Handlers>,
        switchboard: Option<&Arc<Switchboard>>,
    ) {
        let Left {
            calls: left,
            sessions,
        } = left;
        let Some(worker) = self
            .workers
            .first()
            .filter(|_| !left.is_empty() || !sessions.is_empty())
        else {
            return;
        };
        tracing::warn!(
            calls = left.len() + sessions.len(),
            "calls were left by an earlier process, and are ended"
        );
        let of_sessions = sessions.iter().flat_map(|call| call.dialogs.clone());
        let dialogs = left.iter().flat_map(|call| call.dialogs.clone());
        worker.send(ToWorker::TakeLeave(dialogs.chain(of_sessions).collect()));
        let waiting = sessions.iter().filter_map(|call| call.waiting.clone());
        worker.send(ToWorker::Refuse(waiting.collect()));
        let of_sessions = sessions.iter().flat_map(|call| call.ringing.clone());
        let ringing = left.iter().flat_map(|call| call.ringing.clone());
        // The responses lead to the worker that their branch names.
        for invite in ringing.chain(of_sessions) {
            let branch = invite.branch().unwrap_or_default();
            let named = self.naming.of_branch(&branch);
            if let Some(worker) = named.and_then(|worker| self.workers.get(worker)) {
                worker.send(ToWorker::GiveUp(vec![invite]));
            }
        }
        match switchboard {
            Some(switchboard) => switchboard.take_leave(sessions),
            None => {
                for call in sessions {
                    tracing::warn!(session = call.session, "there is no gateway any more");
                    self.journal.ended(&call.session);
                }
            }
        }
        tokio::spawn(take_leave(
            left,
            Arc::clone(applications),
            Arc::clone(handlers),
            self.trace.clone(),
            self.journal.clone(),
        ));
    }

    async fn start_control(
        &mut self,
        secrets: Secrets,
        speech: Arc<SpeechService>,
        applications: Arc<Applications>,
        meetings: Arc<Meetings>,
        switchboard: Option<Arc<Switchboard>>,
    ) -> Result<(), StartError> {
        let address = self.config.control.listen;
        let listener = tokio::net::TcpListener::bind(address)
            .await
            .map_err(io(format!("control API on {address}")))?;
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
            nonces: Control::nonces(),
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
        });
        let (end, ended) = oneshot::channel::<()>();
        self.end_control = Some(end);
        self.control_task = Some(tokio::spawn(async move {
            let serving = axum::serve(listener, router(control)).with_graceful_shutdown(async {
                // Dropping the sender ends it too.
                let _ = ended.await;
            });
            if let Err(error) = serving.await {
                tracing::error!(%error, "the control API ended");
            }
        }));
        Ok(())
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
        self.front.send(ToFront::Panic);
    }

    /// Ends it: no new calls (503); running calls get `[limits] shutdown-seconds`, then every leg a BYE and the
    /// handler its HANGUP.
    pub async fn shutdown(mut self) {
        self.draining.store(true, Ordering::Relaxed);
        self.front.send(ToFront::Drain(true));
        let patience = if self.failures.any() {
            // Nobody hears how the calls go on.
            Duration::ZERO
        } else {
            Duration::from_secs(self.config.limits.shutdown_seconds.into())
        };
        if !self.quiet_within(patience).await {
            for worker in &self.workers {
                worker.send(ToWorker::HangUpAll);
            }
            if !self.quiet_within(LAST_WORDS).await {
                tracing::warn!(
                    calls = self.figures.snapshot().calls,
                    "calls were still open at the end"
                );
            }
        }
        if !self.failures.any() {
            self.unregistered_within(LAST_WORDS).await;
        }
        self.stop_threads();
        let threads = std::mem::take(&mut self.threads);
        let stores = std::mem::take(&mut self.store_threads);
        let (recordings, trace) = (self.recordings.clone(), self.trace.clone());
        let (call_details, journal) = (self.call_details.clone(), self.journal.clone());
        let tap = self.tap.clone();
        let phones = Arc::clone(&self.phones);
        let joined = tokio::task::spawn_blocking(move || {
            join(threads);
            if let Some(bindings) = phones.due() {
                phones.write(&bindings);
            }
            // What the workers left is written before the stores end.
            recordings.stop();
            journal.stop();
            if let Some(records) = call_details {
                records.stop();
            }
            trace.stop();
            tap.stop();
            join(stores);
        });
        let _ = joined.await;
        if let Some(task) = self.telemetry_task.take() {
            // The trace's thread, which sent to it, has ended: it posts what it has left.
            let _ = tokio::time::timeout(LAST_WORDS, task).await;
        }
        drop(self.end_control.take());
        if let Some(task) = self.control_task.take() {
            // An idle keep-alive connection must not hold the end up.
            let _ = tokio::time::timeout(Duration::from_secs(1), task).await;
        }
    }

    /// Registrars are told that nobody is here any more, before the workers end.
    async fn unregistered_within(&self, limit: Duration) {
        let until = Instant::now() + limit;
        while self.trunks.registrations().any() && Instant::now() < until {
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn quiet_within(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        while self.figures.calls.load(Ordering::Relaxed) > 0 {
            if Instant::now() >= until {
                return false;
            }
            tokio::time::sleep(LOOK).await;
        }
        true
    }
}

impl Drop for Sidecar {
    /// Without [`Sidecar::shutdown`] the threads are only told to end.
    fn drop(&mut self) {
        self.stop_threads();
        if let Some(task) = &self.asking_task {
            task.abort();
        }
        if !self.store_threads.is_empty() {
            self.recordings.stop();
            self.journal.stop();
            if let Some(records) = &self.call_details {
                records.stop();
            }
            self.trace.stop();
            self.tap.stop();
        }
        if let Some(task) = &self.control_task {
            task.abort();
        }
    }
}

/// Everything that is wrong; looking runs the speech engine once, so it is done aside.
async fn findings(config: &SidecarConfig) -> Result<Vec<Finding>, StartError> {
    let config = config.clone();
    tokio::task::spawn_blocking(move || check(&config))
        .await
        .map_err(|error| io("looking at the configuration")(std::io::Error::other(error)))
}
