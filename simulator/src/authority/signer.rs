//! The headers that prove a request to come from Alexa (facts B).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::AuthorityError;
use super::keys::SecretKey;

/// The three headers of a signed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureHeaders {
    /// `SignatureCertChainUrl`.
    pub chain_url: String,
    /// `Signature-256`: base64 of RSA-SHA256 over the raw body.
    pub signature_256: String,
    /// `Signature`: base64 of RSA-SHA1 over the raw body. Amazon still sends it; no rule relies on it any more.
    pub signature: String,
}

impl SignatureHeaders {
    /// Header names and values, in Alexa's spelling.
    pub fn pairs(&self) -> [(&'static str, &str); 3] {
        [
            ("SignatureCertChainUrl", &self.chain_url),
            ("Signature-256", &self.signature_256),
            ("Signature", &self.signature),
        ]
    }
}

pub(super) fn sign(
    key: &SecretKey,
    chain_url: String,
    body: &[u8],
) -> Result<SignatureHeaders, AuthorityError> {
    Ok(SignatureHeaders {
        chain_url,
        signature_256: STANDARD.encode(key.sign_sha256(body)?),
        signature: STANDARD.encode(key.sign_sha1(body)?),
    })
}
