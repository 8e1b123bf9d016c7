//! TLS for SIP: our certificate, whom we trust, and who a peer's certificate says it is (RFC 5922).

mod identity;
mod verify;

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

use crate::config::{SecretError, SidecarConfig, read_secret_file};
pub(crate) use identity::{identities, proves};
use verify::PeerVerifier;

/// Certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing, or holds no PEM of its kind.
    #[error("{}: {error}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        error: rustls::pki_types::pem::Error,
    },
    /// The key's file is unusable.
    #[error(transparent)]
    Key(#[from] SecretError),
    /// Certificate and key do not fit, or a certificate is malformed.
    #[error("{what}: {error}")]
    Certificate {
        /// Which one.
        what: &'static str,
        /// What is wrong with it.
        error: String,
    },
}

/// The certificates of one state of the configuration.
pub(crate) struct TlsSetup {
    server: Option<Arc<ServerConfig>>,
    client: ClientConfig,
    verifier: PeerVerifier,
}

impl TlsSetup {
    /// Reads the files that `[tls]` names.
    ///
    /// # Errors
    /// [`TlsError`]: which file, and what is wrong with it.
    pub(crate) fn read(config: &SidecarConfig) -> Result<Self, TlsError> {
        let tls = &config.tls;
        let provider = Arc::new(ring::default_provider());
        let own = match (&tls.certificate, &tls.key_file) {
            (Some(chain), Some(key)) => {
                let text = read_secret_file(&config.resolve(key))?;
                let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| {
                    TlsError::File {
                        file: config.resolve(key),
                        error,
                    }
                })?;
                Some((certificates(&config.resolve(chain))?, key))
            }
            _ => None,
        };
        let clients = match &tls.clients {
            Some(file) => Some(roots(&config.resolve(file))?),
            None => None,
        };
        let server = match &own {
            Some((chain, key)) => Some(Arc::new(server_config(
                &provider,
                clients,
                tls.require_client_certificate,
                chain.clone(),
                key.clone_key(),
            )?)),
            None => None,
        };
        let trusted = match &tls.trusted {
            Some(file) => roots(&config.resolve(file))?,
            None => {
                let mut store = RootCertStore::empty();
                store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                store
            }
        };
        let verifier = PeerVerifier::new(Arc::new(trusted), &provider);
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(wrong("TLS versions"))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier.clone()));
        let client = match own {
            Some((chain, key)) => builder
                .with_client_auth_cert(chain, key)
                .map_err(wrong("[tls] certificate"))?,
            None => builder.with_no_client_auth(),
        };
        Ok(Self {
            server,
            client,
            verifier,
        })
    }

    /// The server's side of a connection; `None` without a certificate.
    pub(crate) fn accept(&self) -> Option<rustls::Connection> {
        let config = Arc::clone(self.server.as_ref()?);
        ServerConnection::new(config).ok().map(Into::into)
    }

    /// The client's side of a connection to a peer that has to prove that it is `name`; `host` is what SNI tells it.
    pub(crate) fn connect(&self, host: &str, name: &str) -> Option<rustls::Connection> {
        self.connect_by(self.verifier.expecting(name), host)
    }

    /// The client's side of a connection to a peer that is no SIP server and has to prove that it is `host` (RFC 9525).
    pub(crate) fn connect_host(&self, host: &str) -> Option<rustls::Connection> {
        self.connect_by(self.verifier.as_host(), host)
    }

    fn connect_by(&self, verifier: PeerVerifier, host: &str) -> Option<rustls::Connection> {
        let mut config = self.client.clone();
        config
            .dangerous()
            .set_certificate_verifier(Arc::new(verifier));
        let host = ServerName::try_from(host.to_owned()).ok()?;
        ClientConnection::new(Arc::new(config), host)
            .ok()
            .map(Into::into)
    }
}

fn server_config(
    provider: &Arc<CryptoProvider>,
    clients: Option<RootCertStore>,
    required: bool,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, TlsError> {
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(wrong("TLS versions"))?;
    let builder = match clients {
        Some(roots) => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
            let verifier = if required {
                verifier
            } else {
                verifier.allow_unauthenticated()
            };
            let verifier = verifier.build().map_err(|error| TlsError::Certificate {
                what: "[tls] clients",
                error: error.to_string(),
            })?;
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    builder
        .with_single_cert(chain, key)
        .map_err(wrong("[tls] certificate"))
}

fn wrong(what: &'static str) -> impl FnOnce(rustls::Error) -> TlsError {
    move |error| TlsError::Certificate {
        what,
        error: error.to_string(),
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fail = |error| TlsError::File {
        file: file.to_owned(),
        error,
    };
    CertificateDer::pem_file_iter(file)
        .map_err(fail)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(fail)
}

fn roots(file: &Path) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(file)? {
        store.add(certificate).map_err(wrong("a root"))?;
    }
    Ok(store)
}

/// The certificates of now; a reload replaces them whole, and new connections take the new ones.
#[derive(Clone)]
pub(crate) struct Tls(Arc<RwLock<Arc<TlsSetup>>>);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    pub(crate) fn new(setup: TlsSetup) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(setup))))
    }

    /// The setup of this moment.
    pub(crate) fn now(&self) -> Arc<TlsSetup> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another one in its place.
    pub(crate) fn replace(&self, setup: TlsSetup) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(setup);
    }
}
