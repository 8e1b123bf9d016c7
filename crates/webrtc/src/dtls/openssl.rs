//! DTLS 1.2 by the system's OpenSSL: for peers with RSA certificates as well.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    time::{Duration, Instant},
};

use openssl::{
    asn1::Asn1Time,
    bn::{BigNum, MsbOption},
    error::ErrorStack,
    hash::MessageDigest,
    pkey::{PKey, Private},
    rsa::Rsa,
    srtp::SrtpProfileId,
    ssl::{
        ErrorCode, Ssl, SslContext, SslMethod, SslOptions, SslSessionCacheMode, SslStream,
        SslVerifyMode, SslVersion,
    },
    x509::{X509, X509NameBuilder},
};
use skillcall_media::srtp::Suite;

use super::{Association, Backend, DtlsError, Keys, Role, Step, certificate};
use crate::identity::IdentityError;

/// The largest datagram of a handshake: what every path carries (RFC 8899 §5.1.2), less IPv6 and UDP headers and TURN's.
const MTU: u32 = 1_150;
/// How often the library is asked whether a flight is to be repeated. It repeats after 1 s, 2 s, 4 s (RFC 6347 §4.2.4.1).
const LOOK: Duration = Duration::from_millis(100);
/// When a handshake has failed.
const GIVE_UP: Duration = Duration::from_secs(30);
/// Datagrams of the peer that wait within a handshake; a flight has a few.
const MOST_WAITING: usize = 32;
/// Forward secrecy and authenticated encryption alone (RFC 8827 §6.5 wants the first), and the one of RFC 8827 §6.5 without.
const CIPHERS: &str = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:\
    ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:\
    ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:\
    ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA";
const PROFILES: &str = "SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80";
/// The label of the keys (RFC 5764 §4.2).
const LABEL: &str = "EXTRACTOR-dtls_srtp";

/// A certificate for DTLS 1.2 with peers whose certificates are of any kind.
pub struct OpenSsl {
    certificate: Vec<u8>,
    context: SslContext,
}

impl std::fmt::Debug for OpenSsl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OpenSsl")
    }
}

fn refused(error: ErrorStack) -> IdentityError {
    IdentityError::Dtls(error.to_string())
}

impl OpenSsl {
    /// Makes a new ECDSA P-256 key and a certificate signed with it.
    ///
    /// # Errors
    /// There is no randomness, or the library refuses its configuration.
    pub fn generate() -> Result<Self, IdentityError> {
        let made = certificate::ecdsa()?;
        let key = PKey::private_key_from_pkcs8(&made.key).map_err(refused)?;
        let certificate = X509::from_der(&made.certificate).map_err(refused)?;
        Self::with(certificate, &key).map_err(refused)
    }

    /// Makes a new RSA key of 2048 bits and a certificate signed with it: how old browsers and devices are known.
    ///
    /// # Errors
    /// There is no randomness, or the library refuses its configuration.
    pub fn generate_rsa() -> Result<Self, IdentityError> {
        let make = || {
            let key = PKey::from_rsa(Rsa::generate(2_048)?)?;
            let mut name = X509NameBuilder::new()?;
            name.append_entry_by_text("CN", "WebRTC")?;
            let name = name.build();
            let mut serial = BigNum::new()?;
            serial.rand(64, MsbOption::MAYBE_ZERO, false)?;
            let mut certificate = X509::builder()?;
            certificate.set_version(2)?;
            certificate.set_serial_number(serial.to_asn1_integer()?.as_ref())?;
            certificate.set_subject_name(&name)?;
            certificate.set_issuer_name(&name)?;
            certificate.set_not_before(Asn1Time::days_from_now(0)?.as_ref())?;
            certificate.set_not_after(Asn1Time::days_from_now(30)?.as_ref())?;
            certificate.set_pubkey(&key)?;
            certificate.sign(&key, MessageDigest::sha256())?;
            Self::with(certificate.build(), &key)
        };
        make().map_err(refused)
    }

    fn with(certificate: X509, key: &PKey<Private>) -> Result<Self, ErrorStack> {
        let der = certificate.to_der()?;
        let mut context = SslContext::builder(SslMethod::dtls())?;
        context.set_min_proto_version(Some(SslVersion::DTLS1_2))?;
        context.set_cipher_list(CIPHERS)?;
        context.set_tlsext_use_srtp(PROFILES)?;
        context.set_certificate(&certificate)?;
        context.set_private_key(key)?;
        context.check_private_key()?;
        // There is no authority: the description's fingerprint decides, once the certificate is here (RFC 5763 §5).
        context.set_verify_callback(
            SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT,
            |_, _| true,
        );
        context.set_session_cache_mode(SslSessionCacheMode::OFF);
        context.set_options(
            SslOptions::NO_TICKET | SslOptions::NO_RENEGOTIATION | SslOptions::NO_QUERY_MTU,
        );
        Ok(Self {
            certificate: der,
            context: context.build(),
        })
    }
}

impl Backend for OpenSsl {
    fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    fn start(&self, role: Role, now: Instant) -> Box<dyn Association> {
        let stream = Ssl::new(&self.context).and_then(|mut ssl| {
            ssl.set_mtu(MTU)?;
            SslStream::new(ssl, Datagrams::default())
        });
        let (stream, failed) = match stream {
            Ok(stream) => (Some(stream), None),
            Err(error) => (None, Some(DtlsError(error.to_string()))),
        };
        Box::new(OpenSslAssociation {
            stream,
            failed,
            role,
            connected: false,
            steps: VecDeque::new(),
            due: Some(now),
            give_up: now + GIVE_UP,
        })
    }
}

/// The library's two ends: a read gives one datagram, a write is one.
#[derive(Debug, Default)]
struct Datagrams {
    incoming: VecDeque<Vec<u8>>,
    outgoing: VecDeque<Vec<u8>>,
}

impl Read for Datagrams {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let datagram = self.incoming.pop_front();
        let datagram = datagram.ok_or(io::ErrorKind::WouldBlock)?;
        let len = datagram.len().min(room.len());
        if let (Some(room), Some(datagram)) = (room.get_mut(..len), datagram.get(..len)) {
            room.copy_from_slice(datagram);
        }
        Ok(len)
    }
}

impl Write for Datagrams {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        self.outgoing.push_back(datagram.to_vec());
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
struct OpenSslAssociation {
    /// None when it could not begin, or is over.
    stream: Option<SslStream<Datagrams>>,
    failed: Option<DtlsError>,
    role: Role,
    connected: bool,
    steps: VecDeque<Step>,
    due: Option<Instant>,
    give_up: Instant,
}

impl OpenSslAssociation {
    fn fail(&mut self, why: impl Into<String>) -> DtlsError {
        let error = DtlsError(why.into());
        // What the library still has to say, an alert, goes out first.
        if let Some(stream) = &mut self.stream {
            let last = stream.get_mut().outgoing.drain(..).map(Step::Transmit);
            self.steps.extend(last);
        }
        self.stream = None;
        self.failed = Some(error.clone());
        self.due = None;
        error
    }

    /// Lets the library go on with what has come and what time it is.
    fn drive(&mut self, now: Instant) -> Result<(), DtlsError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let Some(stream) = &mut self.stream else {
            return Ok(());
        };
        if self.connected {
            return self.read();
        }
        let done = match self.role {
            Role::Client => stream.connect(),
            Role::Server => stream.accept(),
        };
        match done {
            Ok(()) => self.finish(),
            Err(error) if is_waiting(error.code()) => {
                if now >= self.give_up {
                    return Err(self.fail("the peer does not answer"));
                }
                self.due = Some(now + LOOK);
                Ok(())
            }
            Err(error) => {
                let why = error.to_string();
                Err(self.fail(why))
            }
        }
    }

    /// The handshake is over: tells who the peer is, and the keys.
    fn finish(&mut self) -> Result<(), DtlsError> {
        let Some(stream) = &self.stream else {
            return Ok(());
        };
        let ssl = stream.ssl();
        let certificate = ssl
            .peer_certificate()
            .and_then(|certificate| certificate.to_der().ok());
        let suite = ssl
            .selected_srtp_profile()
            .and_then(|profile| suite(profile.id()));
        let keys = suite.and_then(|suite| {
            let mut material = vec![0; 2 * (suite.key_len() + suite.salt_len())];
            ssl.export_keying_material(&mut material, LABEL, None)
                .ok()?;
            Keys::from_exported(suite, &material)
        });
        let Some(certificate) = certificate else {
            return Err(self.fail("the peer has no certificate"));
        };
        let Some(keys) = keys else {
            return Err(self.fail("the peer has no profile of SRTP in common with us"));
        };
        self.connected = true;
        self.due = None;
        self.steps.extend([
            Step::Certificate(certificate),
            Step::Keys(keys),
            Step::Connected,
        ]);
        self.read()
    }

    /// Reads what is for the association itself: a repeated flight, a farewell. Nobody asked for data.
    fn read(&mut self) -> Result<(), DtlsError> {
        let mut room = [0; 2_048];
        while let Some(stream) = &mut self.stream {
            match stream.ssl_read(&mut room) {
                Ok(_) => {}
                Err(error) if error.code() == ErrorCode::ZERO_RETURN => {
                    self.steps.push_back(Step::Closed);
                    return Ok(());
                }
                Err(error) if is_waiting(error.code()) => return Ok(()),
                Err(error) => {
                    let why = error.to_string();
                    return Err(self.fail(why));
                }
            }
        }
        Ok(())
    }
}

fn is_waiting(code: ErrorCode) -> bool {
    code == ErrorCode::WANT_READ || code == ErrorCode::WANT_WRITE
}

impl Association for OpenSslAssociation {
    fn receive(&mut self, now: Instant, datagram: &[u8]) -> Result<(), DtlsError> {
        if let Some(stream) = &mut self.stream {
            let incoming = &mut stream.get_mut().incoming;
            if incoming.len() < MOST_WAITING {
                incoming.push_back(datagram.to_vec());
            }
        }
        self.drive(now)
    }

    fn advance(&mut self, now: Instant) -> Result<(), DtlsError> {
        if self.connected {
            return Ok(());
        }
        self.drive(now)
    }

    fn poll(&mut self) -> Step {
        let next = self
            .stream
            .as_mut()
            .and_then(|stream| stream.get_mut().outgoing.pop_front());
        match next {
            Some(datagram) => Step::Transmit(datagram),
            None => self.steps.pop_front().unwrap_or(Step::Wait(self.due)),
        }
    }

    fn close(&mut self) {
        if let Some(stream) = &mut self.stream {
            // Whether the peer says so too is no matter.
            let _ = stream.shutdown();
        }
    }
}

fn suite(id: SrtpProfileId) -> Option<Suite> {
    match id {
        SrtpProfileId::SRTP_AES128_CM_SHA1_80 => Some(Suite::AesCm128Sha1_80),
        SrtpProfileId::SRTP_AEAD_AES_128_GCM => Some(Suite::AeadAes128Gcm),
        SrtpProfileId::SRTP_AEAD_AES_256_GCM => Some(Suite::AeadAes256Gcm),
        _ => None,
    }
}
