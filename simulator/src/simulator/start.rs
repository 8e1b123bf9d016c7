//! What has to be there before a skill can be spoken to.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use skillcall_protocol::manifest::{CALLING_PERMISSION, Manifest, ManifestError, Permission};
use skillcall_protocol::trace::Party;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::alexa::{Alexa, AlexaParts, Limits};
use crate::authority::{Authority, AuthorityError};
use crate::browser::{Browsers, OrBrowser};
use crate::config::{ConfigError, DeviceMedia, SimulatorConfig};
use crate::control::{self, Control};
use crate::device::Devices;
use crate::echo::{Echo, EchoError, EchoHabits, Echos};
use crate::line::{CallBook, Line, LineError, LineStart, Side};
use crate::login::Login;
use crate::model::{Model, ModelError};
use crate::phone::Phone;
use crate::service;
use crate::signaling::Book;
use crate::signaling::endpoint::{Endpoint, Scripted};
use crate::skill::{Exchanges, SkillClient};
use crate::trace::{Trace, TraceError};

use super::Simulator;

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
