//! One socket for all legs of a side. Which call a packet belongs to is told by its SSRC (RFC 3550 §5.1), as each stream has
//! one of its own; who relays so can follow no peer behind address translation by its port alone.

use std::collections::HashSet;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;

use super::Relaying;
use crate::sidecar::rtp::datagrams::{self, BATCH};
use crate::sidecar::rtp::packet::{LEN, ROOM};

/// Both sides' sockets: the device's, the phone's.
pub(super) struct Shared {
    sockets: [UdpSocket; 2],
    ends: [SocketAddr; 2],
    /// The streams that were heard.
    streams: [HashSet<u32>; 2],
    packets: Vec<[u8; ROOM]>,
}

impl Shared {
    pub(super) fn new(ends: [SocketAddr; 2]) -> anyhow::Result<Self> {
        Ok(Self {
            sockets: [datagrams::bind()?, datagrams::bind()?],
            ends,
            streams: Default::default(),
            packets: Vec::with_capacity(BATCH),
        })
    }

    /// Sends what waits at one side out of the other.
    fn pass(&mut self, side: usize) -> anyhow::Result<()> {
        let (packets, streams) = (&mut self.packets, &mut self.streams[side]);
        packets.clear();
        datagrams::receive(&self.sockets[side], |datagram, _, _| {
            let ssrc = datagram.get(8..12).and_then(|ssrc| ssrc.try_into().ok());
            if let (LEN, Some(ssrc)) = (datagram.len(), ssrc) {
                streams.insert(u32::from_be_bytes(ssrc));
                let mut packet = [0; ROOM];
                packet[..LEN].copy_from_slice(datagram);
                packets.push(packet);
            }
        })?;
        let to = [self.ends[1 - side]; BATCH];
        for batch in packets.chunks_mut(BATCH) {
            datagrams::send(&self.sockets[1 - side], batch, LEN, &to)?;
        }
        Ok(())
    }
}

impl Relaying for Shared {
    fn add(&mut self) -> anyhow::Result<(SocketAddr, SocketAddr)> {
        Ok((self.sockets[0].local_addr()?, self.sockets[1].local_addr()?))
    }

    fn relay(&mut self) -> anyhow::Result<()> {
        loop {
            let entry = |fd| libc::pollfd {
                fd,
                events: libc::POLLIN,
                revents: 0,
            };
            let mut asked = [
                entry(self.sockets[0].as_raw_fd()),
                entry(self.sockets[1].as_raw_fd()),
                entry(0),
            ];
            // SAFETY: `asked` has three entries, which live through the call.
            unsafe { libc::poll(asked.as_mut_ptr(), 3, -1) };
            for side in [0, 1] {
                if asked[side].revents != 0 {
                    self.pass(side)?;
                }
            }
            if asked[2].revents != 0 {
                return Ok(());
            }
        }
    }
}
