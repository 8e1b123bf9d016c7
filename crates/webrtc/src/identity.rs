//! The certificate by which we are known in DTLS: one for all calls of a process.

use std::sync::Arc;

use thiserror::Error;

use crate::{
    dtls::{Backend, Native},
    fingerprint::Fingerprint,
};

/// A certificate with its key, and the DTLS implementation that uses them. Cheap to copy.
#[derive(Clone, Debug)]
pub struct Identity {
    backend: Arc<dyn Backend>,
    fingerprint: Fingerprint,
}

/// Why there is no certificate.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// The key or the certificate could not be made.
    #[error("no certificate for DTLS could be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The DTLS implementation refuses its configuration.
    #[error("DTLS cannot be configured: {0}")]
    Dtls(String),
}

impl Identity {
    /// A new self-signed ECDSA P-256 certificate, for peers with ECDSA certificates.
    ///
    /// # Errors
    /// There is no randomness, or the libraries refuse what they made.
    pub fn generate() -> Result<Self, IdentityError> {
        Ok(Self::with_backend(Arc::new(Native::generate()?)))
    }

    /// The certificate of another DTLS implementation.
    pub fn with_backend(backend: Arc<dyn Backend>) -> Self {
        let fingerprint = Fingerprint::of(backend.certificate());
        Self {
            backend,
            fingerprint,
        }
    }

    /// What descriptions say of the certificate.
    pub const fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    pub(crate) fn backend(&self) -> &dyn Backend {
        self.backend.as_ref()
    }
}
