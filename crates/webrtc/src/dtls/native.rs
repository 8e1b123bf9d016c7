//! DTLS 1.2 by `dimpl`, which is Rust throughout and without I/O.

use std::{sync::Arc, time::Duration, time::Instant};

use dimpl::{Config, Dtls, DtlsCertificate, Output, SrtpProfile};
use skillcall_media::srtp::Suite;

use super::{Association, Backend, DtlsError, Keys, Role, Step, certificate};
use crate::identity::IdentityError;

/// The first time-out of a flight; each repeat doubles it. Our choice: RFC 6347 §4.2.4.1 says a second, and lets
/// time-sensitive applications say less.
const FIRST_TIMEOUT: Duration = Duration::from_millis(200);
/// How often a flight is repeated.
const REPEATS: usize = 8;
/// When a handshake has failed.
const GIVE_UP: Duration = Duration::from_secs(30);
/// Room for a flight's datagram: more than its bound of 1150 bytes.
const ROOM: usize = 2_048;

/// An ECDSA P-256 certificate for DTLS 1.2. Peers that have RSA certificates are not understood.
#[derive(Debug)]
pub struct Native {
    certificate: DtlsCertificate,
    config: Arc<Config>,
}

impl Native {
    /// Makes a new key and a certificate signed with it.
    ///
    /// # Errors
    /// There is no randomness, or the library refuses its configuration.
    pub fn generate() -> Result<Self, IdentityError> {
        let made = certificate::ecdsa()?;
        let config = Config::builder()
            // ICE has checked the peer's address: a cookie would cost a round trip and prove nothing more.
            .use_server_cookie(false)
            .flight_start_rto(FIRST_TIMEOUT)
            .flight_retries(REPEATS)
            .handshake_timeout(GIVE_UP)
            .build()
            .map_err(|error| IdentityError::Dtls(error.to_string()))?;
        Ok(Self {
            certificate: DtlsCertificate {
                certificate: made.certificate,
                private_key: made.key,
            },
            config: Arc::new(config),
        })
    }
}

impl Backend for Native {
    fn certificate(&self) -> &[u8] {
        &self.certificate.certificate
    }

    fn start(&self, role: Role, now: Instant) -> Box<dyn Association> {
        let mut dtls = Dtls::new_12(Arc::clone(&self.config), self.certificate.clone(), now);
        dtls.set_active(role == Role::Client);
        Box::new(NativeAssociation {
            dtls,
            buffer: vec![0; ROOM],
            over: false,
        })
    }
}

struct NativeAssociation {
    dtls: Dtls,
    buffer: Vec<u8>,
    /// After an error the library is not to be asked again.
    over: bool,
}

impl std::fmt::Debug for NativeAssociation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NativeAssociation(over: {})", self.over)
    }
}

impl NativeAssociation {
    fn ask(
        &mut self,
        what: impl FnOnce(&mut Dtls) -> Result<(), dimpl::Error>,
    ) -> Result<(), DtlsError> {
        if self.over {
            return Err(DtlsError("the association is over".to_owned()));
        }
        what(&mut self.dtls).map_err(|error| {
            self.over = true;
            DtlsError(error.to_string())
        })
    }
}

impl Association for NativeAssociation {
    fn receive(&mut self, now: Instant, datagram: &[u8]) -> Result<(), DtlsError> {
        self.ask(|dtls| {
            dtls.handle_timeout(now)?;
            dtls.handle_packet(datagram)
        })
    }

    fn advance(&mut self, now: Instant) -> Result<(), DtlsError> {
        self.ask(|dtls| dtls.handle_timeout(now))
    }

    fn poll(&mut self) -> Step {
        if self.over {
            return Step::Wait(None);
        }
        loop {
            match self.dtls.poll_output(&mut self.buffer) {
                Output::Packet(datagram) => return Step::Transmit(datagram.to_vec()),
                Output::PeerCert(certificate) => return Step::Certificate(certificate.to_vec()),
                Output::KeyingMaterial(material, profile) => {
                    if let Some(keys) =
                        suite(profile).and_then(|suite| Keys::from_exported(suite, &material))
                    {
                        return Step::Keys(keys);
                    }
                }
                Output::Connected => return Step::Connected,
                Output::CloseNotify => return Step::Closed,
                Output::Timeout(at) => return Step::Wait(Some(at)),
                Output::BufferTooSmall { needed } => {
                    if needed <= self.buffer.len() {
                        return Step::Wait(None);
                    }
                    self.buffer.resize(needed, 0);
                }
                // Nobody asked for data.
                _ => {}
            }
        }
    }

    fn close(&mut self) {
        let _ = self.ask(Dtls::close);
    }
}

fn suite(profile: SrtpProfile) -> Option<Suite> {
    match profile {
        SrtpProfile::AES128_CM_SHA1_80 => Some(Suite::AesCm128Sha1_80),
        SrtpProfile::AEAD_AES_128_GCM => Some(Suite::AeadAes128Gcm),
        SrtpProfile::AEAD_AES_256_GCM => Some(Suite::AeadAes256Gcm),
        _ => None,
    }
}
