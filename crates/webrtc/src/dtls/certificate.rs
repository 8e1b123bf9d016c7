//! The certificate that a process makes for itself.

use crate::identity::IdentityError;

/// A self-signed certificate and its key, both in DER (PKCS #8).
pub(super) struct Certificate {
    pub(super) certificate: Vec<u8>,
    pub(super) key: Vec<u8>,
}

/// A new ECDSA P-256 key and a certificate signed with it.
pub(super) fn ecdsa() -> Result<Certificate, IdentityError> {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let mut params = rcgen::CertificateParams::new(Vec::<String>::new())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    // WebRTC's certificates name nobody: browsers write "WebRTC" (RFC 8827 §6.5).
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "WebRTC");
    let certificate = params.self_signed(&key)?;
    Ok(Certificate {
        certificate: certificate.der().to_vec(),
        key: key.serialize_der(),
    })
}
