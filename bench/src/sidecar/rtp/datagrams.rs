//! Many datagrams by one call, and the time at which the kernel took each: `sendmmsg` and `recvmmsg`.

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use socket2::{Domain, Protocol, Socket, Type};

use super::packet::ROOM;

/// Datagrams in one call.
pub(in crate::sidecar) const BATCH: usize = 64;
/// Receive buffer, in bytes: what comes in some 30 ms of the greatest load.
const BUFFER: usize = 4 << 20;
/// Room for the kernel's time stamp of a datagram.
const CONTROL: usize = 64;

/// A socket on a free port of loopback, which notes when each datagram came.
pub(in crate::sidecar) fn bind() -> anyhow::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_recv_buffer_size(BUFFER)?;
    socket.set_send_buffer_size(BUFFER)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    let on: libc::c_int = 1;
    // SAFETY: the option's value is an int that lives through the call.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TIMESTAMPNS,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if set != 0 {
        return Err(io::Error::last_os_error()).context("SO_TIMESTAMPNS");
    }
    Ok(socket.into())
}

/// Sends at most [`BATCH`] packets, each `len` bytes long, each to its address.
pub(in crate::sidecar) fn send(
    socket: &UdpSocket,
    packets: &mut [[u8; ROOM]],
    len: usize,
    to: &[SocketAddr],
) -> anyhow::Result<()> {
    let len = len.min(ROOM);
    let count = packets.len().min(to.len()).min(BATCH);
    // SAFETY: these are structs of numbers and pointers, for which zeros are valid.
    let (mut names, mut parts, mut messages): (
        [libc::sockaddr_in; BATCH],
        [libc::iovec; BATCH],
        [libc::mmsghdr; BATCH],
    ) = unsafe { zeroed() };
    for (place, (packet, to)) in packets.iter_mut().zip(to).take(count).enumerate() {
        let SocketAddr::V4(to) = to else {
            bail!("{to} is no IPv4 address");
        };
        names[place] = name(*to);
        parts[place].iov_base = packet.as_mut_ptr().cast();
        parts[place].iov_len = len;
        let header = &mut messages[place].msg_hdr;
        header.msg_name = (&raw mut names[place]).cast();
        header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        header.msg_iov = &raw mut parts[place];
        header.msg_iovlen = 1;
    }
    let mut sent = 0;
    while sent < count {
        // SAFETY: `messages[sent..count]` were filled above; what they point to lives in this function and in `packets`.
        let done = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                messages[sent..].as_mut_ptr(),
                (count - sent) as libc::c_uint,
                0,
            )
        };
        match usize::try_from(done) {
            Ok(done) => sent += done,
            Err(_) => {
                let error = io::Error::last_os_error();
                match error.kind() {
                    // The peer's socket was gone at an earlier packet, or ours is full: try again.
                    io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::WouldBlock
                    | io::ErrorKind::Interrupted => {}
                    _ => return Err(error).context("sendmmsg"),
                }
            }
        }
    }
    Ok(())
}

/// Reads everything that has come: each datagram with the port that sent it, and the time, since 1970, at which the kernel took it.
pub(in crate::sidecar) fn receive(
    socket: &UdpSocket,
    mut each: impl FnMut(&mut [u8], u16, Option<Duration>),
) -> anyhow::Result<()> {
    let mut buffers = [[0u8; 2048]; BATCH];
    let mut controls = [[0u64; CONTROL / 8]; BATCH];
    loop {
        // SAFETY: these are structs of numbers and pointers, for which zeros are valid.
        let (mut names, mut parts, mut messages): (
            [libc::sockaddr_in; BATCH],
            [libc::iovec; BATCH],
            [libc::mmsghdr; BATCH],
        ) = unsafe { zeroed() };
        for place in 0..BATCH {
            parts[place].iov_base = buffers[place].as_mut_ptr().cast();
            parts[place].iov_len = buffers[place].len();
            let header = &mut messages[place].msg_hdr;
            header.msg_name = (&raw mut names[place]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            header.msg_iov = &raw mut parts[place];
            header.msg_iovlen = 1;
            header.msg_control = controls[place].as_mut_ptr().cast();
            header.msg_controllen = CONTROL as _;
        }
        // SAFETY: all messages were filled above; what they point to lives in this function.
        let came = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                messages.as_mut_ptr(),
                BATCH as libc::c_uint,
                0,
                std::ptr::null_mut(),
            )
        };
        let Ok(came) = usize::try_from(came) else {
            let error = io::Error::last_os_error();
            return match error.kind() {
                io::ErrorKind::WouldBlock => Ok(()),
                io::ErrorKind::ConnectionRefused | io::ErrorKind::Interrupted => continue,
                _ => Err(error).context("recvmmsg"),
            };
        };
        let datagrams = messages.iter().zip(&mut buffers).zip(&names);
        for ((message, buffer), name) in datagrams.take(came) {
            let len = buffer.len().min(message.msg_len as usize);
            let from = u16::from_be(name.sin_port);
            each(&mut buffer[..len], from, arrival(&message.msg_hdr));
        }
        if came < BATCH {
            return Ok(());
        }
    }
}

/// The kernel's time stamp of a datagram (socket(7), SO_TIMESTAMPNS).
fn arrival(header: &libc::msghdr) -> Option<Duration> {
    // SAFETY: the kernel filled the control buffer that `header` names, and its length.
    let control = unsafe { libc::CMSG_FIRSTHDR(header).as_ref() }?;
    if control.cmsg_level != libc::SOL_SOCKET || control.cmsg_type != libc::SCM_TIMESTAMPNS {
        return None;
    }
    // SAFETY: a message of this type holds a timespec, perhaps not aligned.
    let time = unsafe {
        libc::CMSG_DATA(control)
            .cast::<libc::timespec>()
            .read_unaligned()
    };
    Some(Duration::new(
        u64::try_from(time.tv_sec).ok()?,
        u32::try_from(time.tv_nsec).ok()?,
    ))
}

fn name(address: SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from_ne_bytes(address.ip().octets()),
        },
        sin_zero: [0; 8],
    }
}
