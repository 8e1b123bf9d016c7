//! At which of our addresses a peer reaches us: as the configuration says, or as a STUN server sees us.

mod asking;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{PoisonError, RwLock};

use skillcall_sip::endpoint::{EndpointConfig, View};
use skillcall_sip::message::Host;

pub(crate) use asking::Asking;

use crate::config::{PublicAddress, SidecarConfig, SipNetwork};

/// What Via, Contact, From and SDP name, by where the peer is.
#[derive(Debug)]
pub(crate) struct Reachable {
    /// The listener that is named to all that no `[[sip.network]]` has.
    bound: SocketAddr,
    media: IpAddr,
    usual: Option<PublicAddress>,
    networks: Vec<SipNetwork>,
    /// What STUN servers have told, by their names.
    told: RwLock<BTreeMap<String, Told>>,
}

/// What a STUN server has told.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    /// The last address at which it has seen us.
    address: Option<IpAddr>,
    /// It has answered when it was asked last.
    answers: bool,
}

impl Reachable {
    /// By a configuration; `bound` is the listener.
    pub(crate) fn new(config: &SidecarConfig, bound: SocketAddr) -> Self {
        Self {
            bound,
            media: config.rtp.address,
            usual: config.sip.public_address.clone(),
            networks: config.sip.network.clone(),
            told: RwLock::default(),
        }
    }

    /// Host and port of From.
    pub(crate) fn sip(&self, peer: IpAddr) -> SocketAddr {
        SocketAddr::new(self.host(peer, self.bound.ip()), self.bound.port())
    }

    /// The host of SDP.
    pub(crate) fn media(&self, peer: IpAddr) -> IpAddr {
        self.host(peer, self.media)
    }

    /// The host of SDP for those who are not known yet.
    pub(crate) fn usual_media(&self) -> IpAddr {
        self.usual().unwrap_or(self.media)
    }

    /// Whether a peer reaches us at another address than the listener's: through an address translation.
    pub(crate) fn is_translated(&self, peer: IpAddr) -> bool {
        self.sip(peer).ip() != self.bound.ip()
    }

    /// Whether somebody means us by this host and port.
    pub(crate) fn is_ours(&self, host: IpAddr, port: u16) -> bool {
        let mut networks = self.networks.iter();
        let usual = self.usual().unwrap_or(self.bound.ip());
        let named = host == usual
            || networks.any(|network| self.known(&network.public_address) == Some(host));
        named && port == self.bound.port()
    }

    /// The address and port of a listener as it is named to all that no network has.
    pub(crate) fn at(&self, bound: SocketAddr) -> SocketAddr {
        SocketAddr::new(self.usual().unwrap_or(bound.ip()), bound.port())
    }

    /// Names what is known now in an endpoint's messages.
    pub(crate) fn name(&self, endpoint: &mut EndpointConfig) {
        if let Some(usual) = self.usual() {
            endpoint.udp.host = Host::Ip(usual);
            let others = [
                &mut endpoint.tcp,
                &mut endpoint.tls,
                &mut endpoint.ws,
                &mut endpoint.wss,
            ];
            for listener in others.into_iter().flatten() {
                listener.host = Host::Ip(usual);
            }
        }
        let networks = self.networks.iter();
        let view = |network: &SipNetwork| View {
            peers: network.peers.iter().map(|peers| peers.net()).collect(),
            host: Host::Ip(self.named(network, self.bound.ip())),
        };
        endpoint.views = networks.map(view).collect();
    }

    /// The STUN servers to ask, each once.
    pub(crate) fn servers(&self) -> Vec<String> {
        let networks = self.networks.iter().map(|network| &network.public_address);
        let all = self.usual.iter().chain(networks);
        let mut servers: Vec<String> = all
            .filter_map(|address| address.server().map(str::to_owned))
            .collect();
        servers.sort_unstable();
        servers.dedup();
        servers
    }

    /// Takes note of what a STUN server sees; `None`: it does not answer, and what it has seen last holds on. True: it is
    /// another address than before.
    pub(crate) fn note(&self, server: &str, seen: Option<IpAddr>) -> bool {
        let mut told = self.told.write().unwrap_or_else(PoisonError::into_inner);
        let told = told.entry(server.to_owned()).or_default();
        told.answers = seen.is_some();
        let other = seen.is_some() && told.address != seen;
        told.address = seen.or(told.address);
        other
    }

    /// The STUN servers, and whether each has answered when it was asked last.
    pub(crate) fn answers(&self) -> Vec<(String, bool)> {
        let told = self.told.read().unwrap_or_else(PoisonError::into_inner);
        told.iter()
            .map(|(server, told)| (server.clone(), told.answers))
            .collect()
    }

    /// What a STUN server has told last.
    pub(crate) fn told(&self, server: &str) -> Option<IpAddr> {
        let told = self.told.read().unwrap_or_else(PoisonError::into_inner);
        told.get(server)?.address
    }

    fn known(&self, address: &PublicAddress) -> Option<IpAddr> {
        match address {
            PublicAddress::Fixed(address) => Some(*address),
            PublicAddress::Stun(server) => self.told(server),
        }
    }

    fn usual(&self) -> Option<IpAddr> {
        self.known(self.usual.as_ref()?)
    }

    /// What a network's peers are told; its own address where nothing else is known.
    fn named(&self, network: &SipNetwork, own: IpAddr) -> IpAddr {
        self.known(&network.public_address).unwrap_or(own)
    }

    fn host(&self, peer: IpAddr, own: IpAddr) -> IpAddr {
        let mut networks = self.networks.iter();
        match networks.find(|network| network.has(peer)) {
            Some(network) => self.named(network, own),
            None => self.usual().unwrap_or(own),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_stun_tells_is_named_where_it_is_meant() {
        let text = "[sip]\npublic-address = \"stun:stun.example.com\"\n\
             [[sip.network]]\npeers = [\"10.0.0.0/8\"]\npublic-address = \"10.0.0.9\"\n\
             [[sip.network]]\npeers = [\"198.51.100.0/24\"]\npublic-address = \"stun:192.0.2.3:3479\"\n";
        let config = SidecarConfig::parse(text, Path::new("sidecar.toml")).unwrap();
        let bound: SocketAddr = "192.168.1.2:5060".parse().unwrap();
        let reachable = Reachable::new(&config, bound);
        let (usual, other) = ("stun.example.com:3478", "192.0.2.3:3479");
        assert_eq!(reachable.servers(), [other, usual]);
        let peers = ["8.8.8.8", "10.1.1.1", "198.51.100.7"].map(ip);
        let named = || peers.map(|peer| reachable.sip(peer).ip().to_string());
        assert_eq!(named(), ["192.168.1.2", "10.0.0.9", "192.168.1.2"]);
        assert!(!reachable.is_translated(peers[0]) && reachable.is_translated(peers[1]));
        assert!(!reachable.note(usual, None));
        assert_eq!(named(), ["192.168.1.2", "10.0.0.9", "192.168.1.2"]);
        assert!(reachable.note(usual, Some(ip("203.0.113.5"))));
        assert_eq!(named(), ["203.0.113.5", "10.0.0.9", "192.168.1.2"]);
        assert!(reachable.note(other, Some(ip("203.0.113.6"))));
        assert!(!reachable.note(other, Some(ip("203.0.113.6"))));
        // Who is silent for a while takes nothing back.
        assert!(!reachable.note(other, None));
        let answers = [(other.to_owned(), false), (usual.to_owned(), true)];
        assert_eq!(reachable.answers(), answers);
        assert_eq!(named(), ["203.0.113.5", "10.0.0.9", "203.0.113.6"]);
        assert_eq!(reachable.media(peers[0]), ip("203.0.113.5"));
        assert_eq!(reachable.usual_media(), ip("203.0.113.5"));
        assert!(reachable.is_ours(ip("203.0.113.6"), 5060));
        assert!(!reachable.is_ours(ip("203.0.113.6"), 5061));
        let mut endpoint = EndpointConfig::new(bound, [0; 32]);
        endpoint.tcp = Some(bound.into());
        reachable.name(&mut endpoint);
        assert_eq!(endpoint.udp.host, Host::Ip(ip("203.0.113.5")));
        assert_eq!(endpoint.tcp.unwrap().host, Host::Ip(ip("203.0.113.5")));
        let views = endpoint.views.iter().map(|view| view.host.to_string());
        assert_eq!(views.collect::<Vec<_>>(), ["10.0.0.9", "203.0.113.6"]);
    }
}
