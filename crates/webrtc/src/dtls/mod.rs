//! DTLS with the keys of SRTP (RFC 5764), behind a trait: an implementation takes datagrams and times, and gives
//! datagrams, the peer's certificate and the keys.
//!
//! [`Native`] is Rust throughout, and knows peers with ECDSA certificates only. `OpenSsl`, of the feature `openssl`, is the system's
//! OpenSSL, and knows peers with RSA certificates too.

mod certificate;
mod keys;
mod native;
#[cfg(feature = "openssl")]
mod openssl;

use std::{fmt::Debug, time::Instant};

use thiserror::Error;

pub use keys::{Keys, MasterKey};
pub use native::Native;
#[cfg(feature = "openssl")]
pub use openssl::OpenSsl;

/// Who begins the handshake (RFC 5763 §5, RFC 8842 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Sends the ClientHello: `a=setup:active`.
    Client,
    /// Waits for it: `a=setup:passive`.
    Server,
}

impl Role {
    /// The peer's role.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// Why an association cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("DTLS failed: {0}")]
pub struct DtlsError(pub String);

/// What an association wants next.
#[derive(Debug)]
pub enum Step {
    /// A datagram for the peer.
    Transmit(Vec<u8>),
    /// The peer's certificate in DER. It comes before [`Step::Keys`], and its fingerprint is not checked yet.
    Certificate(Vec<u8>),
    /// The keys of SRTP.
    Keys(Keys),
    /// The handshake is over.
    Connected,
    /// The peer has said that it goes.
    Closed,
    /// Nothing more now; [`Association::advance`] is due then.
    Wait(Option<Instant>),
}

/// One DTLS association.
pub trait Association: Debug + Send {
    /// Takes a datagram of the peer.
    ///
    /// # Errors
    /// The association is over.
    fn receive(&mut self, now: Instant, datagram: &[u8]) -> Result<(), DtlsError>;

    /// Lets the time pass.
    ///
    /// # Errors
    /// The association is over: the peer did not answer.
    fn advance(&mut self, now: Instant) -> Result<(), DtlsError>;

    /// What comes next; to be called until it is [`Step::Wait`].
    fn poll(&mut self) -> Step;

    /// Takes leave of the peer; [`Association::poll`] gives the datagram.
    fn close(&mut self);
}

/// A DTLS implementation with its certificate.
pub trait Backend: Debug + Send + Sync {
    /// The certificate in DER.
    fn certificate(&self) -> &[u8];

    /// Begins an association.
    fn start(&self, role: Role, now: Instant) -> Box<dyn Association>;
}
