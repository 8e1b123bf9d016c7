//! Why a server has given nothing, for people.

use std::{fmt, net::SocketAddr};

/// What kind of server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServerKind {
    /// It says what the outside sees of us.
    Stun,
    /// It takes packets for us, and is reached by UDP.
    Turn,
    /// The same by TCP.
    TurnTcp,
    /// The same by TLS.
    TurnTls,
}

/// Why a server has given nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It has not answered (yet).
    Silent,
    /// Nobody takes the connection, or it has ended.
    NoConnection,
    /// It does not take our name or password (RFC 8489 §9.2.4, 401): its own words.
    Credentials(String),
    /// It refuses with this code: its own words.
    Refused(u16, String),
}

/// A server that has given nothing so far, or gives nothing any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its kind.
    pub kind: ServerKind,
    /// Its address.
    pub server: SocketAddr,
    /// Why.
    pub why: Why,
}

impl fmt::Display for ServerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stun => "STUN server",
            Self::Turn => "TURN server",
            Self::TurnTcp => "TURN server (by TCP)",
            Self::TurnTls => "TURN server (by TLS)",
        })
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => f.write_str("does not answer: is it there, and does UDP reach it?"),
            Self::NoConnection => f.write_str(
                "has no connection with us: is it there, does it take TCP, and does its certificate fit its name?",
            ),
            Self::Credentials(words) => write!(
                f,
                "does not take our username and password (401 {words}): compare them with its own"
            ),
            Self::Refused(code, words) => write!(f, "refuses: {code} {words}"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} {} {}", self.kind, self.server, self.why)
    }
}
