//! Connections: accepted and made, with TLS and WebSocket on them where the transport says so, cut into messages,
//! written without blocking.
//!
//! A connection is found by its id, by which the requests and responses of a dialog go back the way they came (RFC 5923),
//! or by transport, address and the name that its certificate proves: one connection carries all calls to a target.

mod alias;
mod channel;
mod framing;
mod websocket;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use skillcall_sip::endpoint::{ConnectionId, Flow, TransmitId, Transport};
use skillcall_sip::message::StreamFramer;
use skillcall_sip::peek::alias;

use super::FIRST_CONNECTION;
use super::udp::named;
use crate::tls::{Tls, identities};
use crate::trunks::Trunks;
use alias::Aliases;
use channel::Channel;
use framing::Framing;
use websocket::WebSocketFraming;

/// Bytes that may wait on one connection; a peer that does not read loses it.
const MOST_WAITING: usize = 1 << 20;
/// A connection without traffic is closed after this time.
const IDLE: Duration = Duration::from_secs(600);
/// A connection that is not ready to carry messages by then is closed: TCP, TLS and WebSocket agree within it.
const SETTLING: Duration = Duration::from_secs(10);

/// A connection of somebody who may be a phone ends by then unless it has registered.
const GUEST: Duration = Duration::from_secs(30);
/// The part of all connections that such may have.
const GUESTS_PART: usize = 4;

/// Whether a connection is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Welcome {
    /// Its address is known.
    Known,
    /// It may be a phone's.
    Guest,
    /// No, unless a certificate shows whose it is.
    No,
}

pub(super) type Sent = Option<(usize, TransmitId)>;

/// Where a message for a stream goes.
#[derive(Debug, Clone)]
pub(crate) struct StreamTarget {
    /// Which kind of stream.
    pub(crate) transport: Transport,
    /// The connection to use while it is open.
    pub(crate) connection: Option<ConnectionId>,
    /// Where to open one otherwise.
    pub(crate) to: SocketAddr,
    /// What the peer's certificate has to prove, on TLS; `None`: its address.
    pub(crate) name: Option<Arc<str>>,
}

/// What tells pooled connections apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct PoolKey {
    transport: Transport,
    to: SocketAddr,
    name: Option<Arc<str>>,
}

struct Connection {
    channel: Channel,
    framing: Framing,
    flow: Flow,
    key: PoolKey,
    waiting: VecDeque<(Bytes, Sent)>,
    waiting_bytes: usize,
    /// Bytes on their way, and whose message they are.
    raw: Bytes,
    sending: Sent,
    began: Instant,
    used: Instant,
    heard: Instant,
    /// We have called, so keeping it alive is ours (RFC 5626 §4.4).
    ours: bool,
    /// Let in by its certificate alone, which is still to be shown.
    on_probation: bool,
    /// It may be a phone's, which has not registered yet.
    guest: bool,
    /// A phone has registered over it, until then.
    kept: Option<Instant>,
    identified: bool,
    /// Its certificate is a trunk's.
    is_trunks: bool,
    wants_write: bool,
    /// When the last ping went that nothing has come after.
    pinged: Option<Instant>,
    /// Whether it has answered a ping: then silence means that it is gone (RFC 5626 §4.4.1); many peers never do.
    answers_pings: bool,
}

/// What is accepted on one port.
struct Listener {
    socket: TcpListener,
    token: Token,
    transport: Transport,
    local: SocketAddr,
}

/// The listeners and all connections.
pub(super) struct Streams {
    listeners: Vec<Listener>,
    tls: Tls,
    trunks: Trunks,
    open: HashMap<usize, Connection>,
    pool: HashMap<PoolKey, usize>,
    next: usize,
    limit: usize,
    guests: usize,
    keep_alive: Option<Duration>,
    failed: Vec<(usize, TransmitId)>,
    /// Connections that trunks have opened and that lead to them.
    aliases: Aliases,
}

impl Streams {
    pub(super) fn new(
        tls: Tls,
        trunks: Trunks,
        limit: usize,
        keep_alive: Option<Duration>,
    ) -> Self {
        Self {
            listeners: Vec::new(),
            tls,
            trunks,
            open: HashMap::new(),
            pool: HashMap::new(),
            next: FIRST_CONNECTION,
            limit,
            guests: 0,
            keep_alive,
            failed: Vec::new(),
            aliases: Aliases::default(),
        }
    }

    /// Binds one more listener.
    pub(super) fn bind(
        &mut self,
        registry: &Registry,
        token: Token,
        transport: Transport,
        address: SocketAddr,
    ) -> io::Result<()> {
        let name = transport.as_str().to_ascii_lowercase();
        let socket = TcpListener::bind(address).map_err(|error| named(address, &name, &error))?;
        self.listen(registry, token, transport, socket)
    }

    /// Listens on a socket of the process that was taken over from.
    pub(super) fn inherit(
        &mut self,
        registry: &Registry,
        token: Token,
        transport: Transport,
        socket: std::net::TcpListener,
    ) -> io::Result<()> {
        socket.set_nonblocking(true)?;
        self.listen(registry, token, transport, TcpListener::from_std(socket))
    }

    fn listen(
        &mut self,
        registry: &Registry,
        token: Token,
        transport: Transport,
        mut socket: TcpListener,
    ) -> io::Result<()> {
        let local = socket.local_addr()?;
        registry.register(&mut socket, token, Interest::READABLE)?;
        self.listeners.push(Listener {
            socket,
            token,
            transport,
            local,
        });
        Ok(())
    }

    /// Another handle of a listener's socket, for the process that takes over.
    pub(super) fn duplicate(&self, transport: Transport) -> io::Result<Option<OwnedFd>> {
        let listener = self
            .listeners
            .iter()
            .find(|listener| listener.transport == transport);
        listener
            .map(|listener| listener.socket.as_fd().try_clone_to_owned())
            .transpose()
    }

    /// Whether what connects is taken in here, or by the process that has taken over. Connections stay.
    pub(super) fn accepts(&mut self, registry: &Registry, on: bool) -> io::Result<()> {
        for listener in &mut self.listeners {
            if on {
                registry.register(&mut listener.socket, listener.token, Interest::READABLE)?;
            } else {
                registry.deregister(&mut listener.socket)?;
            }
        }
        Ok(())
    }

    /// Where a transport is listened for.
    pub(super) fn local(&self, transport: Transport) -> Option<SocketAddr> {
        self.listeners
            .iter()
            .find(|listener| listener.transport == transport)
            .map(|listener| listener.local)
    }

    pub(super) fn count(&self) -> usize {
        self.open.len()
    }

    /// Messages that will not be sent, since the last time.
    pub(super) fn take_failed(&mut self) -> Vec<(usize, TransmitId)> {
        std::mem::take(&mut self.failed)
    }

    /// Takes what has come in on the listener of a transport.
    pub(super) fn accept(
        &mut self,
        registry: &Registry,
        transport: Transport,
        allowed: impl Fn(IpAddr) -> Welcome,
    ) {
        loop {
            let Some(listener) = self
                .listeners
                .iter()
                .find(|listener| listener.transport == transport)
            else {
                return;
            };
            let local = listener.local;
            match listener.socket.accept() {
                Ok((stream, peer)) => {
                    let mut welcome = allowed(peer.ip());
                    // A trunk's place is not a stranger's.
                    if welcome == Welcome::Guest && self.guests >= self.limit / GUESTS_PART {
                        welcome = Welcome::No;
                    }
                    let known = welcome != Welcome::No;
                    // A certificate may show later whose it is.
                    let may_show =
                        transport.is_secure() && self.trunks.now().has_peers_by_certificate();
                    // Over the limit, or from a stranger: dropping the stream closes it.
                    if self.open.len() < self.limit && (known || may_show) {
                        self.take_in(registry, stream, transport, local, peer, welcome);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    // Out of file handles, most likely: the listener is tried again at the next event.
                    tracing::warn!(%error, "{transport} accept");
                    return;
                }
            }
        }
    }

    fn take_in(
        &mut self,
        registry: &Registry,
        stream: TcpStream,
        transport: Transport,
        local: SocketAddr,
        peer: SocketAddr,
        welcome: Welcome,
    ) {
        let tls = if transport.is_secure() {
            let Some(tls) = self.tls.now().accept() else {
                return;
            };
            Some(tls)
        } else {
            None
        };
        let framing = match transport {
            Transport::Ws | Transport::Wss => Framing::Web(Box::new(WebSocketFraming::server())),
            Transport::Udp | Transport::Tcp | Transport::Tls => {
                Framing::Sip(StreamFramer::default())
            }
        };
        let key = PoolKey {
            transport,
            to: peer,
            name: None,
        };
        let channel = Channel::new(stream, tls, false);
        let added = self.add(registry, channel, framing, local, key, false);
        if let Ok(token) = added
            && let Some(connection) = self.open.get_mut(&token)
        {
            connection.on_probation = welcome == Welcome::No;
            connection.guest = welcome == Welcome::Guest;
            self.guests += usize::from(connection.guest);
        }
    }

    fn add(
        &mut self,
        registry: &Registry,
        mut channel: Channel,
        framing: Framing,
        local: SocketAddr,
        key: PoolKey,
        ours: bool,
    ) -> io::Result<usize> {
        let token = self.next;
        self.next += 1;
        let wants_write = channel.wants_write();
        let interest = if wants_write {
            Interest::READABLE | Interest::WRITABLE
        } else {
            Interest::READABLE
        };
        let _ = channel.source().set_nodelay(true);
        registry.register(channel.source(), Token(token), interest)?;
        let now = Instant::now();
        let connection = Connection {
            channel,
            framing,
            flow: Flow::stream(key.transport, local, key.to, ConnectionId(token as u64)),
            key: key.clone(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            raw: Bytes::new(),
            sending: None,
            began: now,
            used: now,
            heard: now,
            ours,
            on_probation: false,
            guest: false,
            kept: None,
            identified: false,
            is_trunks: false,
            wants_write,
            pinged: None,
            answers_pings: false,
        };
        self.open.insert(token, connection);
        self.pool.insert(key, token);
        Ok(token)
    }

    /// The messages that a connection has now.
    pub(super) fn read(&mut self, registry: &Registry, token: usize) -> Vec<(Flow, Bytes)> {
        let Some(connection) = self.open.get_mut(&token) else {
            return Vec::new();
        };
        if connection.channel.is_connecting() {
            return Vec::new();
        }
        let now = Instant::now();
        (connection.used, connection.heard) = (now, now);
        let mut awaits_pong = connection.pinged.take().is_some();
        connection.answers_pings |= awaits_pong;
        let (mut messages, mut pinged, mut broken) = (Vec::new(), false, None);
        let framing = &mut connection.framing;
        let ended = connection.channel.read(|bytes| {
            let bytes = if std::mem::take(&mut awaits_pong) {
                framing.without_pong(bytes)
            } else {
                bytes
            };
            if broken.is_none() {
                broken = framing.take(bytes, &mut messages, &mut pinged).err();
            }
        });
        let flow = connection.flow;
        let why = match (ended, broken) {
            (Err(error), _) => Some(error.to_string()),
            (_, Some(broken)) => Some(broken),
            (Ok(true), None) => Some("the peer has ended it".to_owned()),
            (Ok(false), None) => None,
        };
        if pinged {
            let pong = connection.framing.pong();
            connection.waiting.push_back((pong, None));
        }
        let allowed = self.identify(token);
        // What WebSocket has to say, even when that is why it ends.
        self.flush(registry, token);
        if let Some(why) = why {
            tracing::debug!(peer = %flow.remote, transport = %flow.transport, why, "connection closed");
            self.close(registry, token);
        }
        if !allowed {
            self.close(registry, token);
            return Vec::new();
        }
        self.note_alias(token, &messages);
        messages.into_iter().map(|bytes| (flow, bytes)).collect()
    }

    /// Whose connection it is, once its certificate is seen. False: nobody's whom we know.
    fn identify(&mut self, token: usize) -> bool {
        let Some(connection) = self.open.get_mut(&token) else {
            return false;
        };
        if connection.identified || !connection.channel.is_ready() || connection.ours {
            return true;
        }
        connection.identified = true;
        let names = connection
            .channel
            .peer_certificate()
            .map(identities)
            .unwrap_or_default();
        let trunk = self.trunks.now().of_identities(&names).cloned();
        let known = trunk.is_some();
        connection.is_trunks = known;
        if let (Some(trunk), Some(id)) = (trunk, connection.flow.connection) {
            self.trunks.note_connection(id, trunk);
        }
        known || !connection.on_probation
    }

    /// What a trunk says of its connection, which has shown whose it is.
    fn note_alias(&mut self, token: usize, messages: &[Bytes]) {
        let Some(connection) = self.open.get(&token).filter(|found| found.is_trunks) else {
            return;
        };
        let flow = &connection.flow;
        let mut said = messages
            .iter()
            .filter_map(|message| alias(message, flow.transport));
        if let (Some(said), Some(certificate)) =
            (said.next(), connection.channel.peer_certificate())
        {
            self.aliases
                .note(token, certificate, said, flow.remote.ip());
        }
    }

    /// A phone has registered over a connection.
    pub(super) fn keep(&mut self, id: ConnectionId, until: Instant) {
        let token = usize::try_from(id.0).ok();
        if let Some(connection) = token.and_then(|token| self.open.get_mut(&token)) {
            self.guests -= usize::from(std::mem::take(&mut connection.guest));
            connection.kept = Some(until);
        }
    }

    fn find(&self, target: &StreamTarget) -> Option<usize> {
        let by_id = target
            .connection
            .and_then(|id| usize::try_from(id.0).ok())
            .filter(|token| self.open.contains_key(token));
        by_id.or_else(|| {
            let key = PoolKey {
                transport: target.transport,
                to: target.to,
                name: target.name.clone(),
            };
            let pooled = self.pool.get(&key).copied();
            let stands = pooled
                .and_then(|token| self.open.get(&token))
                .is_some_and(|connection| connection.channel.is_ready());
            if stands {
                return pooled;
            }
            self.alias_of(target).or(pooled)
        })
    }

    /// The connection that the target itself has opened, where it takes requests over it (RFC 5923).
    fn alias_of(&self, target: &StreamTarget) -> Option<usize> {
        let address = target.to.ip().to_canonical().to_string();
        let name = target.name.as_deref().unwrap_or(&address);
        let found = (target.transport == Transport::Tls)
            .then(|| self.aliases.to(target.to, name))
            .flatten();
        found.filter(|token| self.open.contains_key(token))
    }

    /// Sends on an open connection.
    pub(super) fn send(&mut self, registry: &Registry, flow: &Flow, bytes: Bytes) {
        let target = StreamTarget {
            transport: flow.transport,
            connection: flow.connection,
            to: flow.remote,
            name: None,
        };
        if let Some(token) = self.find(&target) {
            self.enqueue(registry, token, bytes, None);
        }
    }

    /// Sends on a connection, opening one if needed (RFC 3261 §18.2.2); false when it cannot be.
    pub(super) fn send_or_connect(
        &mut self,
        registry: &Registry,
        target: &StreamTarget,
        bytes: Bytes,
        from: Sent,
    ) -> bool {
        let token = match self.find(target) {
            Some(token) => token,
            None if self.open.len() >= self.limit => return false,
            None => match self.connect(registry, target) {
                Ok(token) => token,
                Err(error) => {
                    tracing::debug!(to = %target.to, %error, "{} connect", target.transport);
                    return false;
                }
            },
        };
        self.enqueue(registry, token, bytes, from);
        true
    }

    fn connect(&mut self, registry: &Registry, target: &StreamTarget) -> io::Result<usize> {
        let StreamTarget {
            transport,
            to,
            name,
            ..
        } = target;
        let address = to.ip().to_string();
        let name_text = name.as_deref().unwrap_or(&address);
        let tls = if transport.is_secure() {
            // A name that is no host's (a wildcard that stands in a certificate) is expected, but not told.
            let setup = self.tls.now();
            let session = setup
                .connect(name_text, name_text)
                .or_else(|| setup.connect(&address, name_text));
            Some(session.ok_or_else(|| io::Error::other("no TLS for this name"))?)
        } else {
            None
        };
        let framing = match transport {
            Transport::Ws | Transport::Wss => {
                let host = match to.ip() {
                    _ if name.is_some() && !name_text.contains(':') => name_text.to_owned(),
                    IpAddr::V4(ip) => ip.to_string(),
                    IpAddr::V6(ip) => format!("[{ip}]"),
                };
                let authority = format!("{host}:{}", to.port());
                let client = WebSocketFraming::client(&authority, transport.is_secure());
                Framing::Web(Box::new(client.map_err(io::Error::other)?))
            }
            Transport::Udp | Transport::Tcp | Transport::Tls => {
                Framing::Sip(StreamFramer::default())
            }
        };
        let local = self
            .local(*transport)
            .unwrap_or_else(|| SocketAddr::new(to.ip(), 0));
        let key = PoolKey {
            transport: *transport,
            to: *to,
            name: name.clone(),
        };
        let channel = Channel::new(TcpStream::connect(*to)?, tls, true);
        self.add(registry, channel, framing, local, key, true)
    }

    fn enqueue(&mut self, registry: &Registry, token: usize, bytes: Bytes, from: Sent) {
        let Some(connection) = self.open.get_mut(&token) else {
            return;
        };
        connection.waiting_bytes += bytes.len();
        connection.waiting.push_back((bytes, from));
        if connection.waiting_bytes > MOST_WAITING {
            self.close(registry, token);
        } else {
            self.flush(registry, token);
        }
    }

    /// Writes what waits.
    pub(super) fn flush(&mut self, registry: &Registry, token: usize) {
        let Some(connection) = self.open.get_mut(&token) else {
            return;
        };
        match connection.write_out() {
            Ok(()) => {
                let wants_write = connection.channel.wants_write() || !connection.raw.is_empty();
                if wants_write == connection.wants_write {
                    return;
                }
                connection.wants_write = wants_write;
                let interest = if wants_write {
                    Interest::READABLE | Interest::WRITABLE
                } else {
                    Interest::READABLE
                };
                let source = connection.channel.source();
                if registry.reregister(source, Token(token), interest).is_err() {
                    self.close(registry, token);
                }
            }
            Err(error) => {
                tracing::debug!(peer = %connection.flow.remote, %error, "connection lost");
                self.close(registry, token);
            }
        }
    }

    fn close(&mut self, registry: &Registry, token: usize) {
        if let Some(mut connection) = self.open.remove(&token) {
            self.guests -= usize::from(connection.guest);
            self.aliases.forget(token);
            connection.channel.take_leave();
            let _ = registry.deregister(connection.channel.source());
            if self.pool.get(&connection.key) == Some(&token) {
                self.pool.remove(&connection.key);
            }
            if let Some(id) = connection.flow.connection {
                self.trunks.forget_connection(id);
            }
            let waiting = connection.waiting.into_iter().filter_map(|(_, from)| from);
            self.failed
                .extend(connection.sending.into_iter().chain(waiting));
        }
    }

    /// Shows the peer that a connection lives, where it is open.
    pub(super) fn ping(&mut self, registry: &Registry, target: &StreamTarget) {
        let ready =
            |connection: &Connection| connection.channel.is_ready() && connection.framing.is_open();
        if let Some(token) = self.find(target)
            && self.open.get(&token).is_some_and(ready)
        {
            self.ping_over(registry, token, Instant::now());
        }
    }

    fn ping_over(&mut self, registry: &Registry, token: usize, now: Instant) {
        if let Some(connection) = self.open.get_mut(&token) {
            connection.pinged.get_or_insert(now);
            if !connection.answers_pings {
                connection.pinged = Some(now);
            }
            connection.ping();
        }
        self.flush(registry, token);
    }

    /// Closes what is idle, stuck or dead, and asks those whom we have called whether they live.
    pub(super) fn housekeeping(&mut self, registry: &Registry, now: Instant) {
        let (mut over, mut to_ping) = (Vec::new(), Vec::new());
        for (token, connection) in &self.open {
            let since = |then: Instant| now.saturating_duration_since(then);
            let ready = connection.channel.is_ready() && connection.framing.is_open();
            let stuck = !ready && since(connection.began) > SETTLING;
            let keep_alive = self.keep_alive.filter(|_| connection.ours && ready);
            let silent = keep_alive.is_some_and(|every| since(connection.heard) > every);
            // No pong within ten seconds: the flow has failed (RFC 5626 §4.4.1).
            let dead = connection.answers_pings
                && connection.pinged.is_some_and(|at| since(at) > SETTLING);
            let idle =
                since(connection.used) > IDLE && connection.kept.is_none_or(|until| until <= now);
            let overdue = connection.guest && since(connection.began) > GUEST;
            if stuck || dead || idle || overdue {
                over.push(*token);
            } else if silent
                && connection
                    .pinged
                    .is_none_or(|at| keep_alive.is_some_and(|every| since(at) > every))
            {
                to_ping.push(*token);
            }
        }
        for token in to_ping {
            self.ping_over(registry, token, now);
        }
        for token in over {
            self.close(registry, token);
        }
    }
}

impl Connection {
    fn ping(&mut self) {
        // On a WebSocket the ping is among the framing's own output already.
        let ping = self.framing.ping();
        if self.raw.is_empty() {
            self.raw = ping;
        }
    }

    fn write_out(&mut self) -> io::Result<()> {
        if !self.channel.finish_connecting()? {
            return Ok(());
        }
        self.channel.flush()?;
        if !self.channel.is_ready() {
            return Ok(());
        }
        loop {
            while !self.raw.is_empty() {
                let len = self.channel.write(&self.raw)?;
                if len == 0 {
                    return Ok(());
                }
                self.used = Instant::now();
                self.raw.advance(len.min(self.raw.len()));
            }
            self.sending = None;
            self.raw = self.framing.output();
            if !self.raw.is_empty() {
                continue;
            }
            if !self.framing.is_open() {
                return Ok(());
            }
            let Some((message, from)) = self.waiting.pop_front() else {
                return Ok(());
            };
            self.waiting_bytes = self.waiting_bytes.saturating_sub(message.len());
            self.sending = from;
            self.raw = self.framing.encode(message).map_err(io::Error::other)?;
        }
    }
}
