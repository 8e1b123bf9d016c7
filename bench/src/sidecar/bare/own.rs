//! A socket for each leg, by epoll.

use std::io;
use std::mem::{size_of, zeroed};
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;

use mio::net::UdpSocket;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::Relaying;

/// Orders come here.
const STDIN: Token = Token(usize::MAX);
/// Datagrams that are taken from a socket at once: more have seldom come.
const BATCH: usize = 4;
/// Room for a packet.
const ROOM: usize = 2048;

/// The legs: the device's of call 0, the phone's, the device's of call 1, …
pub(super) struct Own {
    poll: Poll,
    events: Events,
    legs: Vec<UdpSocket>,
    ends: [SocketAddr; 2],
    batched: bool,
    buffers: Box<[[u8; ROOM]; BATCH]>,
}

impl Own {
    pub(super) fn new(ends: [SocketAddr; 2], batched: bool) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        poll.registry()
            .register(&mut SourceFd(&0), STDIN, Interest::READABLE)?;
        Ok(Self {
            poll,
            events: Events::with_capacity(1024),
            legs: Vec::new(),
            ends,
            batched,
            buffers: Box::new([[0; ROOM]; BATCH]),
        })
    }

    fn open(&mut self) -> anyhow::Result<SocketAddr> {
        let mut leg = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = leg.local_addr()?;
        let token = Token(self.legs.len());
        self.poll
            .registry()
            .register(&mut leg, token, Interest::READABLE)?;
        self.legs.push(leg);
        Ok(address)
    }

    /// Sends what waits at a leg out of the other leg of its call.
    fn pass(&mut self, place: usize) {
        let (Some(leg), Some(other)) = (self.legs.get(place), self.legs.get(place ^ 1)) else {
            return;
        };
        let to = self.ends[1 - place % 2];
        loop {
            if !self.batched {
                let Ok((len, _)) = leg.recv_from(&mut self.buffers[0]) else {
                    return;
                };
                let _ = other.send_to(&self.buffers[0][..len], to);
                continue;
            }
            let lengths = receive(leg, &mut self.buffers);
            let came = lengths.iter().flatten().count();
            for (buffer, len) in self.buffers.iter().zip(lengths.into_iter().flatten()) {
                let _ = other.send_to(&buffer[..len.min(ROOM)], to);
            }
            if came < BATCH {
                return;
            }
        }
    }
}

impl Relaying for Own {
    fn add(&mut self) -> anyhow::Result<(SocketAddr, SocketAddr)> {
        Ok((self.open()?, self.open()?))
    }

    fn relay(&mut self) -> anyhow::Result<()> {
        loop {
            match self.poll.poll(&mut self.events, None) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            let ready: Vec<Token> = self.events.iter().map(mio::event::Event::token).collect();
            for token in &ready {
                self.pass(token.0);
            }
            if ready.contains(&STDIN) {
                return Ok(());
            }
        }
    }
}

/// What waits at a socket, a batch at most: the datagrams' lengths.
fn receive(socket: &UdpSocket, buffers: &mut [[u8; ROOM]; BATCH]) -> [Option<usize>; BATCH] {
    // SAFETY: these are structs of numbers and pointers, for which zeros are valid.
    let (mut names, mut parts, mut messages): (
        [libc::sockaddr_in; BATCH],
        [libc::iovec; BATCH],
        [libc::mmsghdr; BATCH],
    ) = unsafe { zeroed() };
    for (place, buffer) in buffers.iter_mut().enumerate() {
        parts[place].iov_base = buffer.as_mut_ptr().cast();
        parts[place].iov_len = ROOM;
        let header = &mut messages[place].msg_hdr;
        header.msg_name = (&raw mut names[place]).cast();
        header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        header.msg_iov = &raw mut parts[place];
        header.msg_iovlen = 1;
    }
    // SAFETY: all messages were filled above; what they point to lives in this function and in `buffers`.
    let came = unsafe {
        libc::recvmmsg(
            socket.as_raw_fd(),
            messages.as_mut_ptr(),
            BATCH as libc::c_uint,
            libc::MSG_DONTWAIT,
            std::ptr::null_mut(),
        )
    };
    let came = usize::try_from(came).unwrap_or_default();
    std::array::from_fn(|place| (place < came).then_some(messages[place].msg_len as usize))
}
