//! Messages for connections: the one that is named, one that leads there, or a new one.

use std::io;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use skillcall_sip::endpoint::{Flow, Transport};
use skillcall_sip::message::StreamFramer;

use super::channel::Channel;
use super::framing::Framing;
use super::websocket::WebSocketFraming;
use super::{MOST_WAITING, PoolKey, Sent, StreamTarget, Streams};

impl Streams {
    pub(super) fn find(&self, target: &StreamTarget) -> Option<usize> {
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
    pub(super) fn alias_of(&self, target: &StreamTarget) -> Option<usize> {
        let address = target.to.ip().to_canonical().to_string();
        let name = target.name.as_deref().unwrap_or(&address);
        let found = (target.transport == Transport::Tls)
            .then(|| self.aliases.to(target.to, name))
            .flatten();
        found.filter(|token| self.open.contains_key(token))
    }

    /// Sends on an open connection.
    pub(in crate::front) fn send(&mut self, registry: &Registry, flow: &Flow, bytes: Bytes) {
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
    pub(in crate::front) fn send_or_connect(
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

    pub(super) fn connect(
        &mut self,
        registry: &Registry,
        target: &StreamTarget,
    ) -> io::Result<usize> {
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

    pub(super) fn enqueue(&mut self, registry: &Registry, token: usize, bytes: Bytes, from: Sent) {
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
    pub(in crate::front) fn flush(&mut self, registry: &Registry, token: usize) {
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
}
