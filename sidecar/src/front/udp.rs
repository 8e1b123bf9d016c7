//! The UDP listener, with 4 MB of buffer each way.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use bytes::Bytes;
use skillcall_sip::endpoint::Flow;
use socket2::{Domain, Protocol, Socket, Type};

use crate::datagram::{Received, Receiver, Sender};

/// Socket buffers, in bytes: 4 MB take a burst of about 5,000 INVITEs.
const BUFFER: usize = 4 << 20;
/// Batches of datagrams that are handled before others get their turn.
const BATCHES: usize = 8;

pub(super) struct UdpListener {
    socket: mio::net::UdpSocket,
    local: SocketAddr,
}

/// What reads and answers at the listener. Stays on the thread that made it.
pub(super) struct UdpReader {
    receiver: Receiver,
    sender: Sender,
    replies: Vec<(SocketAddr, Bytes)>,
}

impl UdpReader {
    pub(super) fn new() -> Self {
        Self {
            receiver: Receiver::new(),
            sender: Sender::new(),
            replies: Vec::new(),
        }
    }
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
        Ok(Self { socket, local })
    }

    pub(super) fn source(&mut self) -> &mut mio::net::UdpSocket {
        &mut self.socket
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// The socket of a process that was taken over from.
    pub(super) fn inherit(socket: UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let socket = mio::net::UdpSocket::from_std(socket);
        let local = socket.local_addr()?;
        Ok(Self { socket, local })
    }

    /// Answers somebody. What is lost is sent again when the request is repeated.
    pub(super) fn answer(&self, to: SocketAddr, bytes: &[u8]) {
        let _ = self.socket.send_to(bytes, to);
    }

    /// Another handle of the same socket, for workers to send by.
    pub(super) fn sender(&self) -> io::Result<UdpSocket> {
        use std::os::fd::{AsFd, BorrowedFd};
        let fd: BorrowedFd<'_> = self.socket.as_fd();
        Ok(fd.try_clone_to_owned()?.into())
    }

    /// Reads some batches; what `each` returns goes back to the sender. True: there may be more.
    pub(super) fn receive(
        &self,
        reader: &mut UdpReader,
        mut each: impl FnMut(Flow, &[u8]) -> Option<Bytes>,
    ) -> bool {
        for _ in 0..BATCHES {
            let replies = &mut reader.replies;
            let received = reader.receiver.receive(&self.socket, |from, datagram| {
                if let Some(reply) = each(Flow::udp(self.local, from), datagram) {
                    replies.push((from, reply));
                }
            });
            if !reader.replies.is_empty() {
                // A refusal that cannot be sent is sent again when the request is repeated.
                reader.sender.send(&self.socket, &reader.replies, |_, _| {});
                reader.replies.clear();
            }
            match received {
                Ok(Received::Some) => {}
                Ok(Received::Empty) => return false,
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
