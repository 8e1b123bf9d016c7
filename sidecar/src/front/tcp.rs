//! TCP connections: accepted and made, cut into messages, written without blocking.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use skillcall_sip::endpoint::{ConnectionId, Flow, TransmitId};
use skillcall_sip::message::{Frame, StreamFramer};

use super::FIRST_CONNECTION;
use super::udp::named;

/// Bytes that may wait on one connection; a peer that does not read loses it.
const MOST_WAITING: usize = 1 << 20;
/// A connection without traffic is closed after this time.
const IDLE: Duration = Duration::from_secs(600);
/// Bytes read at a time.
const CHUNK: usize = 16 * 1024;

type Sent = Option<(usize, TransmitId)>;

struct Connection {
    stream: TcpStream,
    flow: Flow,
    framer: StreamFramer,
    waiting: VecDeque<(Bytes, Sent)>,
    waiting_bytes: usize,
    used: Instant,
    connecting: bool,
}

/// The listener and its connections.
pub(super) struct Connections {
    listener: TcpListener,
    local: SocketAddr,
    open: HashMap<usize, Connection>,
    by_peer: HashMap<SocketAddr, usize>,
    next: usize,
    limit: usize,
    failed: Vec<(usize, TransmitId)>,
}

impl Connections {
    pub(super) fn bind(address: SocketAddr, limit: usize) -> io::Result<Self> {
        let listener = TcpListener::bind(address).map_err(|error| named(address, "tcp", &error))?;
        let local = listener.local_addr()?;
        Ok(Self {
            listener,
            local,
            open: HashMap::new(),
            by_peer: HashMap::new(),
            next: FIRST_CONNECTION,
            limit,
            failed: Vec::new(),
        })
    }

    pub(super) fn source(&mut self) -> &mut TcpListener {
        &mut self.listener
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(super) fn count(&self) -> usize {
        self.open.len()
    }

    /// Messages that will not be sent, since the last time.
    pub(super) fn take_failed(&mut self) -> Vec<(usize, TransmitId)> {
        std::mem::take(&mut self.failed)
    }

    pub(super) fn accept(&mut self, registry: &Registry, allowed: impl Fn(IpAddr) -> bool) {
        loop {
            match self.listener.accept() {
                Ok((stream, peer)) => {
                    // Over the limit, or from a stranger: dropping the stream closes it.
                    if self.open.len() < self.limit && allowed(peer.ip()) {
                        let _ = self.add(registry, stream, peer, false);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    // Out of file handles, most likely: the listener is tried again at the next event.
                    tracing::warn!(%error, "TCP accept");
                    return;
                }
            }
        }
    }

    fn add(
        &mut self,
        registry: &Registry,
        mut stream: TcpStream,
        peer: SocketAddr,
        connecting: bool,
    ) -> io::Result<usize> {
        let token = self.next;
        self.next += 1;
        let interest = if connecting {
            Interest::READABLE | Interest::WRITABLE
        } else {
            Interest::READABLE
        };
        registry.register(&mut stream, Token(token), interest)?;
        let _ = stream.set_nodelay(true);
        let flow = Flow::tcp(self.local, peer, ConnectionId(token as u64));
        let connection = Connection {
            stream,
            flow,
            framer: StreamFramer::default(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            used: Instant::now(),
            connecting,
        };
        self.open.insert(token, connection);
        self.by_peer.insert(peer, token);
        Ok(token)
    }

    /// The messages that a connection has now.
    pub(super) fn read(&mut self, registry: &Registry, token: usize) -> Vec<(Flow, Bytes)> {
        let mut messages = Vec::new();
        let Some(connection) = self.open.get_mut(&token) else {
            return messages;
        };
        if connection.connecting {
            return messages;
        }
        connection.used = Instant::now();
        let mut chunk = [0; CHUNK];
        let mut ended = false;
        let mut pings = 0;
        while !ended {
            match connection.stream.read(&mut chunk) {
                Ok(0) => ended = true,
                Ok(len) => {
                    connection.framer.push(chunk.get(..len).unwrap_or_default());
                    loop {
                        match connection.framer.poll() {
                            Ok(Some(Frame::Message(bytes))) => {
                                messages.push((connection.flow, bytes))
                            }
                            Ok(Some(Frame::Ping)) => pings += 1,
                            Ok(None) => break,
                            Err(error) => {
                                tracing::debug!(peer = %connection.flow.remote, %error, "TCP stream closed");
                                ended = true;
                                break;
                            }
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => ended = true,
            }
        }
        let peer = connection.flow.remote;
        // One pong answers all pings of a read (RFC 5626 §4.4.1).
        if pings > 0 && !ended {
            self.send(
                registry,
                Some(ConnectionId(token as u64)),
                peer,
                Bytes::from_static(b"\r\n"),
            );
        }
        if ended {
            self.close(registry, token);
        }
        messages
    }

    /// Sends on an open connection.
    pub(super) fn send(
        &mut self,
        registry: &Registry,
        connection: Option<ConnectionId>,
        to: SocketAddr,
        bytes: Bytes,
    ) {
        let token = connection
            .and_then(|id| usize::try_from(id.0).ok())
            .filter(|token| self.open.contains_key(token))
            .or_else(|| self.by_peer.get(&to).copied());
        if let Some(token) = token {
            self.enqueue(registry, token, bytes, None);
        }
    }

    /// Sends on a connection, opening one if needed (RFC 3261 §18.2.2); false when it cannot be.
    pub(super) fn send_or_connect(
        &mut self,
        registry: &Registry,
        connection: Option<ConnectionId>,
        to: SocketAddr,
        bytes: Bytes,
        from: Sent,
    ) -> bool {
        let open = connection
            .and_then(|id| usize::try_from(id.0).ok())
            .filter(|token| self.open.contains_key(token))
            .or_else(|| self.by_peer.get(&to).copied());
        let token = match open {
            Some(token) => token,
            None if self.open.len() >= self.limit => return false,
            None => {
                let made =
                    TcpStream::connect(to).and_then(|stream| self.add(registry, stream, to, true));
                match made {
                    Ok(token) => token,
                    Err(error) => {
                        tracing::debug!(%to, %error, "TCP connect");
                        return false;
                    }
                }
            }
        };
        self.enqueue(registry, token, bytes, from);
        true
    }

    fn enqueue(&mut self, registry: &Registry, token: usize, bytes: Bytes, from: Sent) {
        let Some(connection) = self.open.get_mut(&token) else {
            return;
        };
        connection.waiting_bytes += bytes.len();
        connection.waiting.push_back((bytes, from));
        if connection.waiting_bytes > MOST_WAITING {
            self.close(registry, token);
        } else if !connection.connecting {
            self.flush(registry, token);
        }
    }

    /// Writes what waits.
    pub(super) fn flush(&mut self, registry: &Registry, token: usize) {
        let Some(connection) = self.open.get_mut(&token) else {
            return;
        };
        if connection.connecting {
            if let Ok(Some(_)) | Err(_) = connection.stream.take_error() {
                self.close(registry, token);
                return;
            }
            match connection.stream.peer_addr() {
                Ok(_) => connection.connecting = false,
                Err(error) if error.kind() == io::ErrorKind::NotConnected => return,
                Err(_) => {
                    self.close(registry, token);
                    return;
                }
            }
        }
        connection.used = Instant::now();
        while let Some((bytes, _)) = connection.waiting.front_mut() {
            match connection.stream.write(bytes) {
                Ok(0) => break,
                Ok(len) => {
                    connection.waiting_bytes = connection.waiting_bytes.saturating_sub(len);
                    bytes.advance(len.min(bytes.len()));
                    if bytes.is_empty() {
                        connection.waiting.pop_front();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.close(registry, token);
                    return;
                }
            }
        }
        let interest = if connection.waiting.is_empty() {
            Interest::READABLE
        } else {
            Interest::READABLE | Interest::WRITABLE
        };
        if registry
            .reregister(&mut connection.stream, Token(token), interest)
            .is_err()
        {
            self.close(registry, token);
        }
    }

    fn close(&mut self, registry: &Registry, token: usize) {
        if let Some(mut connection) = self.open.remove(&token) {
            let _ = registry.deregister(&mut connection.stream);
            if self.by_peer.get(&connection.flow.remote) == Some(&token) {
                self.by_peer.remove(&connection.flow.remote);
            }
            self.failed
                .extend(connection.waiting.into_iter().filter_map(|(_, from)| from));
        }
    }

    pub(super) fn close_idle(&mut self, registry: &Registry, now: Instant) {
        let idle: Vec<usize> = self
            .open
            .iter()
            .filter(|(_, c)| now.saturating_duration_since(c.used) > IDLE)
            .map(|(token, _)| *token)
            .collect();
        for token in idle {
            self.close(registry, token);
        }
    }
}
