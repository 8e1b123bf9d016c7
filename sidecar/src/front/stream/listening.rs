//! The listeners of connections, and whom they let in.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd as _, OwnedFd};

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use skillcall_sip::endpoint::Transport;
use skillcall_sip::message::StreamFramer;

use super::channel::Channel;
use super::framing::Framing;
use super::websocket::WebSocketFraming;
use super::{GUESTS_PART, PoolKey, Streams, Welcome};
use crate::front::udp::named;

/// What is accepted on one port.
pub(super) struct Listener {
    pub(super) socket: TcpListener,
    pub(super) token: Token,
    pub(super) transport: Transport,
    pub(super) local: SocketAddr,
}

impl Streams {
    /// Binds one more listener.
    pub(in crate::front) fn bind(
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
    pub(in crate::front) fn inherit(
        &mut self,
        registry: &Registry,
        token: Token,
        transport: Transport,
        socket: std::net::TcpListener,
    ) -> io::Result<()> {
        socket.set_nonblocking(true)?;
        self.listen(registry, token, transport, TcpListener::from_std(socket))
    }

    pub(super) fn listen(
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
    pub(in crate::front) fn duplicate(&self, transport: Transport) -> io::Result<Option<OwnedFd>> {
        let listener = self
            .listeners
            .iter()
            .find(|listener| listener.transport == transport);
        listener
            .map(|listener| listener.socket.as_fd().try_clone_to_owned())
            .transpose()
    }

    /// Whether what connects is taken in here, or by the process that has taken over. Connections stay.
    pub(in crate::front) fn accepts(&mut self, registry: &Registry, on: bool) -> io::Result<()> {
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
    pub(in crate::front) fn local(&self, transport: Transport) -> Option<SocketAddr> {
        self.listeners
            .iter()
            .find(|listener| listener.transport == transport)
            .map(|listener| listener.local)
    }

    /// Takes what has come in on the listener of a transport.
    pub(in crate::front) fn accept(
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

    pub(super) fn take_in(
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
}
