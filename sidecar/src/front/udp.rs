//! The UDP listener, with 4 MB of buffer each way.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use bytes::Bytes;
use socket2::{Domain, Protocol, Socket, Type};

/// Socket buffers, in bytes: 4 MB take a burst of about 5,000 INVITEs.
const BUFFER: usize = 4 << 20;
/// The largest datagram.
const DATAGRAM: usize = 65_535;
/// Datagrams that are handled before others get their turn.
const BATCH: usize = 256;

pub(super) struct UdpListener {
    socket: mio::net::UdpSocket,
    local: SocketAddr,
    buffer: Box<[u8]>,
}

impl UdpListener {
    pub(super) fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::DGRAM,
            Some(Protocol::UDP),
        )?;
        socket.set_nonblocking(true)?;
        // The system may give less; what it gives is taken.
        let _ = socket.set_recv_buffer_size(BUFFER);
        let _ = socket.set_send_buffer_size(BUFFER);
        socket
            .bind(&address.into())
            .map_err(|error| named(address, "udp", &error))?;
        let socket = mio::net::UdpSocket::from_std(socket.into());
        let local = socket.local_addr()?;
        Ok(Self {
            socket,
            local,
            buffer: vec![0; DATAGRAM].into_boxed_slice(),
        })
    }

    pub(super) fn source(&mut self) -> &mut mio::net::UdpSocket {
        &mut self.socket
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Another handle of the same socket, for workers to send by.
    pub(super) fn sender(&self) -> io::Result<UdpSocket> {
        use std::os::fd::{AsFd, BorrowedFd};
        let fd: BorrowedFd<'_> = self.socket.as_fd();
        Ok(fd.try_clone_to_owned()?.into())
    }

    /// Reads a batch; what `each` returns goes back to the sender. True: there may be more.
    pub(super) fn receive(
        &mut self,
        mut each: impl FnMut(SocketAddr, &[u8]) -> Option<Bytes>,
    ) -> bool {
        for _ in 0..BATCH {
            match self.socket.recv_from(&mut self.buffer) {
                Ok((len, from)) => {
                    let reply = each(from, self.buffer.get(..len).unwrap_or_default());
                    if let Some(reply) = reply {
                        // A refusal that cannot be sent is sent again when the request is repeated.
                        let _ = self.socket.send_to(&reply, from);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                // ICMP's answer to something sent earlier: not of interest here.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => {
                    tracing::warn!(%error, "UDP receive");
                    return true;
                }
            }
        }
        true
    }
}

/// An error that says which address it is about.
pub(super) fn named(address: SocketAddr, transport: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{transport}:{address}: {error}"))
}
