//! ICE (RFC 8445) by the crate `is`: candidates, checks, and consent (RFC 7675). No trickle.

mod agent;
mod local;

pub(crate) use agent::{Change, IceAgent};
pub use local::LocalAddress;
pub(crate) use local::LocalCandidate;

use std::net::SocketAddr;

use is::IceCreds;

/// How we do ICE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum IceMode {
    /// Checks of our own: works behind NATs.
    #[default]
    Full,
    /// Answers checks only (RFC 8445 §2.5): for a host that every device reaches. Only [`LocalAddress::Host`] and
    /// [`LocalAddress::Public`] can be used.
    Lite,
}

/// A way that packets take: one of our addresses and one of the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// The address of our socket (of the relay, where packets go by one).
    pub local: SocketAddr,
    /// The peer's.
    pub remote: SocketAddr,
}

/// New credentials: 48 bits of user name, 144 of password, where RFC 8445 §5.3 wants 24 and 128. Those that the library
/// makes are not of a cryptographic generator.
pub(crate) fn credentials() -> IceCreds {
    use std::fmt::Write;

    let mut random = [0; 24];
    // A password that can be guessed is worse than no call; and a system without randomness has no TLS either.
    assert!(
        getrandom::fill(&mut random).is_ok(),
        "the operating system gives no randomness"
    );
    let hex = random.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    let (ufrag, pass) = hex.split_at(12);
    IceCreds {
        ufrag: ufrag.to_owned(),
        pass: pass.to_owned(),
    }
}
