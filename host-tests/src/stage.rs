//! Everything that a test plays with.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use skillcall_host::spin_harness::SpinHarness;
use skillcall_host::{Server, Skill};
use skillcall_protocol::trace::{Record, Trace, find};
use skillcall_sidecar::{Sidecar, SidecarConfig};
use skillcall_simulator::config::{PhoneConfig, Secret, SipTransport};
use skillcall_simulator::customer::Customer;
use skillcall_simulator::line::{Call, CallState, Side};
use skillcall_simulator::{Outcome, Said, Simulator, SimulatorConfig};
use tempfile::TempDir;
use url::Url;

use crate::control::Control;
use crate::plug_in::PlugIn;
use crate::settings::TestSettings;
use crate::state::WatchedState;
use crate::wait::{PATIENCE, until};
use crate::{authority, component, judges, plans, spin};

/// RTP ports of one stage: 32 pairs.
const PORTS: u16 = 64;
/// The first port that stages use: below those that the system gives away by itself.
const FIRST_PORT: u16 = 12_000;
/// The first port of control APIs.
const FIRST_CONTROL_PORT: u16 = 10_000;
/// How many stages have ports of their own before they are used again.
const STAGES: u16 = 300;

const ANY: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

/// What a stage is made of.
pub struct Staging {
    plan: String,
    model: (&'static str, &'static str),
    handler: Option<Url>,
    route: Option<String>,
    sidecar_toml: String,
    whole_sidecar_toml: Option<String>,
    simulator: SimulatorConfig,
    test_trust: bool,
    tcp: bool,
    spin: Option<Manifest>,
    plug_in: Option<PlugIn>,
    relaxed: bool,
    login: bool,
}

/// Under which manifest the component composed for Spin runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manifest {
    /// The project's, which names Amazon's hosts.
    Projects,
    /// One made from it for the stage's own hosts, as `skillcall up --host spin` does.
    Installations,
}

/// Who hosts the component.
pub enum Hosted {
    /// Our host.
    Wasmtime(Server),
    /// Spin's rules, with the component composed for Spin.
    Spin(SpinHarness),
}

impl Hosted {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Wasmtime(server) => server.address(),
            Self::Spin(spin) => spin.address(),
        }
    }

    /// The component's typed exports.
    ///
    /// # Panics
    /// On Spin, which knows HTTP alone.
    #[must_use]
    pub fn skill(&self) -> &Skill {
        match self {
            Self::Wasmtime(server) => server.skill(),
            Self::Spin(_) => panic!("Spin calls no typed exports"),
        }
    }

    async fn idle(&self) -> bool {
        match self {
            Self::Wasmtime(server) => server.skill().idle(PATIENCE).await,
            // It is known when it shuts down.
            Self::Spin(_) => true,
        }
    }

    async fn shutdown(self) -> bool {
        match self {
            Self::Wasmtime(server) => server.shutdown().await,
            Self::Spin(spin) => spin.shutdown().await,
        }
    }
}

impl Staging {
    /// With this plan; the model and the manifest are the example's, in English, and the phone answers after a moment.
    #[must_use]
    pub fn new(plan: impl Into<String>) -> Self {
        let mut simulator = SimulatorConfig {
            phone: Some(PhoneConfig::default()),
            ..SimulatorConfig::default()
        };
        simulator.skill.id = plans::SKILL_ID.to_owned();
        simulator.skill.lwa_client_id = plans::LWA_CLIENT_ID.to_owned();
        simulator.skill.manifest_json = Some(plans::MANIFEST.to_owned());
        // A machine that is busy with other tests must not make Alexa impatient.
        simulator.alexa.answer_limit_ms = 60_000;
        simulator.alexa.listen_ms = 120_000;
        Self {
            plan: plan.into(),
            model: (plans::MODEL_EN, "en-US"),
            handler: None,
            route: None,
            sidecar_toml: String::new(),
            whole_sidecar_toml: None,
            simulator,
            test_trust: true,
            tcp: false,
            spin: None,
            plug_in: None,
            relaxed: false,
            login: false,
        }
    }

    /// The component composed for Spin runs under Spin's rules.
    #[must_use]
    pub fn on_spin(mut self, manifest: Manifest) -> Self {
        self.spin = Some(manifest);
        self
    }

    /// With a plug-in that decides calls in the component.
    #[must_use]
    pub fn plugged(mut self, plug_in: PlugIn) -> Self {
        self.plug_in = Some(plug_in);
        self
    }

    /// The artefact with relaxed vectors.
    #[must_use]
    pub fn relaxed(mut self) -> Self {
        self.relaxed = true;
        self
    }

    /// Set up for Login with Amazon: grants, messages, units' profiles.
    #[must_use]
    pub fn with_login(mut self) -> Self {
        self.login = true;
        self
    }

    /// With this interaction model, in English.
    #[must_use]
    pub fn model(self, json: impl Into<String>) -> Self {
        let model = (json.into(), "en-US".to_owned());
        self.simulator(|simulator| simulator.skill.model_json = Some(model))
    }

    /// With the German model.
    #[must_use]
    pub fn german(mut self) -> Self {
        self.model = (plans::MODEL_DE, "de-DE");
        self
    }

    /// The sidecar asks this handler in place of the component.
    #[must_use]
    pub fn handled_by(mut self, url: &Url) -> Self {
        self.handler = Some(url.clone());
        self
    }

    /// CallAndBridge leads to this URI in place of the simulator's phone.
    #[must_use]
    pub fn bridging_to(mut self, uri: impl Into<String>) -> Self {
        self.route = Some(uri.into());
        self
    }

    /// All SIP of device and phone goes over TCP.
    #[must_use]
    pub fn over_tcp(mut self) -> Self {
        self.tcp = true;
        self.simulator(|simulator| simulator.device.transport = SipTransport::Tcp)
    }

    /// More for sidecar.toml: whole tables. `{skill}` stands for the component's origin, `{phone}` for the phone's address.
    #[must_use]
    pub fn sidecar_toml(mut self, toml: &str) -> Self {
        self.sidecar_toml.push_str(toml);
        self
    }

    /// A sidecar.toml of somebody else's, as an installation has it, in place of the stage's own: the component, the control API, the
    /// RTP ports and the secrets become the stage's.
    #[must_use]
    pub fn whole_sidecar_toml(mut self, toml: &str) -> Self {
        self.whole_sidecar_toml = Some(toml.to_owned());
        self
    }

    /// Changes the simulator's configuration.
    #[must_use]
    pub fn simulator(mut self, change: impl FnOnce(&mut SimulatorConfig)) -> Self {
        change(&mut self.simulator);
        self
    }

    /// With these customers.
    #[must_use]
    pub fn customers(self, customers: Vec<Customer>) -> Self {
        self.simulator(|simulator| simulator.customers = customers)
    }

    /// The component trusts Amazon's roots alone, as it does when nothing is set.
    #[must_use]
    pub fn trusting_amazon_alone(mut self) -> Self {
        self.test_trust = false;
        self
    }

    /// Starts the simulator, the component and the sidecar.
    ///
    /// # Panics
    /// When a part does not start.
    pub async fn start(self) -> Stage {
        // The first to choose a provider wins; all choose the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::Builder::new()
            .prefix("skillcall-stage")
            .tempdir()
            .expect("a folder");
        let secrets = Secrets::new();
        let exchanges = judges::new_file();
        let simulator = self
            .start_simulator(folder.path(), &secrets, &exchanges)
            .await;

        let state = Arc::new(WatchedState::new());
        let settings = Arc::new(TestSettings::default());
        settings.set_plan(&self.plan);
        settings.set("sidecar_keys", secrets.keys.clone());
        settings.set("session_key", secrets.session.clone());
        settings.set("api_hosts", simulator.api_endpoint().to_owned());
        settings.set("chain_origin", simulator.chain_origin());
        if self.test_trust {
            settings.set("alexa_roots", simulator.roots_pem().to_owned());
        }
        if self.login {
            settings.set("lwa_client_secrets", secrets.client.clone());
            settings.set("token_keys", secrets.token_keys.clone());
            settings.set("lwa_url", simulator.login_url());
        }
        // Spin's variables are given at the start, so the sidecar's address is chosen before.
        let control = free_address();
        settings.set("sidecar_url", format!("http://{control}"));
        let server = match self.spin {
            None => {
                let settings = Arc::clone(&settings);
                let skill = match self.plug_in {
                    Some(plug_in) => component::plugged(plug_in, settings).await,
                    None if self.relaxed => component::relaxed(settings).await,
                    None => component::skill(settings, Arc::clone(&state)).await,
                };
                let server = Server::serve(skill, ANY, PATIENCE).await;
                Hosted::Wasmtime(server.expect("the component's server"))
            }
            Some(manifest) => Hosted::Spin(spin::start(manifest, &settings, folder.path()).await),
        };
        simulator.set_skill_endpoint(format!("http://{}/alexa", server.address()));

        let toml = self.sidecar_config(&server, &simulator, control);
        let file = folder.path().join("sidecar.toml");
        std::fs::write(&file, &toml).expect("sidecar.toml");
        write_secret(&folder.path().join("sidecar.token"), &secrets.sidecar_token);
        write_secret(&folder.path().join("sidecar.key"), &secrets.keys);
        for bucket in ["recordings", "prompts", "traces", "records"] {
            std::fs::create_dir_all(folder.path().join(bucket)).expect("a bucket");
        }
        let config = SidecarConfig::load(&file).unwrap_or_else(|error| panic!("{error}\n{toml}"));
        let sidecar = Sidecar::start(config).await.expect("the sidecar");
        simulator.set_sip_target(if self.tcp {
            sidecar.sip_tcp().expect("SIP over TCP")
        } else {
            sidecar.sip_udp().expect("SIP over UDP")
        });

        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("an HTTP client");
        let control = Control::new(http.clone(), sidecar.control(), &secrets.sidecar_token);
        Stage {
            simulator,
            exchanges,
            settings,
            state,
            server,
            sidecar,
            control,
            http,
            secrets,
            folder,
        }
    }

    async fn start_simulator(
        &self,
        folder: &Path,
        secrets: &Secrets,
        exchanges: &Path,
    ) -> Simulator {
        let mut config = self.simulator.clone();
        config
            .skill
            .model_json
            .get_or_insert_with(|| (self.model.0.to_owned(), self.model.1.to_owned()));
        if self.login {
            config.skill.client_secrets = vec![secrets.client.clone()];
        }
        config.alexa.exchanges = Some(exchanges.to_owned());
        config.alexa.ca = folder.join("ca");
        config.alexa.token = Some(Secret::new(secrets.simulator_token.clone()).expect("a token"));
        config.alexa.trace_file = Some(folder.join("simulator.jsonl"));
        authority::copy_into(&config.alexa.ca).await;
        Simulator::start(config).await.expect("the simulator")
    }

    fn sidecar_config(
        &self,
        server: &Hosted,
        simulator: &Simulator,
        control: SocketAddr,
    ) -> String {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        // Another test program may run at the same time; ports that are taken are passed over.
        let offset = u16::try_from(std::process::id() % u32::from(STAGES)).unwrap_or_default();
        let place = NEXT
            .fetch_add(1, Ordering::Relaxed)
            .wrapping_add(offset.wrapping_mul(7))
            % STAGES;
        let first = FIRST_PORT + place * PORTS;
        let last = first + PORTS - 1;
        if let Some(toml) = &self.whole_sidecar_toml {
            return toml
                .replace("30000-33999", &format!("{first}-{last}"))
                .replace("127.0.0.1:7080", &control.to_string())
                .replace(
                    "http://127.0.0.1:3000",
                    &format!("http://{}", server.address()),
                )
                .replace("secrets/", "");
        }
        let handler = match &self.handler {
            Some(url) => format!("handler = \"{url}\"\nrequire-signed-replies = false"),
            None => format!("handler = \"http://{}/media/events\"", server.address()),
        };
        let route = self.route.clone().unwrap_or_else(|| {
            let phone = simulator
                .phone_address()
                .map_or_else(|| "127.0.0.1:9".to_owned(), |phone| phone.to_string());
            let transport = if self.tcp { ";transport=tcp" } else { "" };
            format!("sip:{{number}}@{phone}{transport}")
        });
        let lwa = plans::LWA_CLIENT_ID;
        // Addresses are known only now.
        let more = self
            .sidecar_toml
            .replace("{skill}", &format!("http://{}", server.address()))
            .replace(
                "{phone}",
                &simulator
                    .phone_address()
                    .map_or_else(String::new, |phone| phone.to_string()),
            );
        format!(
            r#"
[sip]
listen = ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"]
skills = ["{lwa}"]
[rtp]
ports = "{first}-{last}"
drain-seconds = 1
[control]
listen = "{control}"
token-file = "sidecar.token"
[[application]]
id = "harbour-hotel"
{handler}
keys-file = "sidecar.key"
[[route]]
prefix = "+"
uri = "{route}"
[buckets]
recordings = "recordings"
prompts = "prompts"
[trace]
folder = "traces"
{more}
"#
        )
    }
}

/// An address that nobody listens on now.
fn free_address() -> SocketAddr {
    /// Each is given once, and the system gives none of them away by itself: it would give one again before it is used.
    static NEXT: AtomicU16 = AtomicU16::new(FIRST_CONTROL_PORT);
    loop {
        let port = NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(port < FIRST_PORT, "all ports for control APIs are used");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if std::net::TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// The secrets of one stage: to search for them where they must not be.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// The keys between component and sidecar, as `id:base64`.
    pub keys: String,
    /// The key from which `clientSessionId`s are derived, as base64.
    pub session: String,
    /// The skill's client secret at Login with Amazon.
    pub client: String,
    /// The keys that encrypt tokens, as `id:base64`.
    pub token_keys: String,
    /// The token of the sidecar's control API.
    pub sidecar_token: String,
    /// The token of the simulator's control API.
    pub simulator_token: String,
}

impl Secrets {
    fn new() -> Self {
        let random = || STANDARD.encode(rand::random::<[u8; 32]>());
        let token = || random().replace(['+', '/', '='], "x");
        Self {
            keys: format!("k1:{}", random()),
            session: random(),
            client: token(),
            token_keys: format!("t1:{}", random()),
            sidecar_token: token(),
            simulator_token: token(),
        }
    }
}

fn write_secret(path: &Path, text: &str) {
    use std::io::Write as _;
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .expect("a secret");
}

/// The simulator, the component and the sidecar, running.
pub struct Stage {
    /// Alexa, the devices and the phone.
    pub simulator: Simulator,
    /// The file of signed requests and their answers (see [`judges::exchanges`]).
    pub exchanges: PathBuf,
    /// The component's settings.
    pub settings: Arc<TestSettings>,
    /// The component's state, unless Spin has it.
    pub state: Arc<WatchedState>,
    /// The component, served over HTTP.
    pub server: Hosted,
    /// The SIP media application.
    pub sidecar: Sidecar,
    /// Its control API.
    pub control: Control,
    /// An HTTP client.
    pub http: reqwest::Client,
    /// The secrets.
    pub secrets: Secrets,
    folder: TempDir,
}

impl Stage {
    /// The folder in which everything is written.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The bucket `recordings`.
    #[must_use]
    pub fn recordings(&self) -> PathBuf {
        self.folder().join("recordings")
    }

    /// A URL of the component.
    #[must_use]
    pub fn component(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address())
    }

    /// "Call the front desk": what Alexa says and does, and the device's call.
    ///
    /// # Panics
    /// When no call is ordered.
    pub async fn call(&self) -> (Said, Call) {
        let said = self
            .simulator
            .say("call the front desk")
            .await
            .expect("it is said");
        let call = said
            .call
            .clone()
            .unwrap_or_else(|| panic!("no call was ordered: {said:?}"));
        (said, call)
    }

    /// "Call the front desk", which the skill must refuse with 400; no call may come of it.
    ///
    /// # Panics
    /// When anything else happens; `what` is told then.
    pub async fn refused(&self, what: &str) -> Said {
        let said = self.simulator.say("call the front desk").await;
        let said = said.expect("it is said");
        assert!(
            matches!(said.outcome, Outcome::Refused { status: 400, .. }),
            "{what}: {said:?}"
        );
        assert!(self.device_calls().is_empty(), "{what}");
        said
    }

    /// Waits until a call of the simulator is as `wanted`.
    ///
    /// # Panics
    /// When it does not become so.
    pub async fn call_is(&self, id: &str, wanted: impl FnMut(&Call) -> bool) -> Call {
        self.simulator
            .wait_for_call(id, PATIENCE, wanted)
            .await
            .expect("the call becomes so")
    }

    /// Waits for the end of a call.
    pub async fn over(&self, id: &str) -> Call {
        self.call_is(id, Call::is_over).await
    }

    /// Hangs a call of the device up as soon as it can be, and waits for its end.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn over_by_hanging_up(&self, id: &str) -> Call {
        self.call_is(id, |call| call.state != CallState::Ordered)
            .await;
        // It may have ended by itself meanwhile.
        let _ = self.simulator.hang_up(id).await;
        self.over(id).await
    }

    /// Waits for the phone's call in this state.
    ///
    /// # Panics
    /// When there is none in time.
    pub async fn phone(&self, state: CallState) -> Call {
        let wanted = |calls: &[Call]| {
            calls
                .iter()
                .find(|call| call.side == Side::Phone && call.state == state)
                .cloned()
        };
        self.simulator
            .wait_for(PATIENCE, wanted)
            .await
            .expect("the phone's call")
    }

    /// The calls that came to the phone.
    #[must_use]
    pub fn phone_calls(&self) -> Vec<Call> {
        self.simulator
            .calls()
            .into_iter()
            .filter(|call| call.side == Side::Phone)
            .collect()
    }

    /// The calls that devices placed.
    #[must_use]
    pub fn device_calls(&self) -> Vec<Call> {
        self.simulator
            .calls()
            .into_iter()
            .filter(|call| call.side == Side::Device)
            .collect()
    }

    /// Everything that is written down about a call, by all parts, found by any of its ids.
    pub async fn trace(&self, id: &str) -> Trace {
        let mut records: Vec<Record> = Vec::new();
        let (mut asked, mut ask) = (Vec::new(), vec![id.to_owned()]);
        while let Some(id) = ask.pop() {
            if asked.contains(&id) {
                continue;
            }
            let found = self
                .control
                .trace(&id)
                .await
                .into_iter()
                .chain(self.simulator.trace(&id));
            for record in found {
                if !records.contains(&record) {
                    ask.extend(record.ids.all().map(str::to_owned));
                    records.push(record);
                }
            }
            asked.push(id);
        }
        find(&records, id)
    }

    /// Waits until nothing is held any more: no call, leg, RTP port, socket, recording or question. A connection of SIP
    /// outlives its call, for the next one (RFC 3261 §18).
    pub async fn quiet(&self) {
        until("the sidecar to hold nothing any more", async || {
            let now = self.sidecar.figures();
            let held =
                now.calls + now.legs + now.port_pairs + now.sockets + now.recordings + now.asking;
            (held == 0).then_some(())
        })
        .await;
        until("the device and the phone to have no call", async || {
            self.simulator
                .calls()
                .iter()
                .all(Call::is_over)
                .then_some(())
        })
        .await;
        assert!(
            self.server.idle().await,
            "instances of the component are still at work"
        );
    }

    /// Ends everything, and counts what is left behind.
    ///
    /// # Panics
    /// When something is left.
    pub async fn end(self) -> TempDir {
        self.quiet().await;
        assert!(
            self.server.shutdown().await,
            "the component's last works did not end"
        );
        let ended = tokio::time::timeout(Duration::from_secs(30), self.simulator.shutdown()).await;
        assert!(ended.is_ok(), "the simulator did not stop");
        until("the sidecar to hold no connection any more", async || {
            (self.sidecar.figures().connections == 0).then_some(())
        })
        .await;
        self.sidecar.shutdown().await;
        judges::ended(&self.exchanges);
        self.folder
    }
}
