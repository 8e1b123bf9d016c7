//! An address at a TURN server (RFC 8656): allocated, kept fresh, with a permission for each peer that is sent to.

use std::{
    collections::{BTreeSet, VecDeque},
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use turn_client_proto::{
    api::{
        SendError, Transmit, TurnClientApi as _, TurnConfig, TurnEvent, TurnPollRet, TurnRecvRet,
    },
    prelude::DelayedTransmitBuild as _,
    stun::types::{TransportType, attribute::ErrorCode, message::Message},
    tcp::TurnClientTcp,
    types::{AddressFamily, TurnCredentials},
    udp::TurnClientUdp,
};

use super::{
    Carrier, FromServer, ServerKind, TurnServer, TurnTransport, clock::Clock, framing::pad,
    problem::Why,
};

/// Datagrams that wait for a permission: checks, which are repeated anyway.
const MOST_WAITING: usize = 16;
/// The most peers that get permissions: a device has few addresses, and a few more after a restart of ICE.
const MOST_PERMISSIONS: usize = 32;
/// The most peers that get channels: a call has one, and another after a restart of ICE.
const MOST_CHANNELS: usize = 16;
/// How long a server that has given no address is left alone. Our choice.
const PAUSE: Duration = Duration::from_secs(30);
/// The library sends no two requests within 50 ms; what ends a call is not to wait for that.
const BEYOND_PACE: Duration = Duration::from_millis(100);
/// The least time until the library is asked again by the clock: what it wants at once it has said.
const STEP: Duration = Duration::from_millis(5);
/// The most time: it does not say when it has given up.
const LOOK: Duration = Duration::from_secs(10);
const UDP: TransportType = TransportType::Udp;
const UNAUTHORIZED: u16 = 401;
const STALE_NONCE: u16 = 438;

/// One allocation.
#[derive(Debug)]
pub(super) struct Relay {
    server: TurnServer,
    client: Client,
    socket: SocketAddr,
    clock: Clock,
    state: State,
    /// What the server has said last against it.
    refusal: Option<(u16, String)>,
    /// Why there was no address when it was asked before.
    before: Option<Why>,
    /// How often it wanted to know who we are.
    challenges: u32,
    /// What waits until the server permits a peer.
    waiting: VecDeque<(SocketAddr, Vec<u8>)>,
    /// Whom it is asked to permit, or permits.
    permitted: BTreeSet<IpAddr>,
    channels: BTreeSet<SocketAddr>,
    /// The connection with the server is not there.
    is_lost: bool,
    /// When the library wants to be asked, as it said last.
    due: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It was asked at this time.
    Asked,
    /// It takes packets for us at this address.
    Has(SocketAddr),
    /// There is none; until then it is left alone.
    Failed(Instant),
    /// The address is being given back, since then.
    Leaving(Instant),
    /// Nothing is there any more.
    Gone,
}

/// The library's side of it, by datagrams or in a stream.
#[derive(Debug)]
enum Client {
    Udp(TurnClientUdp),
    Tcp(TurnClientTcp),
}

/// The same for both.
macro_rules! either {
    ($client:expr, $it:ident => $does:expr) => {
        match $client {
            Client::Udp($it) => $does,
            Client::Tcp($it) => $does,
        }
    };
}

fn client(server: &TurnServer, socket: SocketAddr) -> Client {
    let credentials = TurnCredentials::new(&server.username, &server.password);
    let mut config = TurnConfig::new(credentials);
    config.set_address_family(if socket.is_ipv4() {
        AddressFamily::IPV4
    } else {
        AddressFamily::IPV6
    });
    match server.transport {
        TurnTransport::Udp => Client::Udp(TurnClientUdp::allocate(socket, server.address, config)),
        // What is encrypted is the connection's owner's to know.
        TurnTransport::Tcp | TurnTransport::Tls(_) => {
            Client::Tcp(TurnClientTcp::allocate(socket, server.address, config))
        }
    }
}

impl Relay {
    pub(super) fn new(socket: SocketAddr, server: &TurnServer, now: Instant) -> Self {
        Self {
            client: client(server, socket),
            server: server.clone(),
            socket,
            clock: Clock::since(now),
            state: State::Asked,
            refusal: None,
            before: None,
            challenges: 0,
            waiting: VecDeque::new(),
            permitted: BTreeSet::new(),
            channels: BTreeSet::new(),
            is_lost: false,
            due: Some(now),
        }
    }

    pub(super) const fn socket(&self) -> SocketAddr {
        self.socket
    }

    pub(super) const fn server(&self) -> SocketAddr {
        self.server.address
    }

    pub(super) const fn turn_server(&self) -> &TurnServer {
        &self.server
    }

    /// Whether the server is reached by a connection.
    pub(super) const fn is_stream(&self) -> bool {
        matches!(self.client, Client::Tcp(_))
    }

    pub(super) const fn kind(&self) -> ServerKind {
        match self.server.transport {
            TurnTransport::Udp => ServerKind::Turn,
            TurnTransport::Tcp => ServerKind::TurnTcp,
            TurnTransport::Tls(_) => ServerKind::TurnTls,
        }
    }

    /// Where what is for the server goes, if its number is this.
    pub(super) const fn carrier(&self, at: usize) -> Carrier {
        match self.client {
            Client::Udp(_) => Carrier::Socket(self.server.address),
            Client::Tcp(_) => Carrier::Stream(at),
        }
    }

    const fn transport(&self) -> TransportType {
        match self.client {
            Client::Udp(_) => TransportType::Udp,
            Client::Tcp(_) => TransportType::Tcp,
        }
    }

    /// Our address there, once allocated.
    pub(super) const fn address(&self) -> Option<SocketAddr> {
        match self.state {
            State::Has(address) => Some(address),
            _ => None,
        }
    }

    /// Whether the server has given an address, or will not.
    pub(super) const fn is_settled(&self) -> bool {
        !matches!(self.state, State::Asked) || self.is_refused()
    }

    /// Whether nothing of ours is at the server any more, as far as it can be known.
    pub(super) const fn is_gone(&self) -> bool {
        matches!(self.state, State::Gone | State::Failed(_))
    }

    /// Whether the server is to hear from us, now or for as long as the address is ours.
    pub(super) fn wants_server(&self, now: Instant) -> bool {
        match self.state {
            State::Asked | State::Has(_) | State::Leaving(_) => true,
            State::Failed(until) => until <= now,
            State::Gone => false,
        }
    }

    /// It asks who we are once before it knows; what it asks after that is a refusal.
    const fn is_refused(&self) -> bool {
        self.challenges > 1
    }

    /// Why there is no address.
    pub(super) fn problem(&self) -> Option<Why> {
        match (&self.state, &self.refusal) {
            (State::Has(_) | State::Leaving(_) | State::Gone, _) => None,
            (_, Some((UNAUTHORIZED, words))) if self.is_refused() => {
                Some(Why::Credentials(words.clone()))
            }
            (_, Some((code, words))) if *code != UNAUTHORIZED => {
                Some(Why::Refused(*code, words.clone()))
            }
            _ if self.is_lost => Some(Why::NoConnection),
            (State::Asked, _) => Some(self.before.clone().unwrap_or(Why::Silent)),
            (State::Failed(_), _) => Some(Why::Silent),
        }
    }

    /// Asks once more, if it is time; a leg that has begun has no use for another address.
    pub(super) fn ask_again(&mut self, now: Instant) {
        if matches!(self.state, State::Failed(until) if until <= now) {
            *self = Self {
                before: self.problem(),
                ..Self::new(self.socket, &self.server, now)
            };
        }
    }

    pub(super) fn receive(&mut self, now: Instant, datagram: &[u8]) -> FromServer {
        if self.is_gone() {
            return FromServer::Handled;
        }
        self.due = Some(now);
        self.read_refusal(now, datagram);
        let at = self.clock.of(now);
        let transmit = Transmit::new(datagram, self.transport(), self.server.address, self.socket);
        let taken = match either!(&mut self.client, it => it.recv(transmit, at)) {
            TurnRecvRet::PeerData(data) => match self.address() {
                Some(relay) => FromServer::Relayed {
                    relay,
                    peer: data.peer,
                    data: data.data().to_vec(),
                },
                None => FromServer::Handled,
            },
            TurnRecvRet::Handled | TurnRecvRet::PeerIcmp { .. } => FromServer::Handled,
            TurnRecvRet::Ignored(_) => FromServer::NotOurs,
        };
        self.follow(now);
        taken
    }

    /// What a server says against us, for people: whether it is to be believed is the library's business.
    fn read_refusal(&mut self, now: Instant, datagram: &[u8]) {
        if self.state != State::Asked {
            return;
        }
        if let Ok(message) = Message::from_bytes(datagram)
            && let Ok(error) = message.attribute::<ErrorCode>()
            && error.code() != STALE_NONCE
        {
            self.challenges += u32::from(error.code() == UNAUTHORIZED);
            let words = error.reason().chars().filter(|c| !c.is_control());
            self.refusal = Some((error.code(), words.take(64).collect()));
            if self.is_refused() {
                // The library would ask on, with the same password.
                self.fail(now);
            }
        }
    }

    /// The datagram that takes something to a peer; none while the server does not permit it.
    pub(super) fn send(&mut self, now: Instant, peer: SocketAddr, data: &[u8]) -> Option<Vec<u8>> {
        let at = self.clock.of(now);
        // A channel saves 32 bytes a packet: it is for media, as checks go to many.
        let is_media = matches!(data.first(), Some(128..=191));
        if is_media
            && self.channels.len() < MOST_CHANNELS
            && either!(&self.client, it => it.have_permission(UDP, peer.ip()))
            && self.channels.insert(peer)
        {
            // Without a channel it goes as before.
            let _ = either!(&mut self.client, it => it.bind_channel(UDP, peer, at));
            self.due = Some(now);
        }
        let is_stream = self.is_stream();
        match either!(&mut self.client, it => it.send_to(UDP, peer, data, at)) {
            Ok(transmit) => {
                let message = transmit?.data.build();
                Some(if is_stream { pad(message) } else { message })
            }
            Err(SendError::NoPermission) => {
                if !self.permitted.contains(&peer.ip()) {
                    if self.permitted.len() >= MOST_PERMISSIONS {
                        return None;
                    }
                    self.permitted.insert(peer.ip());
                    // Without an allocation nothing is lost by it.
                    let _ =
                        either!(&mut self.client, it => it.create_permission(UDP, peer.ip(), at));
                    self.due = Some(now);
                }
                if self.waiting.len() < MOST_WAITING {
                    self.waiting.push_back((peer, data.to_vec()));
                }
                None
            }
            Err(_) => None,
        }
    }

    /// The next datagram for the server.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Vec<u8>> {
        let client = &self.client;
        let permitted = self
            .waiting
            .iter()
            .position(|(peer, _)| either!(client, it => it.have_permission(UDP, peer.ip())));
        if let Some((peer, data)) = permitted.and_then(|at| self.waiting.remove(at))
            && let Some(datagram) = self.send(now, peer, &data)
        {
            return Some(datagram);
        }
        self.ask(now)
    }

    fn ask(&mut self, now: Instant) -> Option<Vec<u8>> {
        if matches!(self.state, State::Gone | State::Failed(_)) {
            return None;
        }
        let at = match self.state {
            State::Leaving(_) => self.clock.of(now + BEYOND_PACE),
            _ => self.clock.of(now),
        };
        if self.due.is_some_and(|due| due <= now) {
            self.due = match either!(&mut self.client, it => it.poll(at)) {
                TurnPollRet::WaitUntil(until) => {
                    Some(self.clock.back(until).clamp(now + STEP, now + LOOK))
                }
                TurnPollRet::Closed => {
                    self.fail(now);
                    return None;
                }
                // Those are of peers by TCP (RFC 6062).
                TurnPollRet::AllocateTcpSocket { .. } | TurnPollRet::TcpClose { .. } => None,
            };
        }
        let transmit = either!(&mut self.client, it => it.poll_transmit(at))?;
        self.follow(now);
        Some(transmit.data.as_ref().to_vec())
    }

    /// The connection with the server is not there: nothing is at it any more.
    pub(super) fn lose(&mut self, now: Instant) {
        if !self.is_gone() {
            self.is_lost = true;
            self.fail(now);
        }
    }

    fn fail(&mut self, now: Instant) {
        self.waiting.clear();
        (self.state, self.due) = match self.state {
            State::Leaving(_) | State::Gone => (State::Gone, None),
            _ => (State::Failed(now + PAUSE), Some(now + PAUSE)),
        };
    }

    fn follow(&mut self, now: Instant) {
        while let Some(event) = either!(&mut self.client, it => it.poll_event()) {
            match event {
                TurnEvent::AllocationCreated(_, address) if self.state == State::Asked => {
                    self.state = State::Has(address);
                }
                TurnEvent::AllocationCreateFailed(_) => self.fail(now),
                TurnEvent::PermissionCreated(..) => self.due = Some(now),
                TurnEvent::PermissionCreateFailed(_, ip) => {
                    self.permitted.remove(&ip);
                    self.waiting.retain(|(peer, _)| peer.ip() != ip);
                }
                _ => {}
            }
        }
    }

    pub(super) fn due(&mut self, now: Instant) -> Option<Instant> {
        self.follow(now);
        self.due
    }

    /// Gives the address back.
    pub(super) fn close(&mut self, now: Instant) {
        self.waiting.clear();
        self.due = Some(now);
        let at = self.clock.of(now);
        self.state = match either!(&mut self.client, it => it.delete(at)) {
            Ok(()) => State::Leaving(now),
            Err(_) => State::Gone,
        };
    }
}
