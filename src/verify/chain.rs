//! The certificate chain: from PEM to the key of a leaf that may sign for Alexa (facts B).

use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_cert::Certificate;
use x509_cert::der::Decode;

use super::algorithm::{IN_CHAINS, prepared};

/// The name that the leaf must hold among its subject alternative names.
const NAME: &str = "echo-api.amazon.com";
/// Amazon's chains have four certificates; more than this is no chain.
const MAX_CERTIFICATES: usize = 10;

/// The key of a verified chain.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SigningKey {
    /// The RSA key: modulus and exponent, as PKCS #1 DER (RFC 8017 A.1.1).
    pub pkcs1: Vec<u8>,
    /// The same, prepared for [`skillcall_rsa2048`]; none for a key that is not of 2048 bits and exponent 65537.
    pub prepared: Option<Vec<u8>>,
    /// Valid from, in Unix seconds.
    pub not_before: u64,
    /// Valid to and with, in Unix seconds.
    pub not_after: u64,
}

impl SigningKey {
    /// Whether the certificate of the key is valid now.
    #[must_use]
    pub fn is_valid_at(&self, unix_seconds: u64) -> bool {
        (self.not_before..=self.not_after).contains(&unix_seconds)
    }
}

/// Why a chain is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// No PEM, or a broken certificate in it.
    #[error(
        "certificate {0} of the chain cannot be read; expected PEM certificates, the leaf first"
    )]
    Form(usize),
    /// Too many, or none.
    #[error("the chain has {0} certificates; expected 1 to {MAX_CERTIFICATES}")]
    Length(usize),
    /// The leaf's time.
    #[error("the leaf certificate is not valid now")]
    Time,
    /// The leaf's name.
    #[error("the leaf certificate is not for {NAME}")]
    Name,
    /// No way to a root.
    #[error("the chain does not lead to a trusted root: {0}")]
    Untrusted(String),
    /// The key.
    #[error("the leaf certificate has no RSA key")]
    Key,
    /// The setting.
    #[error("alexa_roots holds no certificate that can be read; expected PEM")]
    Roots,
}

/// Verifies a chain in PEM and gives the leaf's key. `roots` are PEM that replaces the compiled-in roots.
///
/// # Errors
/// The first rule that the chain breaks.
pub fn verify(pem: &[u8], roots: Option<&str>, now_s: u64) -> Result<SigningKey, ChainError> {
    let certificates = read(pem)?;
    let Some((leaf, intermediates)) = certificates.split_first() else {
        return Err(ChainError::Length(0));
    };
    let key = leaf_key(leaf)?;
    if !key.is_valid_at(now_s) {
        return Err(ChainError::Time);
    }
    let end_entity = EndEntityCert::try_from(leaf).map_err(|_| ChainError::Form(1))?;
    let name = ServerName::try_from(NAME).map_err(|_| ChainError::Name)?;
    end_entity
        .verify_is_valid_for_subject_name(&name)
        .map_err(|_| ChainError::Name)?;
    let time = UnixTime::since_unix_epoch(Duration::from_secs(now_s));
    let verified = |anchors: &[TrustAnchor<'_>]| {
        end_entity
            .verify_for_usage(
                IN_CHAINS,
                anchors,
                intermediates,
                time,
                KeyUsage::server_auth(),
                None,
                None,
            )
            .map(|_| ())
            .map_err(|error| ChainError::Untrusted(error.to_string()))
    };
    match roots {
        None => verified(webpki_roots::TLS_SERVER_ROOTS)?,
        Some(pem) => {
            let roots = read(pem.as_bytes()).map_err(|_| ChainError::Roots)?;
            let anchors: Vec<_> = roots
                .iter()
                .map(anchor_from_trusted_cert)
                .collect::<Result<_, _>>()
                .map_err(|_| ChainError::Roots)?;
            if anchors.is_empty() {
                return Err(ChainError::Roots);
            }
            verified(&anchors)?;
        }
    }
    Ok(key)
}

fn read(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ChainError> {
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        if certificates.len() == MAX_CERTIFICATES {
            return Err(ChainError::Length(certificates.len() + 1));
        }
        certificates.push(certificate.map_err(|_| ChainError::Form(certificates.len() + 1))?);
    }
    Ok(certificates)
}

fn leaf_key(leaf: &CertificateDer<'_>) -> Result<SigningKey, ChainError> {
    let certificate = Certificate::from_der(leaf.as_ref()).map_err(|_| ChainError::Form(1))?;
    let certificate = certificate.tbs_certificate();
    let key = certificate.subject_public_key_info();
    // RFC 8017 A.1: rsaEncryption.
    if key.algorithm.oid.to_string() != "1.2.840.113549.1.1.1" {
        return Err(ChainError::Key);
    }
    let validity = certificate.validity();
    let pkcs1 = key.subject_public_key.as_bytes().ok_or(ChainError::Key)?;
    Ok(SigningKey {
        pkcs1: pkcs1.to_vec(),
        prepared: prepared(pkcs1),
        not_before: validity.not_before.to_unix_duration().as_secs(),
        not_after: validity.not_after.to_unix_duration().as_secs(),
    })
}
