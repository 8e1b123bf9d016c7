//! At which of our addresses a peer reaches us.

use std::net::{IpAddr, SocketAddr};

use skillcall_sip::endpoint::View;
use skillcall_sip::message::Host;

use crate::config::{SidecarConfig, SipNetwork};

/// What Via, Contact, From and SDP name, by where the peer is.
#[derive(Debug)]
pub(crate) struct Reachable {
    sip: SocketAddr,
    media: IpAddr,
    networks: Vec<SipNetwork>,
}

impl Reachable {
    /// By a configuration; `sip` is the listener that is named to all that no `[[sip.network]]` has.
    pub(crate) fn new(config: &SidecarConfig, sip: SocketAddr) -> Self {
        Self {
            sip,
            media: config.sip.public_address.unwrap_or(config.rtp.address),
            networks: config.sip.network.clone(),
        }
    }

    /// Host and port of From.
    pub(crate) fn sip(&self, peer: IpAddr) -> SocketAddr {
        let host = self.network(peer).unwrap_or(self.sip.ip());
        SocketAddr::new(host, self.sip.port())
    }

    /// The host of SDP.
    pub(crate) fn media(&self, peer: IpAddr) -> IpAddr {
        self.network(peer).unwrap_or(self.media)
    }

    /// The host of SDP for those who are not known yet.
    pub(crate) fn usual_media(&self) -> IpAddr {
        self.media
    }

    /// Whether somebody means us by this host and port.
    pub(crate) fn is_ours(&self, host: IpAddr, port: u16) -> bool {
        let mut networks = self.networks.iter();
        let named = host == self.sip.ip() || networks.any(|network| network.public_address == host);
        named && port == self.sip.port()
    }

    fn network(&self, peer: IpAddr) -> Option<IpAddr> {
        let mut networks = self.networks.iter();
        let network = networks.find(|network| network.has(peer))?;
        Some(network.public_address)
    }
}

/// The same for the SIP endpoint.
pub(crate) fn views(config: &SidecarConfig) -> Vec<View> {
    let networks = config.sip.network.iter();
    let view = |network: &SipNetwork| View {
        peers: network.peers.iter().map(|peers| peers.net()).collect(),
        host: Host::Ip(network.public_address),
    };
    networks.map(view).collect()
}
