//! What can be sent by.

use std::net::IpAddr;

use skillcall_sip::endpoint::Transport;

/// Which transports and address families can be sent by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usable {
    transports: [bool; 5],
    /// The family of the UDP listener; streams take both.
    udp_v6: bool,
}

impl Usable {
    /// `transports`: those that can be sent by. `udp_v6`: whether UDP is spoken over IPv6.
    pub(crate) fn new(transports: &[Transport], udp_v6: bool) -> Self {
        Self {
            transports: Transport::ALL.map(|known| transports.contains(&known)),
            udp_v6,
        }
    }

    /// The same with UDP alone.
    pub(crate) fn only_udp(self) -> Self {
        let transports = Transport::ALL.map(|known| self.has(known) && known == Transport::Udp);
        Self { transports, ..self }
    }

    pub(crate) fn has(&self, transport: Transport) -> bool {
        Transport::ALL
            .iter()
            .zip(self.transports)
            .any(|(known, usable)| usable && *known == transport)
    }

    /// Whether an address is reached by a transport.
    pub(super) fn reaches(&self, transport: Transport, ip: IpAddr) -> bool {
        self.has(transport) && (transport != Transport::Udp || ip.is_ipv6() == self.udp_v6)
    }
}
