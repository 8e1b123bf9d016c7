//! Where messages come from and go to.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use crate::message::Host;

/// A SIP transport (RFC 3261 §18).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// UDP: unreliable, so transactions retransmit.
    Udp,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// WebSocket (RFC 7118).
    Ws,
    /// WebSocket over TLS (RFC 7118).
    Wss,
}

impl Transport {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Udp, Self::Tcp, Self::Tls, Self::Ws, Self::Wss];

    /// The transport that a URI's `transport` parameter or a Via names; `ws` is the one without TLS.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(name))
    }

    /// Whether TLS protects it.
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// Whether the transport delivers by itself; retransmission timers stay off then (RFC 3261 §17.1.1.2).
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// The transport for a request of `bytes` bytes that would go by this one: a request too large for a datagram goes
    /// over TCP (RFC 3261 §18.1.1), that is within 200 bytes of the path's MTU, or above 1300 bytes where that is not
    /// known. Never where the next hop is known to take UDP alone: then IP fragments it. Responses are not concerned: they
    /// go back as their request came.
    pub const fn for_size(self, bytes: usize, mtu: Option<usize>, udp_only: bool) -> Self {
        let largest = match mtu {
            Some(mtu) => mtu.saturating_sub(200),
            None => 1300,
        };
        match self {
            Self::Udp if bytes > largest && !udp_only => Self::Tcp,
            other => other,
        }
    }

    /// The name in Via headers and `;transport=` parameters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The caller's name for an open connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectionId(pub u64);

/// The path a message came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flow {
    /// The transport.
    pub transport: Transport,
    /// Our address.
    pub local: SocketAddr,
    /// The peer's address.
    pub remote: SocketAddr,
    /// The connection, on all but UDP.
    pub connection: Option<ConnectionId>,
}

impl Flow {
    /// A UDP path.
    pub const fn udp(local: SocketAddr, remote: SocketAddr) -> Self {
        Self {
            transport: Transport::Udp,
            local,
            remote,
            connection: None,
        }
    }

    /// A TCP path over the connection `connection`.
    pub const fn tcp(local: SocketAddr, remote: SocketAddr, connection: ConnectionId) -> Self {
        Self::stream(Transport::Tcp, local, remote, connection)
    }

    /// A path over the connection `connection` of any transport but UDP.
    pub const fn stream(
        transport: Transport,
        local: SocketAddr,
        remote: SocketAddr,
        connection: ConnectionId,
    ) -> Self {
        Self {
            transport,
            local,
            remote,
            connection: Some(connection),
        }
    }
}

/// Where a message has to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// An address.
    Addr(SocketAddr),
    /// A name that the caller has to look up (RFC 3263).
    Unresolved {
        /// The host.
        host: Host,
        /// The port, if the URI names one.
        port: Option<u16>,
        /// Where the dialog came from: where to send when nothing is found.
        fallback: SocketAddr,
    },
}

impl Destination {
    /// The address, or the one that is tried when no name server knows better.
    pub(super) fn known_ip(&self) -> IpAddr {
        match self {
            Self::Addr(address) => address.ip(),
            Self::Unresolved { fallback, .. } => fallback.ip(),
        }
    }
}

impl From<SocketAddr> for Destination {
    fn from(address: SocketAddr) -> Self {
        Self::Addr(address)
    }
}

/// Which transaction sent a message, to be named in [`Endpoint::transmit_failed`](super::Endpoint::transmit_failed).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransmitId(pub(crate) u64);

/// A message to send.
#[derive(Debug, Clone)]
pub struct Transmit {
    /// The transport to use.
    pub transport: Transport,
    /// Where to.
    pub destination: Destination,
    /// The connection to use while it is open; otherwise a new one to `destination` (RFC 3261 §18.2.2).
    pub connection: Option<ConnectionId>,
    /// The message.
    pub bytes: Bytes,
    /// The transaction that sent it; `None` for what no transaction waits for.
    pub id: Option<TransmitId>,
}
