//! Digest authentication, as client and as server (RFC 7616, RFC 8760, RFC 3261 §22).
//!
//! The client's side is a [`Wallet`] of credentials; the endpoint answers 401 and 407 with it by itself. The server's
//! side is an [`Authenticator`]: it makes challenges and judges requests; whether a request needs one is the
//! application's decision. Both know MD5, SHA-256 and SHA-512-256, each with `auth` and `auth-int`.

mod algorithm;
mod challenge;
mod client;
mod credentials;
mod nonce;
mod params;
mod server;

pub use algorithm::{Algorithm, Hash, Secret};
pub use challenge::{Challenge, Qop};
pub use client::{Login, Wallet};
pub use credentials::Credentials;
pub use nonce::{NonceVerdict, Nonces};
pub use server::{Authenticator, Refused, Verdict};

pub(crate) use client::{Attempts, Session};

use crate::message::{HeaderName, StatusCode};

/// Who asks for credentials (RFC 3261 §22.2, §22.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The user agent server: 401, WWW-Authenticate, Authorization.
    Server,
    /// A proxy: 407, Proxy-Authenticate, Proxy-Authorization.
    Proxy,
}

impl Role {
    /// The status that carries the challenge.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Server => StatusCode::UNAUTHORIZED,
            Self::Proxy => StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        }
    }

    /// The header of the challenge.
    pub const fn challenge_header(self) -> HeaderName {
        match self {
            Self::Server => HeaderName::WwwAuthenticate,
            Self::Proxy => HeaderName::ProxyAuthenticate,
        }
    }

    /// The header of the answer.
    pub const fn answer_header(self) -> HeaderName {
        match self {
            Self::Server => HeaderName::Authorization,
            Self::Proxy => HeaderName::ProxyAuthorization,
        }
    }
}
