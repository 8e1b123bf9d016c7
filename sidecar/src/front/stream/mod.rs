//! Connections: accepted and made, with TLS and WebSocket on them where the transport says so, cut into messages,
//! written without blocking.
//!
//! A connection is found by its id, by which the requests and responses of a dialog go back the way they came (RFC 5923),
//! or by transport, address and the name that its certificate proves: one connection carries all calls to a target.

mod alias;
mod channel;
mod connection;
mod framing;
mod listening;
mod sending;
mod websocket;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mio::{Interest, Registry, Token};
use skillcall_sip::endpoint::{ConnectionId, Flow, TransmitId, Transport};
use skillcall_sip::peek::alias;

use super::FIRST_CONNECTION;
use crate::tls::{Tls, identities};
use crate::trunks::Trunks;
use alias::Aliases;
use channel::Channel;
use connection::Connection;
use framing::Framing;
use listening::Listener;

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

    pub(super) fn count(&self) -> usize {
        self.open.len()
    }

    /// Messages that will not be sent, since the last time.
    pub(super) fn take_failed(&mut self) -> Vec<(usize, TransmitId)> {
        std::mem::take(&mut self.failed)
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
