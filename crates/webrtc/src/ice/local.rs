//! Our addresses, and how descriptions show them.

use std::{fmt, net::SocketAddr};

use is::{Candidate, Protocol};

use super::IceMode;

/// One of our addresses: a socket that is bound, and by what it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LocalAddress {
    /// A socket that peers reach as it is.
    Host(SocketAddr),
    /// A socket behind an address translation: by a rule that its administrator has made, or as a STUN server saw it.
    Public {
        /// The socket.
        socket: SocketAddr,
        /// What the outside sees.
        public: SocketAddr,
    },
    /// An address at a TURN server. Packets from it have it as their `local`.
    Relayed {
        /// The relay's address.
        relay: SocketAddr,
        /// Our socket towards the TURN server.
        via: SocketAddr,
    },
}

impl LocalAddress {
    /// What the ICE agent works with: the candidates of this address.
    pub(super) fn candidates(self, mode: IceMode) -> Vec<Candidate> {
        let udp = Protocol::Udp;
        let made = match (self, mode) {
            (Self::Host(socket), _) => vec![Candidate::host(socket, udp)],
            // The agent sees packets on the socket; that others name it otherwise only the description says.
            (Self::Public { socket, .. }, IceMode::Lite) => vec![Candidate::host(socket, udp)],
            (Self::Public { socket, public }, IceMode::Full) => vec![
                Candidate::host(socket, udp),
                Candidate::server_reflexive(public, socket, udp),
            ],
            (Self::Relayed { relay, via }, IceMode::Full) => {
                vec![Candidate::relayed(relay, via, udp)]
            }
            (Self::Relayed { .. }, IceMode::Lite) => Vec::new(),
        };
        made.into_iter().filter_map(Result::ok).collect()
    }
}

/// A candidate as descriptions have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LocalCandidate {
    pub(crate) address: SocketAddr,
    pub(crate) priority: u32,
    foundation: usize,
    kind: &'static str,
}

impl LocalCandidate {
    pub(super) fn list(
        agents: &[Candidate],
        addresses: &[LocalAddress],
        mode: IceMode,
    ) -> Vec<Self> {
        let shown = |candidate: &Candidate| match mode {
            IceMode::Full => candidate.addr(),
            IceMode::Lite => addresses
                .iter()
                .find_map(|address| match address {
                    LocalAddress::Public { socket, public } if *socket == candidate.addr() => {
                        Some(*public)
                    }
                    _ => None,
                })
                .unwrap_or_else(|| candidate.addr()),
        };
        let candidates = agents.iter().enumerate();
        candidates
            .map(|(at, candidate)| Self {
                address: shown(candidate),
                priority: candidate.prio(),
                foundation: at + 1,
                kind: match candidate.kind() {
                    is::CandidateKind::Host => "host",
                    is::CandidateKind::PeerReflexive => "prflx",
                    is::CandidateKind::ServerReflexive => "srflx",
                    is::CandidateKind::Relayed => "relay",
                },
            })
            .collect()
    }
}

impl fmt::Display for LocalCandidate {
    /// As the value of `a=candidate` (RFC 8839 §5.1). The address behind a reflexive or relayed one is not told: some
    /// peers only want to read that there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ip, port) = (self.address.ip(), self.address.port());
        let (foundation, priority, kind) = (self.foundation, self.priority, self.kind);
        write!(f, "{foundation} 1 udp {priority} {ip} {port} typ {kind}")?;
        match (kind, ip.is_ipv4()) {
            ("host", _) => Ok(()),
            (_, true) => f.write_str(" raddr 0.0.0.0 rport 0"),
            (_, false) => f.write_str(" raddr :: rport 0"),
        }
    }
}
