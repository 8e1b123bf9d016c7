//! A socket for each leg, by an `io_uring`: what is to be received and sent is asked for in one system call for all legs.

use std::mem::{size_of, zeroed};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;

use anyhow::{Context as _, bail};
use io_uring::squeue::{Entry, Flags};
use io_uring::{IoUring, opcode, types};

use super::Relaying;

/// Orders come here.
const STDIN: u64 = u64::MAX;
/// What is asked for at once.
const ENTRIES: u32 = 4096;
/// Room for a packet.
const ROOM: usize = 2048;

/// A leg, and what the kernel is given for it; it may not move while something is asked for.
struct Leg {
    socket: UdpSocket,
    from: libc::sockaddr_in,
    to: libc::sockaddr_in,
    buffer: [u8; ROOM],
    received: libc::iovec,
    sent: libc::iovec,
    receive: libc::msghdr,
    send: libc::msghdr,
}

/// The legs: the device's of call 0, the phone's, the device's of call 1, …
pub(super) struct Ring {
    ring: IoUring,
    #[expect(
        clippy::vec_box,
        reason = "the kernel is told where each lies, so none may move"
    )]
    legs: Vec<Box<Leg>>,
    ends: [SocketAddr; 2],
}

impl Ring {
    pub(super) fn new(ends: [SocketAddr; 2]) -> anyhow::Result<Self> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_cqsize(4 * ENTRIES)
            .build(ENTRIES)
            .context("io_uring")?;
        Ok(Self {
            ring,
            legs: Vec::new(),
            ends,
        })
    }

    fn open(&mut self) -> anyhow::Result<SocketAddr> {
        let socket = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = socket.local_addr()?;
        let SocketAddr::V4(to) = self.ends[1 - self.legs.len() % 2] else {
            bail!("only IPv4 is measured");
        };
        // SAFETY: these are structs of numbers and pointers, for which zeros are valid.
        let (from, mut name, received, sent, receive, send): (
            libc::sockaddr_in,
            libc::sockaddr_in,
            libc::iovec,
            libc::iovec,
            libc::msghdr,
            libc::msghdr,
        ) = unsafe { zeroed() };
        name.sin_family = libc::AF_INET as libc::sa_family_t;
        name.sin_port = to.port().to_be();
        name.sin_addr.s_addr = u32::from_ne_bytes(to.ip().octets());
        let mut leg = Box::new(Leg {
            socket,
            from,
            to: name,
            buffer: [0; ROOM],
            received,
            sent,
            receive,
            send,
        });
        let length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        leg.received.iov_base = leg.buffer.as_mut_ptr().cast();
        leg.received.iov_len = ROOM;
        leg.sent.iov_base = leg.received.iov_base;
        leg.receive.msg_name = (&raw mut leg.from).cast();
        leg.receive.msg_namelen = length;
        leg.receive.msg_iov = &raw mut leg.received;
        leg.receive.msg_iovlen = 1;
        leg.send.msg_name = (&raw mut leg.to).cast();
        leg.send.msg_namelen = length;
        leg.send.msg_iov = &raw mut leg.sent;
        leg.send.msg_iovlen = 1;
        self.legs.push(leg);
        let place = self.legs.len() - 1;
        let receive = self.receive(place);
        self.ask(&[receive])?;
        Ok(address)
    }

    /// The next packet of a leg is wanted.
    fn receive(&mut self, place: usize) -> Entry {
        let leg = &mut self.legs[place];
        opcode::RecvMsg::new(types::Fd(leg.socket.as_raw_fd()), &raw mut leg.receive)
            .build()
            .user_data(place as u64)
    }

    /// Asks for one after the other.
    fn ask(&mut self, entries: &[Entry]) -> anyhow::Result<()> {
        // SAFETY: what the entries point to lives in boxes that are kept as long as the ring.
        while unsafe { self.ring.submission().push_multiple(entries) }.is_err() {
            self.ring.submit()?;
        }
        Ok(())
    }

    /// Sends what came to a leg out of the other leg of its call, and then listens again.
    fn pass(&mut self, place: usize, len: usize) -> anyhow::Result<()> {
        let other = self.legs[place ^ 1].socket.as_raw_fd();
        let leg = &mut self.legs[place];
        leg.sent.iov_len = len;
        let send = opcode::SendMsg::new(types::Fd(other), &raw const leg.send)
            .build()
            // What cannot be sent is lost, and the next is waited for even so.
            .flags(Flags::IO_HARDLINK | Flags::SKIP_SUCCESS)
            .user_data(STDIN - 1);
        let receive = self.receive(place);
        self.ask(&[send, receive])
    }
}

impl Relaying for Ring {
    fn add(&mut self) -> anyhow::Result<(SocketAddr, SocketAddr)> {
        Ok((self.open()?, self.open()?))
    }

    fn relay(&mut self) -> anyhow::Result<()> {
        let orders = opcode::PollAdd::new(types::Fd(0), libc::POLLIN as u32)
            .build()
            .user_data(STDIN);
        self.ask(&[orders])?;
        loop {
            match self.ring.submit_and_wait(1) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                submitted => submitted?,
            };
            let came: Vec<(u64, i32)> = self
                .ring
                .completion()
                .map(|entry| (entry.user_data(), entry.result()))
                .collect();
            let mut ordered = false;
            for (place, result) in came {
                if place == STDIN {
                    ordered = true;
                } else if place < STDIN - 1 {
                    // An answer by ICMP to what was sent earlier is no packet.
                    let len = usize::try_from(result).unwrap_or_default();
                    self.pass(place as usize, len.min(ROOM))?;
                }
            }
            if ordered {
                return Ok(());
            }
        }
    }
}
