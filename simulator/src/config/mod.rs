//! What a simulator is told at start: `simulator.toml`, or a value made by a test.

mod contact;
mod file;
mod secret;

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;

use serde::Deserialize;

pub use self::contact::Contact;
pub use self::file::ConfigError;
pub(crate) use self::secret::RefusedSecret;
pub use self::secret::{Secret, SecretError, TOKEN_VARIABLE};
use crate::customer::Customer;
use crate::line::{Answering, Step, Voice};
use crate::signaling::Habits;

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
}

/// The whole configuration. `Default` is what [`crate::Simulator`] needs for tests but the model and the folder of the
/// authority: every port is chosen by the system.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SimulatorConfig {
    /// The skill under test.
    #[serde(default)]
    pub skill: SkillConfig,
    /// The Alexa service.
    #[serde(default)]
    pub alexa: AlexaConfig,
    /// Customers with their devices; the first is spoken for when nobody is named. None: [`Customer::default`].
    #[serde(default, rename = "customer")]
    pub customers: Vec<Customer>,
    /// The devices' way into the telephone network.
    #[serde(default)]
    pub device: DeviceConfig,
    /// Sessions of CallSignaling: times, and what devices do when they are called.
    #[serde(default)]
    pub signaling: Habits,
    /// Who a browser in a device's place can call with a button.
    #[serde(default, rename = "contact")]
    pub contacts: Vec<Contact>,
    /// The SIP phone; absent: there is none.
    pub phone: Option<PhoneConfig>,
}

/// The skill under test.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct SkillConfig {
    /// `amzn1.ask.skill.…`.
    pub id: String,
    /// `amzn1.application-oa2-client.…`, which the device's INVITE carries (facts E1).
    pub lwa_client_id: String,
    /// File of mode 0600 with its client secrets at Login with Amazon, one a line; absent: Login with Amazon knows none.
    pub client_secrets_file: Option<PathBuf>,
    /// The secrets themselves in place of the file; for tests.
    #[serde(skip)]
    pub client_secrets: Vec<String>,
    /// Where its requests go: http or https.
    pub endpoint: String,
    /// The skill manifest (`skill.json`); absent: one with the calling permission is assumed.
    pub manifest: Option<PathBuf>,
    /// The interaction model, named after its locale: `models/en-US.json`.
    pub model: PathBuf,
    /// The model itself in place of the file, with its locale; for tests.
    #[serde(skip)]
    pub model_json: Option<(String, String)>,
    /// The manifest itself in place of the file; for tests.
    #[serde(skip)]
    pub manifest_json: Option<String>,
}

impl Default for SkillConfig {
    fn default() -> Self {
        Self {
            id: "amzn1.ask.skill.00000000-0000-0000-0000-000000000000".to_owned(),
            lwa_client_id: "amzn1.application-oa2-client.00000000000000000000000000000000"
                .to_owned(),
            client_secrets_file: None,
            client_secrets: Vec::new(),
            endpoint: "http://127.0.0.1:3000/alexa".to_owned(),
            manifest: None,
            model: PathBuf::from("models/en-US.json"),
            model_json: None,
            manifest_json: None,
        }
    }
}

/// The Alexa service and the control API, which share one address.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct AlexaConfig {
    /// The address; port 0 is chosen by the system.
    pub listen: SocketAddr,
    /// Whether an address other than loopback is allowed.
    pub allow_public: bool,
    /// What requests carry as `apiEndpoint`; absent: the address that is listened on.
    pub api_endpoint: Option<String>,
    /// Folder of the certificate authority, made at first start.
    pub ca: PathBuf,
    /// File of mode 0600 with the control API's bearer token.
    pub token_file: Option<PathBuf>,
    /// The token itself is refused here: it belongs into `token-file`.
    #[serde(rename = "token")]
    pub(crate) refused_token: Option<RefusedSecret>,
    /// The token in place of the file; for tests.
    #[serde(skip)]
    pub token: Option<Secret>,
    /// Trace records are appended here as JSON lines.
    pub trace_file: Option<PathBuf>,
    /// Trace records kept in memory: 100 to 1 000 000.
    pub trace_records: usize,
    /// How long the skill may take to answer, in milliseconds (facts A4: about 8 s).
    pub answer_limit_ms: u64,
    /// How long a device listens after a question before it reprompts, and again before it gives up, in milliseconds.
    pub listen_ms: u64,
    /// Progressive responses that one request may send (facts K14: our choice).
    pub progressive_responses: u32,
    /// Seconds that access tokens of Login with Amazon live (facts H: an hour).
    pub token_seconds: u64,
    /// Each signed request with the skill's answer is appended here as a JSON line, nothing hidden; for tests.
    #[serde(skip)]
    pub exchanges: Option<PathBuf>,
}

impl Default for AlexaConfig {
    fn default() -> Self {
        Self {
            listen: loopback(0),
            allow_public: false,
            api_endpoint: None,
            ca: PathBuf::from("simulator/ca"),
            token_file: None,
            refused_token: None,
            token: None,
            trace_file: None,
            trace_records: 20_000,
            answer_limit_ms: 8_000,
            listen_ms: 8_000,
            progressive_responses: 5,
            token_seconds: 3600,
            exchanges: None,
        }
    }
}

/// How devices place calls.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct DeviceConfig {
    /// Where INVITEs go: the sidecar.
    pub sip_target: SocketAddr,
    /// Over UDP or TCP.
    pub transport: SipTransport,
    /// The address of the devices' own SIP socket; port 0 is chosen by the system.
    pub listen: SocketAddr,
    /// What the devices have for the media of CallSignaling.
    pub media: DeviceMedia,
    /// What the devices' customers say in a call.
    pub voice: Voice,
    /// Folder for WAV files of what the devices hear; absent: none are written.
    pub recordings: Option<PathBuf>,
    /// Seconds that a call is kept and recorded at most: 1 to 7200.
    pub max_seconds: u32,
    /// Share of the packets sent that the network loses: 0 to 0.5.
    pub loss: f64,
    /// What is done in each call, step by step.
    pub script: Vec<Step>,
}

impl Default for DeviceConfig {
    fn default() -> Self {
        Self {
            sip_target: loopback(5060),
            transport: SipTransport::Udp,
            listen: loopback(0),
            media: DeviceMedia::default(),
            voice: Voice::default(),
            recordings: None,
            max_seconds: 600,
            loss: 0.0,
            script: Vec::new(),
        }
    }
}

/// What devices have for the media of CallSignaling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceMedia {
    /// Descriptions as if, and no packets.
    #[default]
    Scripted,
    /// ICE, DTLS-SRTP, Opus and a voice, on loopback: [`crate::echo`].
    Echo,
}

/// A SIP transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SipTransport {
    /// UDP.
    #[default]
    Udp,
    /// TCP.
    Tcp,
}

/// The SIP phone that can be called.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct PhoneConfig {
    /// Its address, for UDP and TCP.
    pub listen: SocketAddr,
    /// Whether and when it answers.
    pub answering: Answering,
    /// What is said into it.
    pub voice: Voice,
    /// Folder for WAV files of what it hears; absent: none are written.
    pub recordings: Option<PathBuf>,
    /// Seconds that a call is kept and recorded at most: 1 to 7200.
    pub max_seconds: u32,
    /// Share of the packets sent that the network loses: 0 to 0.5.
    pub loss: f64,
    /// What is done in each call, step by step.
    pub script: Vec<Step>,
}

impl Default for PhoneConfig {
    fn default() -> Self {
        Self {
            listen: loopback(0),
            answering: Answering::default(),
            voice: Voice::default(),
            recordings: None,
            max_seconds: 600,
            loss: 0.0,
            script: Vec::new(),
        }
    }
}
