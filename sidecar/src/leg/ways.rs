//! The ways to a device's leg: its socket, and what was gathered for it.

use std::net::SocketAddr;
use std::time::Instant;

use skillcall_webrtc::{Carrier, FromServer, Gatherer, LocalAddress, Route};

/// The ways to a device's leg.
#[derive(Debug)]
pub(crate) enum Ways {
    /// The socket alone.
    Host(LocalAddress),
    /// The socket, what STUN servers see of it, and relays.
    Gathered(Box<Gatherer>),
}

impl Ways {
    /// All addresses, the socket's first.
    pub(crate) fn addresses(&self) -> Vec<LocalAddress> {
        match self {
            Self::Host(address) => vec![*address],
            Self::Gathered(gatherer) => gatherer.addresses(),
        }
    }

    /// The socket, as candidates name it.
    pub(super) fn socket(&self) -> SocketAddr {
        match self.addresses().first() {
            Some(
                LocalAddress::Host(socket)
                | LocalAddress::Public { socket, .. }
                | LocalAddress::Relayed { via: socket, .. },
            ) => *socket,
            None => (std::net::Ipv4Addr::UNSPECIFIED, 0).into(),
        }
    }

    /// For people: the addresses, and which server has given nothing.
    pub(crate) fn to_words(&self, now: Instant) -> String {
        let addresses = self.addresses();
        let words = addresses.iter().map(|address| match address {
            LocalAddress::Host(socket) => format!("host {socket}"),
            LocalAddress::Public { socket, public } => format!("host {socket}, seen as {public}"),
            LocalAddress::Relayed { relay, .. } => format!("relay {relay}"),
        });
        let problems = match self {
            Self::Host(_) => Vec::new(),
            Self::Gathered(gatherer) => gatherer.problems(now),
        };
        let problems = problems.iter().map(ToString::to_string);
        let all: Vec<_> = words.chain(problems).collect();
        format!("candidates for the device: {}", all.join("; "))
    }

    /// What was gathered.
    pub(super) fn into_gatherer(self) -> Option<Box<Gatherer>> {
        match self {
            Self::Host(_) => None,
            Self::Gathered(gatherer) => Some(gatherer),
        }
    }

    fn gatherer(&mut self) -> Option<&mut Gatherer> {
        match self {
            Self::Host(_) => None,
            Self::Gathered(gatherer) => Some(gatherer),
        }
    }

    /// Takes a datagram that came to the socket, or a message that came by a connection.
    pub(super) fn receive(&mut self, now: Instant, from: Carrier, datagram: &[u8]) -> FromServer {
        self.gatherer()
            .map_or(FromServer::NotOurs, |gatherer| match from {
                Carrier::Socket(from) => gatherer.receive(now, from, datagram),
                Carrier::Stream(number) => gatherer.receive_by_stream(now, number, datagram),
            })
    }

    /// A connection with a server has ended.
    pub(super) fn stream_ended(&mut self, now: Instant, number: usize) {
        if let Some(gatherer) = self.gatherer() {
            gatherer.stream_ended(now, number);
        }
    }

    /// Sends by a relay, if `local` is an address at one; [`Ways::poll`] gives the datagram. False: it is none.
    pub(super) fn send(
        &mut self,
        now: Instant,
        local: SocketAddr,
        peer: SocketAddr,
        data: &[u8],
    ) -> bool {
        match self.gatherer() {
            Some(gatherer) if gatherer.is_relay(local) => {
                gatherer.send(now, local, peer, data);
                true
            }
            _ => false,
        }
    }

    /// Gives the datagrams that take a packet along a route.
    pub(super) fn carry(
        &mut self,
        route: Route,
        packet: &[u8],
        give: &mut impl FnMut(Carrier, &[u8]),
    ) {
        let Self::Gathered(gatherer) = self else {
            return give(Carrier::Socket(route.remote), packet);
        };
        if !gatherer.is_relay(route.local) {
            return give(Carrier::Socket(route.remote), packet);
        }
        let now = Instant::now();
        gatherer.send(now, route.local, route.remote, packet);
        while let Some((server, datagram)) = gatherer.poll(now) {
            give(server, &datagram);
        }
    }

    /// The next message for a server.
    pub(super) fn poll(&mut self, now: Instant) -> Option<(Carrier, Vec<u8>)> {
        self.gatherer()?.poll(now)
    }

    /// When [`Ways::poll`] is due.
    pub(super) fn due(&mut self, now: Instant) -> Option<Instant> {
        self.gatherer()?.due(now)
    }
}
