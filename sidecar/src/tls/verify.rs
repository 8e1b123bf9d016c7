//! The check of a called peer's certificate: a chain to a root that is trusted, and the name that was expected.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::identity::{identities, matches};

/// Checks as RFC 5922 §7 wants it, which differs from what browsers do: `sip:` URIs count, wildcards do not.
#[derive(Debug, Clone)]
pub(super) struct PeerVerifier {
    roots: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
    expected: Arc<str>,
    /// Names count as browsers count them, wildcards too (RFC 9525): the peer is no SIP server.
    as_host: bool,
}

impl PeerVerifier {
    pub(super) fn new(roots: Arc<RootCertStore>, provider: &CryptoProvider) -> Self {
        Self {
            roots,
            algorithms: provider.signature_verification_algorithms,
            expected: "".into(),
            as_host: false,
        }
    }

    /// The same for a peer that has to be `name`: a domain or an IP address.
    pub(super) fn expecting(&self, name: &str) -> Self {
        Self {
            expected: name.into(),
            ..self.clone()
        }
    }

    /// The same for a peer that is no SIP server: its name is the one that it is called by.
    pub(super) fn as_host(&self) -> Self {
        Self {
            as_host: true,
            ..self.clone()
        }
    }
}

impl ServerCertVerifier for PeerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(
            &parsed,
            &self.roots,
            intermediates,
            now,
            self.algorithms.all,
        )?;
        match ServerName::try_from(&*self.expected) {
            _ if self.as_host => verify_server_name(&parsed, server_name)?,
            // A peer that is called by its address has it among the certificate's.
            Ok(address @ ServerName::IpAddress(_)) => verify_server_name(&parsed, &address)?,
            _ if matches(&identities(end_entity), &self.expected) => {}
            _ => return Err(CertificateError::NotValidForName.into()),
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
