//! Which ports an installation uses.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use anyhow::{Context, bail};

/// RTP ports that an installation on free ports asks for.
const RTP_PORTS: u16 = 64;

/// Where each part listens, all on loopback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// The component's HTTP.
    pub(crate) component: SocketAddr,
    /// The sidecar's control API.
    pub(crate) sidecar: SocketAddr,
    /// SIP, UDP and TCP.
    pub(crate) sip: SocketAddr,
    /// The first and the last RTP port.
    pub(crate) rtp: (u16, u16),
    /// The simulator's HTTP.
    pub(crate) simulator: SocketAddr,
    /// The simulated phone's SIP.
    pub(crate) phone: SocketAddr,
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

impl Default for Addresses {
    fn default() -> Self {
        Self {
            component: loopback(3000),
            sidecar: loopback(7080),
            sip: loopback(5060),
            rtp: (40000, 40999),
            simulator: loopback(7090),
            phone: loopback(5070),
        }
    }
}

impl Addresses {
    /// Ports that nobody uses now. All are held until all are found, so that they differ.
    pub(crate) fn free() -> anyhow::Result<Self> {
        let tcp = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free TCP port");
        let udp = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("no free UDP port");
        let (component, sidecar, simulator) = (tcp()?, tcp()?, tcp()?);
        let phone = udp()?;
        let (sip, _held) = both_transports()?;
        Ok(Self {
            component: component.local_addr()?,
            sidecar: sidecar.local_addr()?,
            sip,
            rtp: free_range()?,
            simulator: simulator.local_addr()?,
            phone: phone.local_addr()?,
        })
    }
}

/// A port that is free for UDP and for TCP.
fn both_transports() -> anyhow::Result<(SocketAddr, (UdpSocket, TcpListener))> {
    for _ in 0..50 {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free TCP port")?;
        let address = tcp.local_addr()?;
        if let Ok(udp) = UdpSocket::bind(address) {
            return Ok((address, (udp, tcp)));
        }
    }
    bail!("no port is free for both UDP and TCP")
}

/// A run of free UDP ports, the first an even one (RFC 3550 §11), below the ephemeral ports.
fn free_range() -> anyhow::Result<(u16, u16)> {
    for first in (20000..32000).step_by(usize::from(RTP_PORTS)) {
        let range = first..first + RTP_PORTS;
        let held: Vec<UdpSocket> = range
            .clone()
            .map_while(|port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).ok())
            .collect();
        if held.len() == range.len() {
            return Ok((first, first + RTP_PORTS - 1));
        }
    }
    bail!("no {RTP_PORTS} free UDP ports in a row between 20000 and 32000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_are_free_and_differ() {
        let free = Addresses::free().unwrap();
        let all = [
            free.component,
            free.sidecar,
            free.simulator,
            free.sip,
            free.phone,
        ];
        for (index, address) in all.iter().enumerate() {
            assert!(all[..index].iter().all(|other| other != address), "{all:?}");
        }
        assert!(free.rtp.0.is_multiple_of(2) && free.rtp.1 > free.rtp.0);
    }
}
