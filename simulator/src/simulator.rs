//! The running simulator, and what a program does with it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use skillcall_protocol::communication::ParticipantId;
use skillcall_protocol::manifest::{CALLING_PERMISSION, Manifest, ManifestError, Permission};
use skillcall_protocol::signaling::RenegotiationKind;
use skillcall_protocol::trace::{Party, Record};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::alexa::{Alexa, AlexaParts, Limits, Said, SayError, Told, lock};
use crate::authority::{Authority, AuthorityError};
use crate::browser::{Browsers, OrBrowser};
use crate::config::{ConfigError, DeviceMedia, Secret, SimulatorConfig};
use crate::control::{self, Control};
use crate::customer::Customer;
use crate::device::Devices;
use crate::echo::{Echo, EchoError, EchoHabits, Echos};
use crate::line::{
    Answering, Call, CallBook, Line, LineError, LineStart, Manner, Side, WaitedInVain,
};
use crate::login::{Login, LoginFigures};
use crate::model::{Model, ModelError};
use crate::phone::Phone;
use crate::service;
use crate::signaling::endpoint::{Endpoint, Scripted};
use crate::signaling::{Book, Habits, SessionError, SessionView, Wanted};
use crate::skill::{Exchanges, SkillClient};
use crate::tokens::Grant;
use crate::trace::{Trace, TraceError};
use crate::trouble::{Trouble, TroubleError};

/// Why a simulator does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The certificate authority cannot be used.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The interaction model cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The skill manifest cannot be used.
    #[error("skill manifest {path}: {message}", path = path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// An address cannot be listened on.
    #[error("the simulator cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The devices have no media.
    #[error(transparent)]
    Echo(#[from] EchoError),
    /// A device's or the phone's line cannot be opened.
    #[error(transparent)]
    Line(#[from] LineError),
    /// The trace file cannot be written.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The HTTP client cannot be made.
    #[error("HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// A running simulator. Dropping it stops it at once; [`shutdown`](Self::shutdown) stops it in order.
#[derive(Debug)]
pub struct Simulator {
    alexa: Arc<Alexa>,
    control: Arc<Control>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    http: JoinHandle<()>,
    lines: Vec<JoinHandle<()>>,
}

impl Simulator {
    /// Starts everything: the first start in a folder makes keys, which takes a few seconds.
    pub async fn start(config: SimulatorConfig) -> Result<Self, StartError> {
        config.check()?;
        // Without a provider reqwest's TLS cannot be built; another part of the process may have chosen one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let token = config.control_token().map_err(ConfigError::from)?;
        let customers = config.customers().map_err(ConfigError::from)?;
        let secrets = config.client_secrets().map_err(ConfigError::from)?;
        let manifest = manifest(&config)?;
        let model = match &config.skill.model_json {
            Some((json, locale)) => Model::parse(json, locale)?,
            None => Model::read(&config.skill.model)?,
        };
        let ca = config.alexa.ca.clone();
        let authority = tokio::task::spawn_blocking(move || Authority::open(&ca))
            .await
            .map_err(|error| AuthorityError::Rsa(error.to_string()))??;
        let trace = Trace::open(
            config.alexa.trace_records,
            config.alexa.trace_file.as_deref(),
        )?;
        let listener = TcpListener::bind(config.alexa.listen)
            .await
            .map_err(|source| StartError::Listen {
                address: config.alexa.listen,
                source,
            })?;
        let address = listener.local_addr().map_err(|source| StartError::Listen {
            address: config.alexa.listen,
            source,
        })?;
        let (stop, stopping) = watch::channel(false);
        let book = CallBook::default();
        let mut lines = Vec::new();
        let start = |side, party, listen| LineStart {
            side,
            party,
            listen,
            book: book.clone(),
            trace: trace.clone(),
            stopping: stopping.clone(),
        };
        let (line, task) = Line::start(
            start(Side::Device, Party::Device, config.device.listen),
            None,
        )
        .await?;
        lines.push(task);
        let devices = Devices::new(line, book.clone(), &config.device);
        let endpoint: Arc<dyn Endpoint> = match config.device.media {
            DeviceMedia::Scripted => Arc::new(Scripted::default()),
            DeviceMedia::Echo => {
                let habits = EchoHabits {
                    voice: config.device.voice.clone(),
                    ..EchoHabits::default()
                };
                Arc::new(Echos::new(Echo::new(habits).await?))
            }
        };
        let browsers = Arc::new(Browsers::default());
        let endpoint = Arc::new(OrBrowser::new(Arc::clone(&browsers), endpoint));
        let mut phone = None;
        if let Some(settings) = &config.phone {
            let habits = Phone::habits(settings);
            let (line, task) = Line::start(
                start(Side::Phone, Party::Phone, settings.listen),
                Some(habits),
            )
            .await?;
            lines.push(task);
            phone = Some(Phone::new(line));
        }
        let api_endpoint = config
            .alexa
            .api_endpoint
            .unwrap_or_else(|| format!("http://{address}"));
        let limits = Limits {
            answer: Duration::from_millis(config.alexa.answer_limit_ms),
            listen: Duration::from_millis(config.alexa.listen_ms),
            progressive_responses: config.alexa.progressive_responses,
        };
        let login = Login::new(
            config.skill.lwa_client_id.clone(),
            secrets,
            Duration::from_secs(config.alexa.token_seconds),
        );
        let alexa = Arc::new(Alexa::new(AlexaParts {
            skill_id: config.skill.id,
            lwa_client_id: config.skill.lwa_client_id,
            endpoint: config.skill.endpoint,
            api_endpoint,
            manifest,
            model,
            authority: Arc::new(authority),
            trace,
            book,
            devices,
            client: SkillClient::new(limits.answer)?,
            limits,
            login,
            sessions: Book::new(endpoint, config.signaling),
            exchanges: Exchanges::open(config.alexa.exchanges.as_deref())?,
            customers,
            stopping: stopping.clone(),
        }));
        let control = Arc::new(Control {
            alexa: Arc::clone(&alexa),
            phone,
            browsers,
            contacts: config.contacts,
            token,
            address,
        });
        let router =
            service::router(Arc::clone(&alexa)).merge(control::router(Arc::clone(&control)));
        let http = tokio::spawn(service::serve(listener, router, stopping));
        Ok(Self {
            alexa,
            control,
            address,
            stop,
            http,
            lines,
        })
    }

    /// The address of the Alexa service and the control API.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What requests carry as `apiEndpoint`; a component under test has it in `api_hosts`.
    pub fn api_endpoint(&self) -> &str {
        &self.alexa.api_endpoint
    }

    /// The origin from which chains are served: a component under test has it as `chain_origin`.
    pub fn chain_origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The root certificate as PEM: a component under test has it as `alexa_roots`.
    pub fn roots_pem(&self) -> &str {
        self.alexa.authority.roots_pem()
    }

    /// Where [`roots_pem`](Self::roots_pem) lies as a file.
    pub fn roots_path(&self) -> PathBuf {
        self.alexa.authority.roots_path()
    }

    /// The certificate authority, to sign further requests with.
    pub fn authority(&self) -> &Authority {
        &self.alexa.authority
    }

    /// The control API's token.
    pub fn token(&self) -> &Secret {
        &self.control.token
    }

    /// The address of the devices' SIP socket.
    pub fn device_address(&self) -> SocketAddr {
        self.alexa.devices.line().address()
    }

    /// The phone's SIP address, for UDP and TCP.
    pub fn phone_address(&self) -> Option<SocketAddr> {
        self.control.phone.as_ref().map(Phone::address)
    }

    /// Sets where the skill's requests go: for a component that was started later.
    pub fn set_skill_endpoint(&self, url: impl Into<String>) {
        *lock(&self.alexa.endpoint) = url.into();
    }

    /// Sets where the devices' INVITEs go: for a sidecar that was started later.
    pub fn set_sip_target(&self, target: SocketAddr) {
        self.alexa.devices.set_target(target);
    }

    /// Changes what the devices' customers say and do in calls to come.
    pub fn change_device(&self, change: impl FnOnce(&mut Manner)) {
        self.alexa.devices.change_manner(change);
    }

    /// Changes how the phone takes calls to come.
    pub async fn change_phone(
        &self,
        answering: Answering,
        manner: Manner,
    ) -> Result<(), LineError> {
        match &self.control.phone {
            Some(phone) => phone.line().set_habits(answering, manner).await,
            None => Err(LineError::Stopped),
        }
    }

    /// Changes a customer: grants, number, region. `None` is the first; false if there is no such device.
    pub fn change_customer(
        &self,
        device_id: Option<&str>,
        change: impl FnOnce(&mut Customer),
    ) -> bool {
        let mut customers = lock(&self.alexa.customers);
        let customer = match device_id {
            None => customers.first_mut(),
            Some(id) => customers
                .iter_mut()
                .find(|customer| customer.device_id == id),
        };
        customer.map(change).is_some()
    }

    /// Replaces the skill's manifest.
    pub fn set_manifest(&self, manifest: Manifest) {
        *lock(&self.alexa.manifest) = manifest;
    }

    /// The first device hears an utterance.
    pub async fn say(&self, utterance: &str) -> Result<Said, SayError> {
        self.alexa.say(utterance, None).await
    }

    /// A device hears an utterance.
    pub async fn say_to(&self, device_id: &str, utterance: &str) -> Result<Said, SayError> {
        self.alexa.say(utterance, Some(device_id)).await
    }

    /// Sends the skill a request that nobody spoke: an event, a message, a task that came back. `request` is the object with
    /// its `type` and what belongs to it; id, time and locale are added. `device` names the customer; none: the first.
    pub async fn ask(
        &self,
        request: serde_json::Value,
        device_id: Option<&str>,
    ) -> Result<Told, SayError> {
        self.alexa.ask(request, device_id).await
    }

    /// A customer grants the skill to act in their name: Alexa.Authorization.Grant with a code of Login with Amazon
    /// (facts G7).
    pub async fn accept_grant(&self, device_id: Option<&str>) -> Result<Told, SayError> {
        self.alexa.accept_grant(device_id).await
    }

    /// A customer takes their grants back: Login with Amazon knows their refresh tokens no more.
    pub fn take_grants_back(&self, user_id: &str) {
        self.alexa.login.take_back(user_id);
    }

    /// Where Login with Amazon gives tokens: a component under test has it as `lwa_url`.
    pub fn login_url(&self) -> String {
        format!("http://{}/auth/o2/token", self.address)
    }

    /// Replaces the skill's client secrets at Login with Amazon, as the console does when they are rotated.
    pub fn set_client_secrets(&self, secrets: Vec<String>) {
        self.alexa.login.set_secrets(secrets);
    }

    /// How long access tokens of Login with Amazon live that are given out from now on.
    pub fn set_token_life(&self, life: Duration) {
        self.alexa.login.set_token_life(life);
    }

    /// What was asked of Login with Amazon.
    pub fn login_figures(&self) -> LoginFigures {
        self.alexa.login.figures()
    }

    /// Who makes the devices' offers and answers in sessions to come.
    pub fn set_endpoint(&self, endpoint: Arc<dyn Endpoint>) {
        let browsers = Arc::clone(&self.control.browsers);
        let endpoint = OrBrowser::new(browsers, endpoint);
        self.alexa.sessions.set_endpoint(Arc::new(endpoint));
    }

    /// Changes the times of sessions, and what devices do when they are called.
    pub fn change_signaling(&self, change: impl FnOnce(&mut Habits)) {
        self.alexa.sessions.change_habits(change);
    }

    /// A device calls somebody by CallSignaling, with an offer of its own unless one is given; gives the session's id.
    pub fn begin_session(
        &self,
        device_id: Option<&str>,
        to: ParticipantId,
        offer: Option<String>,
    ) -> Result<String, SessionError> {
        let id = self.alexa.begin_session(device_id, to, offer)?;
        Ok(id.as_str().to_owned())
    }

    /// All sessions of CallSignaling, oldest first.
    pub fn sessions(&self) -> Vec<SessionView> {
        self.alexa.sessions.all()
    }

    /// Waits until `wanted` finds something in the sessions, for at most `limit`.
    pub async fn wait_for_session<T>(
        &self,
        limit: Duration,
        wanted: impl FnMut(&[SessionView]) -> Option<T>,
    ) -> Option<T> {
        let found = tokio::time::timeout(limit, self.alexa.sessions.wait_for(wanted)).await;
        found.ok().flatten()
    }

    /// A called device accepts.
    pub fn accept_session(&self, session_id: &str) -> Result<(), SessionError> {
        self.alexa.sessions.device(session_id, Wanted::Accept(None))
    }

    /// A called device declines.
    pub fn decline_session(&self, session_id: &str) -> Result<(), SessionError> {
        self.alexa.sessions.device(session_id, Wanted::Decline)
    }

    /// A device hangs up.
    pub fn end_session(&self, session_id: &str) -> Result<(), SessionError> {
        self.alexa.sessions.device(session_id, Wanted::HangUp)
    }

    /// A device offers anew: it holds, resumes, or has changed its network.
    pub fn update_session(
        &self,
        session_id: &str,
        kind: RenegotiationKind,
        offer: Option<String>,
    ) -> Result<(), SessionError> {
        let wanted = Wanted::Offer(kind, offer);
        self.alexa.sessions.device(session_id, wanted)
    }

    /// All calls of devices and phone, oldest first.
    pub fn calls(&self) -> Vec<Call> {
        self.alexa.book.all()
    }

    /// Waits until `wanted` finds something in the calls, for at most `limit`.
    pub async fn wait_for<T>(
        &self,
        limit: Duration,
        wanted: impl FnMut(&[Call]) -> Option<T>,
    ) -> Result<T, WaitedInVain> {
        self.alexa.book.wait_for(limit, wanted).await
    }

    /// Waits until the call with this id is as `wanted`, and gives it.
    pub async fn wait_for_call(
        &self,
        id: &str,
        limit: Duration,
        mut wanted: impl FnMut(&Call) -> bool,
    ) -> Result<Call, WaitedInVain> {
        self.wait_for(limit, |calls| {
            calls
                .iter()
                .find(|call| call.id == id && wanted(call))
                .cloned()
        })
        .await
    }

    /// What was heard in a call so far: 16-bit linear PCM, mono, 8 kHz. Kept for the latest 16 calls.
    pub fn heard(&self, call_id: &str) -> Option<Vec<i16>> {
        self.alexa.book.audio(call_id)
    }

    /// Presses digits in a call of a device or the phone.
    pub async fn press(&self, call_id: &str, digits: &str) -> Result<(), LineError> {
        self.control.press(call_id, digits).await
    }

    /// Hangs up a call of a device or the phone.
    pub async fn hang_up(&self, call_id: &str) -> Result<(), LineError> {
        self.control.hang_up(call_id).await
    }

    /// Answers a call that rings at the phone.
    pub async fn answer(&self, call_id: &str) -> Result<(), LineError> {
        self.control.answer(call_id).await
    }

    /// Orders trouble, behind what is ordered already.
    pub fn trouble(&self, order: Trouble) -> Result<(), TroubleError> {
        self.alexa.orders.add(order)
    }

    /// How many requests changed what is provisioned (facts G8).
    pub fn provisioned_changes(&self) -> u64 {
        self.alexa.registry.changes()
    }

    /// Takes all trouble back.
    pub fn no_more_trouble(&self) {
        // An empty list breaks no rule.
        let _ = self.alexa.orders.replace(Vec::new());
    }

    /// The trace records that belong together with this id.
    pub fn trace(&self, id: &str) -> Vec<Record> {
        self.alexa.trace.find(id)
    }

    /// Mints an `apiAccessToken` as if a request had carried it; `age` is how long ago.
    pub fn mint_token(&self, grant: Grant, age: Duration) -> Result<String, AuthorityError> {
        self.alexa.mint.mint(grant, age)
    }

    /// The grant of a token for the first customer, as a request would carry it.
    pub fn grant(&self) -> Grant {
        let customer = self.alexa.customer(None).unwrap_or_default();
        Grant {
            request_id: crate::skill::new_id("amzn1.echo-api.request"),
            skill_id: self.alexa.skill_id.clone(),
            device_id: customer.device_id,
            user_id: customer.user_id,
            audience: self.alexa.api_endpoint.clone(),
            scopes: customer.granted.into_iter().collect(),
        }
    }

    /// Hangs up all calls, stops listening and gives every socket back.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        for line in std::mem::take(&mut self.lines) {
            // A task that was aborted has ended, too.
            let _ = line.await;
        }
        let _ = (&mut self.http).await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

fn manifest(config: &SimulatorConfig) -> Result<Manifest, StartError> {
    let (path, bytes) = match (&config.skill.manifest_json, &config.skill.manifest) {
        (Some(json), _) => (PathBuf::from("skill.json"), json.clone().into_bytes()),
        (None, Some(path)) => {
            let bytes = std::fs::read(path).map_err(|error| StartError::Manifest {
                path: path.clone(),
                message: error.to_string(),
            })?;
            (path.clone(), bytes)
        }
        (None, None) => {
            let permissions = vec![Permission {
                name: CALLING_PERMISSION.to_owned(),
            }];
            return Ok(Manifest {
                permissions,
                ..Manifest::default()
            });
        }
    };
    Manifest::read(&bytes).map_err(|error: ManifestError| StartError::Manifest {
        path,
        message: error.to_string(),
    })
}
