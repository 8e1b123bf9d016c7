//! All parts, in the order in which they need each other.

use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use skillcall_sip::endpoint::Transport;
use skillcall_webrtc::{Identity, dtls::OpenSsl};

use super::leaving::LeaveTaking;
use super::reload::Reload;
use super::threads::usable;
use super::{Sidecar, StartError, io, relays, succession};
use crate::applications::{Application, Applications, ApplicationsError};
use crate::bot::Bots;
use crate::capture::Tap;
use crate::cdr::CallDetails;
use crate::config::{ConfigError, Finding, Live, Secrets, Severity, SidecarConfig, check};
use crate::failure::Failures;
use crate::figures::Figures;
use crate::front::Front;
use crate::gateway::Switchboard;
use crate::guard::{Bans, Known, Toll};
use crate::handler::{HandlerError, Handlers};
use crate::handover::{Inherited, TakenFrom};
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
use crate::tls::{Tls, TlsSetup};
use crate::trace::{Files, TraceSink, TraceStore};
use crate::trunks::{TrunkTable, Trunks};
use crate::worker::{Shared, ToWorker};

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
        let devices = devices(&config, &tls).await?;
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
}

/// How the gateway speaks with devices; none without a gateway.
async fn devices(
    config: &SidecarConfig,
    tls: &Tls,
) -> Result<Option<Arc<DeviceSettings>>, StartError> {
    if config.gateway.skill.is_none() {
        return Ok(None);
    }
    // OpenSSL, as devices may have RSA certificates.
    let identity = OpenSsl::generate()
        .map(|dtls| Identity::with_backend(Arc::new(dtls)))
        .map_err(std::io::Error::other)
        .map_err(io("the certificate for devices"))?;
    let music = config.gateway.hold_music.as_ref();
    let music = music.map(|path| prompt_of_file(&config.resolve(path)));
    let hold_music = music.transpose().map_err(io("[gateway] hold-music"))?;
    Ok(Some(Arc::new(DeviceSettings {
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
        servers: relays::servers(config).await?,
        tls: tls.clone(),
        gathered: config.gateway.gathered as usize,
    })))
}

/// Everything that is wrong; looking runs the speech engine once, so it is done aside.
pub(super) async fn findings(config: &SidecarConfig) -> Result<Vec<Finding>, StartError> {
    let config = config.clone();
    tokio::task::spawn_blocking(move || check(&config))
        .await
        .map_err(|error| io("looking at the configuration")(std::io::Error::other(error)))
}
