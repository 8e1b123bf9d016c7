//! What others see of a socket, and addresses at relays: candidates that are gathered ahead of a call (RFC 8445 §5.1.1), as no
//! device waits for them (facts G9), and kept until its end.
//!
//! A [`Gatherer`] asks STUN servers (RFC 8489) and TURN servers (RFC 8656) from one socket, without I/O: its owner passes it each
//! datagram first, and sends what it wants sent. What comes by a relay is taken out of its wrapping, what goes by one is wrapped.
//! TURN servers may be reached by TCP or TLS too (RFC 8656 §3.1): its owner makes those connections, and passes the messages in them.

mod binding;
mod clock;
mod framing;
mod problem;
mod relay;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    fmt,
    net::SocketAddr,
    time::{Duration, Instant},
};

pub use self::framing::{Frames, NotTurn};
pub use self::problem::{Problem, ServerKind, Why};
use self::{binding::Binding, relay::Relay};
use crate::LocalAddress;

/// When a server that has not answered counts as dead, for who waits for [`Gatherer::is_done`]. It is asked on.
const PATIENCE: Duration = Duration::from_secs(3);
/// The most servers of a kind that are asked.
const MOST_SERVERS: usize = 8;
/// Datagrams that wait for [`Gatherer::poll`].
const MOST_WAITING: usize = 64;

/// How a TURN server is reached (RFC 8656 §3.1). What it sends on to peers goes by UDP in any case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TurnTransport {
    /// By datagrams of the leg's own socket.
    Udp,
    /// By a connection, in the clear.
    Tcp,
    /// By a connection, encrypted; the server proves that it has this name.
    Tls(String),
}

/// Where a message for a server goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// From the leg's socket to this address.
    Socket(SocketAddr),
    /// By the connection with this number of [`Gatherer::streams`].
    Stream(usize),
}

/// A TURN server and who we are there.
#[derive(Clone, PartialEq, Eq)]
pub struct TurnServer {
    /// Its address.
    pub address: SocketAddr,
    /// How it is reached there.
    pub transport: TurnTransport,
    /// Our name (long-term credentials, RFC 8489 §9.2).
    pub username: String,
    /// Our password.
    pub password: String,
}

impl fmt::Debug for TurnServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TurnServer({}, {}, hidden)", self.address, self.username)
    }
}

/// The servers that are asked. Those of another address family than the socket's are passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Servers {
    /// STUN servers: what the outside sees of us.
    pub stun: Vec<SocketAddr>,
    /// TURN servers: addresses at which they take packets for us.
    pub turn: Vec<TurnServer>,
}

impl Servers {
    /// Whether there is nobody to ask.
    pub const fn is_empty(&self) -> bool {
        self.stun.is_empty() && self.turn.is_empty()
    }
}

/// What a datagram was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromServer {
    /// Of no server's: it came to the socket itself.
    NotOurs,
    /// A server's: nothing is left to do.
    Handled,
    /// What a peer has sent to an address of ours at a relay.
    Relayed {
        /// Our address there.
        relay: SocketAddr,
        /// The peer's.
        peer: SocketAddr,
        /// What it sent.
        data: Vec<u8>,
    },
}

/// A socket's addresses elsewhere.
#[derive(Debug)]
pub struct Gatherer {
    /// The socket, as it is named in candidates.
    host: LocalAddress,
    bindings: Vec<Binding>,
    relays: Vec<Relay>,
    waiting: VecDeque<(Carrier, Vec<u8>)>,
    patience: Instant,
    /// Whether a leg has begun: what is found out now is of no use to it.
    begun: bool,
}

impl Gatherer {
    /// Asks the servers from this socket; `host` is [`LocalAddress::Host`], or [`LocalAddress::Public`] where its administrator has
    /// made a rule, and STUN servers are not asked.
    pub fn new(host: LocalAddress, servers: &Servers, now: Instant) -> Self {
        let socket = match host {
            LocalAddress::Host(socket) | LocalAddress::Public { socket, .. } => socket,
            LocalAddress::Relayed { via, .. } => via,
        };
        let family = |address: &SocketAddr| address.is_ipv4() == socket.is_ipv4();
        let asks = matches!(host, LocalAddress::Host(_));
        let bindings = servers
            .stun
            .iter()
            .filter(|address| asks && family(address));
        let relays = servers.turn.iter().filter(|server| family(&server.address));
        Self {
            host,
            bindings: bindings
                .take(MOST_SERVERS)
                .map(|server| Binding::new(*server, now))
                .collect(),
            relays: relays
                .take(MOST_SERVERS)
                .map(|server| Relay::new(socket, server, now))
                .collect(),
            waiting: VecDeque::new(),
            patience: now + PATIENCE,
            begun: false,
        }
    }

    /// All that was found out so far, for a leg that begins now.
    pub fn addresses(&self) -> Vec<LocalAddress> {
        let seen = self.bindings.iter().find_map(Binding::mapped);
        let host = match (self.host, seen) {
            (LocalAddress::Host(socket), Some(public)) if public != socket => {
                LocalAddress::Public { socket, public }
            }
            (host, _) => host,
        };
        let relays = self.relays.iter().filter_map(|relay| {
            Some(LocalAddress::Relayed {
                relay: relay.address()?,
                via: relay.socket(),
            })
        });
        std::iter::once(host).chain(relays).collect()
    }

    /// A leg begins with what is there: all addresses, as [`Gatherer::addresses`]. Servers that have failed are not asked again.
    pub fn begin(&mut self) -> Vec<LocalAddress> {
        self.begun = true;
        self.addresses()
    }

    /// Which servers have given nothing, and why, once each had its time to; nothing before that.
    pub fn problems(&self, now: Instant) -> Vec<Problem> {
        if !self.is_done(now) {
            return Vec::new();
        }
        let stun = ServerKind::Stun;
        let bindings = self.bindings.iter();
        let bindings = bindings.map(|binding| (stun, binding.server(), binding.problem()));
        let relays = self.relays.iter();
        let relays = relays.map(|relay| (relay.kind(), relay.server(), relay.problem()));
        let all = bindings.chain(relays).filter_map(|(kind, server, why)| {
            let why = why?;
            Some(Problem { kind, server, why })
        });
        all.collect()
    }

    /// Whether each server has answered, or had its time to.
    pub fn is_done(&self, now: Instant) -> bool {
        now >= self.patience
            || (self
                .bindings
                .iter()
                .all(|binding| binding.mapped().is_some())
                && self.relays.iter().all(Relay::is_settled))
    }

    /// Whether an address is one of ours at a relay.
    pub fn is_relay(&self, local: SocketAddr) -> bool {
        self.relays
            .iter()
            .any(|relay| relay.address() == Some(local))
    }

    /// Takes a datagram that came to the socket.
    pub fn receive(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> FromServer {
        let answers = self.bindings.iter_mut();
        let answered = answers
            .filter(|binding| binding.server() == from)
            .any(|binding| binding.receive(now, datagram));
        if answered {
            return FromServer::Handled;
        }
        let mut relays = self.relays.iter_mut();
        match relays.find(|relay| relay.server() == from && !relay.is_stream()) {
            None => FromServer::NotOurs,
            Some(relay) => relay.receive(now, datagram),
        }
    }

    /// The servers that are reached by connections, each with the number of its own.
    pub fn streams(&self) -> impl Iterator<Item = (usize, &TurnServer)> {
        let relays = self.relays.iter().enumerate();
        relays.filter_map(|(at, relay)| relay.is_stream().then_some((at, relay.turn_server())))
    }

    /// Whether a connection is of use: its server is asked, or is about to be.
    pub fn wants_stream(&self, now: Instant, stream: usize) -> bool {
        let relay = self.relays.get(stream);
        relay.is_some_and(|relay| relay.is_stream() && relay.wants_server(now))
    }

    /// Takes a message that came by a connection ([`Frames`] finds them).
    pub fn receive_by_stream(&mut self, now: Instant, stream: usize, message: &[u8]) -> FromServer {
        match self.relays.get_mut(stream) {
            Some(relay) if relay.is_stream() => relay.receive(now, message),
            _ => FromServer::NotOurs,
        }
    }

    /// A connection could not be made, or has ended: with it, the address at the server. It is asked for again after a while, unless a
    /// leg has begun.
    pub fn stream_ended(&mut self, now: Instant, stream: usize) {
        if let Some(relay) = self.relays.get_mut(stream)
            && relay.is_stream()
        {
            relay.lose(now);
        }
    }

    /// Sends something from our address at a relay; [`Gatherer::poll`] gives the datagram, once the relay allows it.
    pub fn send(&mut self, now: Instant, relay: SocketAddr, peer: SocketAddr, data: &[u8]) {
        let mut relays = self.relays.iter_mut().enumerate();
        if let Some((at, relay)) = relays.find(|(_, known)| known.address() == Some(relay))
            && let Some(datagram) = relay.send(now, peer, data)
        {
            Self::put(&mut self.waiting, (relay.carrier(at), datagram));
        }
    }

    fn put(waiting: &mut VecDeque<(Carrier, Vec<u8>)>, datagram: (Carrier, Vec<u8>)) {
        if waiting.len() < MOST_WAITING {
            waiting.push_back(datagram);
        }
    }

    /// The next message that is to be sent, and where to.
    pub fn poll(&mut self, now: Instant) -> Option<(Carrier, Vec<u8>)> {
        for binding in &mut self.bindings {
            if let Some(request) = binding.poll(now) {
                Self::put(
                    &mut self.waiting,
                    (Carrier::Socket(binding.server()), request),
                );
            }
        }
        for (at, relay) in self.relays.iter_mut().enumerate() {
            if !self.begun {
                relay.ask_again(now);
            }
            while let Some(datagram) = relay.poll(now) {
                Self::put(&mut self.waiting, (relay.carrier(at), datagram));
            }
        }
        self.waiting.pop_front()
    }

    /// When [`Gatherer::poll`] is to be called next, if nothing comes before.
    pub fn due(&mut self, now: Instant) -> Option<Instant> {
        let bindings = self.bindings.iter().map(Binding::due);
        let begun = self.begun;
        let relays = self.relays.iter_mut();
        let relays = relays.filter_map(|relay| match relay.is_gone() && begun {
            true => None,
            false => relay.due(now),
        });
        bindings.chain(relays).min()
    }

    /// Gives the relays' addresses back, by datagrams for [`Gatherer::poll`], until [`Gatherer::is_closed`].
    pub fn close(&mut self, now: Instant) {
        self.begun = true;
        self.waiting.clear();
        self.bindings.clear();
        for relay in &mut self.relays {
            relay.close(now);
        }
    }

    /// Whether nothing of ours is at a relay any more, as far as it can be known.
    pub fn is_closed(&self) -> bool {
        self.relays.iter().all(Relay::is_gone)
    }
}
