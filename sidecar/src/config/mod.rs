//! `sidecar.toml`: what it may hold, read and checked.
//!
//! The types are plain data; [`SidecarConfig::load`] reads a file, [`check`] says
//! what is wrong in it (and in the machine around it) with file, line and column.
//! Paths are relative to the folder of the file. Secrets never stand in the file:
//! they come from a `*-file` key or from the environment.

mod addresses;
mod bot;
mod buckets;
mod capture;
mod check;
mod codecs;
mod dialog;
mod dns;
mod finding;
mod gateway;
mod guard;
mod handover;
mod journal;
mod lambda;
mod limits;
mod live;
mod locate;
mod opentelemetry;
mod phone;
mod register;
mod relays;
mod routing;
mod secrets;
mod sections;
mod srtp;
mod text;
mod tls;
mod trunk;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use addresses::{ListenAddress, PortRange, PublicAddress, SipTransport, SourceNet};
pub use bot::{BotConfig, BotSpeech, RecognizerConfig};
pub use buckets::{BucketConfig, BucketProblem, RemoteBucket};
pub use capture::HepConfig;
pub use check::check;
pub use codecs::PhoneCodec;
pub use dialog::{DialogConfig, ReliableProvisional, SessionRefresher};
pub use dns::DnsConfig;
pub use finding::{Finding, Severity};
pub use gateway::{GatewayConfig, GatewayRouteConfig, ParticipantType, RoomConfig, VideoSetting};
pub use guard::{GuardConfig, TollConfig};
pub use handover::HandoverConfig;
pub use journal::JournalConfig;
pub use lambda::LambdaConfig;
pub(crate) use lambda::account as lambda_account;
pub use limits::LimitsConfig;
pub(crate) use live::Live;
pub use opentelemetry::OpenTelemetryConfig;
pub use phone::{DigestAlgorithm, DigestQuality, PhoneConfig, PhoneMayCall, PhonesConfig};
pub use register::RegisterConfig;
pub use relays::TurnConfig;
pub(crate) use relays::TurnPlace;
pub(crate) use routing::Answerer;
pub use routing::{ApplicationConfig, RouteConfig, RouteTarget};
pub(crate) use secrets::read_secret_file;
pub use secrets::{SecretError, Secrets};
pub use sections::{
    ControlConfig, RecordsConfig, RtpConfig, SipConfig, SipNetwork, SpeechConfig, SpeechEngineName,
    TraceConfig, UnlistedSource,
};
pub use srtp::SrtpMode;
pub use tls::TlsConfig;
pub use trunk::{TrunkConfig, TrunkTarget};

/// Everything `sidecar.toml` says.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SidecarConfig {
    /// SIP listeners and who may call.
    pub sip: SipConfig,
    /// How calls are kept up with their peers.
    pub dialog: DialogConfig,
    /// RTP address and ports.
    pub rtp: RtpConfig,
    /// The control API.
    pub control: ControlConfig,
    /// SIP media applications: which handler answers which numbers.
    pub application: Vec<ApplicationConfig>,
    /// Carriers, PBXs and proxies, by name.
    pub trunk: Vec<TrunkConfig>,
    /// The registrar of phones.
    pub phones: PhonesConfig,
    /// Phones that may register.
    pub phone: Vec<PhoneConfig>,
    /// Certificates.
    pub tls: TlsConfig,
    /// Name servers.
    pub dns: DnsConfig,
    /// The handlers behind the Lambda functions that the control plane names.
    pub lambda: Vec<LambdaConfig>,
    /// Where outgoing legs go.
    pub route: Vec<RouteConfig>,
    /// Bots that StartBotConversation names.
    pub bot: Vec<BotConfig>,
    /// Speech to text, for bots.
    pub recognizer: RecognizerConfig,
    /// Bucket name → folder (relative to this file), object store or web server.
    pub buckets: BTreeMap<String, BucketConfig>,
    /// Text to speech.
    pub speech: SpeechConfig,
    /// The trace's folder and bounds.
    pub trace: TraceConfig,
    /// Call detail records.
    pub records: RecordsConfig,
    /// The dialog journal.
    pub journal: JournalConfig,
    /// A newer process takes the place of the one that runs.
    pub handover: HandoverConfig,
    /// Limits of the whole process.
    pub limits: LimitsConfig,
    /// Strangers, scanners and floods.
    pub guard: GuardConfig,
    /// Toll fraud.
    pub toll: TollConfig,
    /// SIP for a HEP collector.
    pub hep: HepConfig,
    /// Calls as traces for a collector.
    pub opentelemetry: OpenTelemetryConfig,
    /// Calls between Alexa devices and phones.
    pub gateway: GatewayConfig,
    /// Where this configuration was read from.
    #[serde(skip)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub origin: Origin,
}

/// The file a configuration came from; empty for one made in code.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The file, as it was named.
    pub file: PathBuf,
    /// Its text, for line and column in findings.
    pub text: String,
}

impl Origin {
    /// The folder that relative paths start from.
    pub fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new(""))
    }
}

/// A configuration that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is missing or unreadable.
    #[error("{}: {error}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The text is no valid configuration.
    #[error("{0}")]
    Invalid(Finding),
    /// It can be read, and must not be started.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Refused(Vec<Finding>),
}

impl SidecarConfig {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError`] with file, line, column and remedy.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|error| ConfigError::Unreadable {
            file: file.to_owned(),
            error,
        })?;
        Self::parse(&text, file)
    }

    /// Reads a text that stands for the file `file` (which need not exist).
    ///
    /// # Errors
    /// [`ConfigError::Invalid`]: no TOML, an unknown key, a wrong type, or a literal secret.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        let origin = Origin {
            file: file.to_owned(),
            text: text.to_owned(),
        };
        if let Some(finding) = text::literal_secret(&origin) {
            return Err(ConfigError::Invalid(finding));
        }
        match toml::from_str::<Self>(text) {
            Ok(config) => Ok(Self { origin, ..config }),
            Err(error) => Err(ConfigError::Invalid(text::syntax(&origin, &error))),
        }
    }

    /// A path of the configuration, seen from the file's folder.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.origin.folder().join(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
[sip]
listen = ["udp:127.0.0.1:0", "tcp:[::1]:0"]
sources = ["10.0.0.0/8", "127.0.0.1"]
skills = ["amzn1.application-oa2-client.00000000000000000000000000000000"]
unlisted-source = "drop"

[rtp]
ports = "41000-41019"

[control]
listen = "127.0.0.1:0"
token-file = "secrets/control.token"

[[application]]
id = "c3b8a6f0-0000-4000-8000-000000000001"
handler = "http://127.0.0.1:3000/media/events"
numbers = ["+16075550199"]
keys-file = "secrets/sidecar.key"

[[route]]
prefix = "+1607"
uri = "sip:{number}@127.0.0.1:5070"

[buckets]
prompts = "prompts"
"#;

    #[test]
    fn whole_file() {
        let config = SidecarConfig::parse(WHOLE, Path::new("/etc/skillcall/sidecar.toml")).unwrap();
        assert_eq!(config.sip.listen.len(), 2);
        assert_eq!(config.sip.unlisted_source, UnlistedSource::Drop);
        assert_eq!(config.rtp.ports.pairs(), 10);
        assert_eq!(config.application[0].numbers, ["+16075550199"]);
        assert_eq!(
            match &config.buckets["prompts"] {
                BucketConfig::Folder(folder) => config.resolve(folder),
                other => panic!("{other:?}"),
            },
            Path::new("/etc/skillcall/prompts")
        );
    }

    #[test]
    fn empty_file_is_all_defaults() {
        let config = SidecarConfig::parse("", Path::new("sidecar.toml")).unwrap();
        assert!(
            config
                .sip
                .listen
                .iter()
                .all(|l| l.address.ip().is_loopback())
        );
        assert!(config.sip.allows("127.0.0.1".parse().unwrap()));
        assert!(config.sip.allows("::1".parse().unwrap()));
        assert!(!config.sip.allows("192.0.2.1".parse().unwrap()));
    }

    #[test]
    fn errors_name_line_and_column() {
        let cases = [
            ("[sip]\nlisten = [\"sctp:127.0.0.1:5060\"]\n", 2, "udp:"),
            ("[sip]\nlissten = []\n", 2, "lissten"),
            ("[rtp]\nports = \"40001-40000\"\n", 2, "port"),
            ("[control]\ntoken = \"abc\"\n", 2, "token-file"),
            ("[[application]]\nid = \"a\"\nhandler = 5\n", 3, "string"),
            ("[sip\n", 1, ""),
        ];
        for (text, line, word) in cases {
            let Err(ConfigError::Invalid(finding)) =
                SidecarConfig::parse(text, Path::new("sidecar.toml"))
            else {
                panic!("accepted: {text}");
            };
            assert_eq!(finding.line, line, "{text}: {finding}");
            assert!(finding.column >= 1);
            assert!(finding.to_string().contains(word), "{text}: {finding}");
            assert!(
                finding.to_string().starts_with("sidecar.toml:"),
                "{finding}"
            );
        }
    }
}
