//! `recvmmsg` and `sendmmsg`.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};

use bytes::Bytes;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};

use super::{BATCH, LARGEST, Received};

/// Buffers for a batch of received datagrams. Stays on the thread that made it.
pub(crate) struct Receiver {
    headers: MultiHeaders<SockaddrStorage>,
    buffers: Vec<Box<[u8]>>,
}

impl Receiver {
    pub(crate) fn new() -> Self {
        Self {
            headers: MultiHeaders::preallocate(BATCH, None),
            buffers: (0..BATCH).map(|_| vec![0; LARGEST].into()).collect(),
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
        let mut slices: Vec<[IoSliceMut<'_>; 1]> = self
            .buffers
            .iter_mut()
            .map(|buffer| [IoSliceMut::new(buffer)])
            .collect();
        let taken = recvmmsg(
            socket.as_fd().as_raw_fd(),
            &mut self.headers,
            slices.iter_mut(),
            MsgFlags::MSG_DONTWAIT,
            None,
        );
        let taken = match taken {
            Ok(taken) => taken,
            Err(Errno::EAGAIN) => return Ok(Received::Empty),
            Err(Errno::ECONNREFUSED | Errno::EINTR) => return Ok(Received::Some),
            Err(error) => return Err(error.into()),
        };
        let mut count = 0;
        for message in taken {
            count += 1;
            let from = message.address.as_ref().and_then(socket_address);
            if let (Some(from), Some(bytes)) = (from, message.iovs().next()) {
                each(from, bytes);
            }
        }
        Ok(if count < BATCH {
            Received::Empty
        } else {
            Received::Some
        })
    }
}

/// Headers for a batch of datagrams to send. Stays on the thread that made it.
pub(crate) struct Sender {
    headers: MultiHeaders<SockaddrStorage>,
}

impl Sender {
    pub(crate) fn new() -> Self {
        Self {
            headers: MultiHeaders::preallocate(BATCH, None),
        }
    }

    /// Sends each; what could not be sent is told by its place in `datagrams`.
    pub(crate) fn send(
        &mut self,
        socket: &impl AsFd,
        datagrams: &[(SocketAddr, Bytes)],
        mut failed: impl FnMut(usize, io::Error),
    ) {
        let fd = socket.as_fd().as_raw_fd();
        let mut done = 0;
        while let Some(rest) = datagrams.get(done..).filter(|rest| !rest.is_empty()) {
            let batch = rest.get(..BATCH).unwrap_or(rest);
            let slices: Vec<[IoSlice<'_>; 1]> = batch
                .iter()
                .map(|(_, bytes)| [IoSlice::new(bytes)])
                .collect();
            let addresses: Vec<Option<SockaddrStorage>> = batch
                .iter()
                .map(|(to, _)| Some(SockaddrStorage::from(*to)))
                .collect();
            let sent = sendmmsg(
                fd,
                &mut self.headers,
                &slices,
                &addresses,
                [],
                MsgFlags::MSG_DONTWAIT,
            );
            match sent {
                Ok(sent) => done += sent.count().max(1),
                Err(Errno::EINTR) => {}
                // The first of them is what it is about.
                Err(error) => {
                    failed(done, error.into());
                    done += 1;
                }
            }
        }
    }
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::new(v4.ip().into(), v4.port()));
    }
    let v6 = address.as_sockaddr_in6()?;
    Some(SocketAddr::V6((*v6).into()))
}
