//! Where the system has no calls for many datagrams.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;

use bytes::Bytes;
use socket2::SockRef;

use super::{BATCH, LARGEST, Received};

/// A buffer for a received datagram.
pub(crate) struct Receiver {
    buffer: Box<[u8]>,
}

impl Receiver {
    pub(crate) fn new() -> Self {
        Self {
            buffer: vec![0; LARGEST].into(),
        }
    }

    /// Takes the datagrams that wait at a socket that does not block, a batch at most.
    ///
    /// # Errors
    /// What the system says; a refusal by ICMP of something sent earlier is passed over.
    pub(crate) fn receive(
        &mut self,
        socket: &impl AsFd,
        mut each: impl FnMut(SocketAddr, &[u8]),
    ) -> io::Result<Received> {
        let socket = UdpSocket::from(socket.as_fd().try_clone_to_owned()?);
        for _ in 0..BATCH {
            match socket.recv_from(&mut self.buffer) {
                Ok((len, from)) => each(from, self.buffer.get(..len).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Received::Empty);
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionRefused | io::ErrorKind::Interrupted
                    ) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Received::Some)
    }
}

/// Sends datagrams.
pub(crate) struct Sender;

impl Sender {
    pub(crate) fn new() -> Self {
        Self
    }

    /// Sends each; what could not be sent is told by its place in `datagrams`.
    pub(crate) fn send(
        &mut self,
        socket: &impl AsFd,
        datagrams: &[(SocketAddr, Bytes)],
        mut failed: impl FnMut(usize, io::Error),
    ) {
        for (place, (to, bytes)) in datagrams.iter().enumerate() {
            if let Err(error) = SockRef::from(socket).send_to(bytes, &(*to).into()) {
                failed(place, error);
            }
        }
    }
}
