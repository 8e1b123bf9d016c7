//! An address at a TURN server (RFC 8656): allocated, kept fresh, with a permission for each peer that is sent to.

use std::{
    collections::{BTreeSet, VecDeque},
    net::SocketAddr,
    time::Instant,
};

use turn_client_proto::{
    api::{
        SendError, Transmit, TurnClientApi as _, TurnConfig, TurnEvent, TurnPollRet, TurnRecvRet,
    },
    prelude::DelayedTransmitBuild as _,
    stun::types::TransportType,
    types::{AddressFamily, TurnCredentials},
    udp::TurnClientUdp,
};

use super::{FromServer, TurnServer, clock::Clock};

/// Datagrams that wait for a permission: checks, which are repeated anyway.
const MOST_WAITING: usize = 16;
/// The most peers that get channels: a call has one, and another after a restart of ICE.
const MOST_CHANNELS: usize = 16;
const UDP: TransportType = TransportType::Udp;

/// One allocation.
#[derive(Debug)]
pub(super) struct Relay {
    client: TurnClientUdp,
    socket: SocketAddr,
    server: SocketAddr,
    clock: Clock,
    address: Option<SocketAddr>,
    failed: bool,
    over: bool,
    /// What waits until the server permits a peer.
    waiting: VecDeque<(SocketAddr, Vec<u8>)>,
    channels: BTreeSet<SocketAddr>,
    /// When the library wants to be asked, as it said last.
    due: Option<Instant>,
}

impl Relay {
    pub(super) fn new(socket: SocketAddr, server: &TurnServer, now: Instant) -> Self {
        let credentials = TurnCredentials::new(&server.username, &server.password);
        let mut config = TurnConfig::new(credentials);
        config.set_address_family(if socket.is_ipv4() {
            AddressFamily::IPV4
        } else {
            AddressFamily::IPV6
        });
        Self {
            client: TurnClientUdp::allocate(socket, server.address, config),
            socket,
            server: server.address,
            clock: Clock::since(now),
            address: None,
            failed: false,
            over: false,
            waiting: VecDeque::new(),
            channels: BTreeSet::new(),
            due: Some(now),
        }
    }

    pub(super) const fn socket(&self) -> SocketAddr {
        self.socket
    }

    pub(super) const fn server(&self) -> SocketAddr {
        self.server
    }

    /// Our address there, once allocated.
    pub(super) const fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Whether the server has given an address, or said that it will not.
    pub(super) const fn is_settled(&self) -> bool {
        self.address.is_some() || self.failed
    }

    pub(super) fn receive(&mut self, now: Instant, datagram: &[u8]) -> FromServer {
        self.due = Some(now);
        let at = self.clock.of(now);
        let transmit = Transmit::new(datagram, UDP, self.server, self.socket);
        let taken = match self.client.recv(transmit, at) {
            TurnRecvRet::PeerData(data) => match self.address {
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

    /// The datagram that takes something to a peer; none while the server does not permit it.
    pub(super) fn send(&mut self, now: Instant, peer: SocketAddr, data: &[u8]) -> Option<Vec<u8>> {
        let at = self.clock.of(now);
        // A channel saves 32 bytes a packet: it is for media, as checks go to many.
        let is_media = matches!(data.first(), Some(128..=191));
        if is_media
            && self.channels.len() < MOST_CHANNELS
            && self.client.have_permission(UDP, peer.ip())
            && self.channels.insert(peer)
        {
            // Without a channel it goes as before.
            let _ = self.client.bind_channel(UDP, peer, at);
            self.due = Some(now);
        }
        match self.client.send_to(UDP, peer, data, at) {
            Ok(transmit) => transmit.map(|transmit| transmit.data.build()),
            Err(SendError::NoPermission) => {
                // One that is asked for already needs no more.
                let _ = self.client.create_permission(UDP, peer.ip(), at);
                self.due = Some(now);
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
        let (peer, data) = match self.waiting.front() {
            Some((peer, _)) if self.client.have_permission(UDP, peer.ip()) => {
                self.waiting.pop_front()?
            }
            _ => return self.ask(now),
        };
        self.send(now, peer, &data).or_else(|| self.ask(now))
    }

    fn ask(&mut self, now: Instant) -> Option<Vec<u8>> {
        let at = self.clock.of(now);
        if self.due.is_some_and(|due| due <= now) {
            self.due = match self.client.poll(at) {
                TurnPollRet::WaitUntil(until) => Some(self.clock.back(until)),
                TurnPollRet::Closed => {
                    self.failed = true;
                    self.address = None;
                    None
                }
                // Those are of TCP.
                TurnPollRet::AllocateTcpSocket { .. } | TurnPollRet::TcpClose { .. } => None,
            };
        }
        let transmit = self.client.poll_transmit(at)?;
        self.follow(now);
        Some(transmit.data.as_ref().to_vec())
    }

    fn follow(&mut self, now: Instant) {
        while let Some(event) = self.client.poll_event() {
            match event {
                TurnEvent::AllocationCreated(_, address) if !self.over => {
                    self.address = Some(address);
                }
                TurnEvent::AllocationCreateFailed(_) => self.failed = true,
                TurnEvent::PermissionCreated(..) => self.due = Some(now),
                TurnEvent::PermissionCreateFailed(_, ip) => {
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
        self.over = true;
        self.address = None;
        self.waiting.clear();
        // There may be none to give back.
        let _ = self.client.delete(self.clock.of(now));
        self.due = Some(now);
    }
}
