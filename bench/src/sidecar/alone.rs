//! `crates/sip` by itself as who is called: one thread, one socket, no handler, no media. What the sidecar's signalling
//! costs before the sidecar does anything with it.

use std::mem::zeroed;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use skillcall_sip::endpoint::{Destination, Endpoint, EndpointConfig, Event, Flow};
use skillcall_sip::sdp::{Capabilities, MediaSession};
use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};

use super::called::Called;
use super::cores;
use super::process::free_udp;

/// Datagrams of one system call.
const BATCH: usize = 32;
/// The most that a datagram of these calls holds.
const DATAGRAM: usize = 4096;
/// Receive and send buffers, in bytes.
const BUFFER: usize = 4 << 20;
/// The port that answers name; nobody listens there.
const RTP: u16 = 40_000;
/// Transactions at once: 32 s of those of 30,000 calls a second.
const TRANSACTIONS: usize = 2_000_000;

/// Such a process on the core on which servers are measured. Dropping it ends it.
pub(super) struct Alone {
    process: std::process::Child,
    address: SocketAddr,
}

impl Alone {
    pub(super) fn start() -> anyhow::Result<Self> {
        let address = free_udp()?;
        let process = cores::on_the_sidecars(std::env::current_exe()?)
            .args(["--answer", &address.to_string()])
            .spawn()
            .context("taskset")?;
        while UdpSocket::bind(address).is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(Self { process, address })
    }
}

impl Called for Alone {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn process(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Answers every call at this address, until the process is killed.
pub(crate) fn serve(address: SocketAddr) -> anyhow::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_recv_buffer_size(BUFFER)?;
    socket.set_send_buffer_size(BUFFER)?;
    socket.bind(&address.into())?;
    let mut config = EndpointConfig::new(address, rand::random());
    config.limits.transactions = TRANSACTIONS;
    let mut endpoint = Endpoint::new(config);
    let mut datagrams = Datagrams::new();
    loop {
        let now = Instant::now();
        let wait = endpoint
            .next_timeout()
            .map_or(Duration::MAX, |next| next.saturating_duration_since(now));
        let came = datagrams.receive(&socket, wait)?;
        let now = Instant::now();
        for (from, bytes) in came {
            endpoint.receive(now, &Flow::udp(address, from), bytes);
        }
        endpoint.handle_timeout(now);
        while let Some(event) = endpoint.poll_event() {
            let Event::Invite { call, offer, .. } = event else {
                continue;
            };
            let capabilities = Capabilities::new(address.ip(), RTP);
            let mut media = MediaSession::new(capabilities, rand::random::<u64>() >> 2);
            let offer = offer.context("an INVITE without SDP")?;
            let (answer, _) = media.answer(&offer)?;
            endpoint.accept(now, call, &[], Some(answer))?;
        }
        let mut replies = Vec::new();
        while let Some(transmit) = endpoint.poll_transmit() {
            if let Destination::Addr(to) = transmit.destination {
                replies.push((SockAddr::from(to), transmit.bytes));
            }
        }
        send(&socket, &replies)?;
    }
}

/// Buffers for a batch of datagrams.
struct Datagrams {
    names: Vec<libc::sockaddr_in>,
    buffers: Vec<[u8; DATAGRAM]>,
    came: Vec<(SocketAddr, usize)>,
}

impl Datagrams {
    fn new() -> Self {
        Self {
            // SAFETY: a struct of numbers, for which zeros are valid.
            names: vec![unsafe { zeroed() }; BATCH],
            buffers: vec![[0; DATAGRAM]; BATCH],
            came: Vec::with_capacity(BATCH),
        }
    }

    /// Waits so long for a first datagram, and takes those that are there, a batch at most.
    fn receive(
        &mut self,
        socket: &Socket,
        wait: Duration,
    ) -> anyhow::Result<impl Iterator<Item = (SocketAddr, &[u8])>> {
        self.came.clear();
        let mut asked = libc::pollfd {
            fd: socket.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        let milliseconds = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: `asked` is one entry, which lives through the call.
        unsafe { libc::poll(&raw mut asked, 1, milliseconds) };
        // SAFETY: these are structs of numbers and pointers, for which zeros are valid.
        let (mut parts, mut messages): ([libc::iovec; BATCH], [libc::mmsghdr; BATCH]) =
            unsafe { zeroed() };
        for (place, (name, buffer)) in self.names.iter_mut().zip(&mut self.buffers).enumerate() {
            parts[place].iov_base = buffer.as_mut_ptr().cast();
            parts[place].iov_len = DATAGRAM;
            let header = &mut messages[place].msg_hdr;
            header.msg_name = std::ptr::from_mut(name).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            header.msg_iov = &raw mut parts[place];
            header.msg_iovlen = 1;
        }
        // SAFETY: all messages were filled above; what they point to lives in `self` and in this function.
        let came = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                messages.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        // Nothing there, or interrupted: nothing came.
        for (message, name) in messages
            .iter()
            .zip(&self.names)
            .take(usize::try_from(came).unwrap_or_default())
        {
            let from = SocketAddr::from((
                u32::from_be(name.sin_addr.s_addr).to_be_bytes(),
                u16::from_be(name.sin_port),
            ));
            self.came.push((from, message.msg_len as usize));
        }
        let pairs = self.came.iter().zip(&self.buffers);
        Ok(pairs.map(|((from, len), buffer)| (*from, buffer.get(..*len).unwrap_or_default())))
    }
}

/// Sends each.
fn send(socket: &Socket, replies: &[(SockAddr, bytes::Bytes)]) -> anyhow::Result<()> {
    for batch in replies.chunks(BATCH) {
        // SAFETY: these are structs of numbers and pointers, for which zeros are valid.
        let (mut names, mut parts, mut messages): (
            [SockAddrStorage; BATCH],
            [libc::iovec; BATCH],
            [libc::mmsghdr; BATCH],
        ) = unsafe { zeroed() };
        for (place, (to, bytes)) in batch.iter().enumerate() {
            names[place] = to.clone().as_storage();
            parts[place].iov_base = bytes.as_ptr().cast_mut().cast();
            parts[place].iov_len = bytes.len();
            let header = &mut messages[place].msg_hdr;
            header.msg_name = (&raw mut names[place]).cast();
            header.msg_namelen = to.len();
            header.msg_iov = &raw mut parts[place];
            header.msg_iovlen = 1;
        }
        let mut sent = 0;
        while sent < batch.len() {
            // SAFETY: `messages[sent..]` were filled above; what they point to lives in this function and in `replies`.
            let done = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    messages[sent..].as_mut_ptr(),
                    (batch.len() - sent) as libc::c_uint,
                    0,
                )
            };
            // What cannot be sent is lost, as on a network.
            sent += usize::try_from(done).unwrap_or(1).max(1);
        }
    }
    Ok(())
}
