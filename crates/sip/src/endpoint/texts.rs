//! What an endpoint writes into all its messages.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::flow::Flow;
use super::{ALLOW, Advertised, EndpointConfig, Transport};
use crate::message::{Host, Method, Request, StatusCode};

/// Header values that never change.
#[derive(Debug)]
pub(super) struct Texts {
    everybody: Addresses,
    views: Vec<(Vec<IpNet>, Addresses)>,
    pub(super) supported: String,
    pub(super) allow: Arc<str>,
    /// `100rel` is supported.
    pub(super) reliable: bool,
    /// Via over TLS says `alias`.
    alias: bool,
    keep_datagrams: Option<u32>,
    keep_connections: Option<u32>,
}

/// What names our address, by transport.
#[derive(Debug)]
struct Addresses {
    via: [String; 5],
    contact: [String; 5],
}

const fn slot(transport: Transport) -> usize {
    match transport {
        Transport::Udp => 0,
        Transport::Tcp => 1,
        Transport::Tls => 2,
        Transport::Ws => 3,
        Transport::Wss => 4,
    }
}

impl Texts {
    pub(super) fn new(config: &EndpointConfig) -> Self {
        let views = config.views.iter();
        let views =
            views.map(|view| (view.peers.clone(), Addresses::new(config, Some(&view.host))));
        Self {
            everybody: Addresses::new(config, None),
            views: views.collect(),
            supported: config.supported.join(", "),
            allow: allow(config).into(),
            alias: config.alias,
            keep_datagrams: config.keep_datagrams,
            keep_connections: config.keep_connections,
            reliable: config
                .supported
                .iter()
                .any(|tag| tag.eq_ignore_ascii_case("100rel")),
        }
    }

    /// What our Via says behind the branch of connections that we open (RFC 5923 §5).
    pub(super) const fn alias(&self, transport: Transport) -> &'static str {
        if self.alias && matches!(transport, Transport::Tls) {
            ";alias"
        } else {
            ""
        }
    }

    /// What the response to a request says to its offer of keep-alives (RFC 6223 §4.3): those that make a dialog or a
    /// binding do.
    pub(super) fn keep(&self, request: &Request, status: StatusCode, flow: &Flow) -> Option<u32> {
        let made = match request.method() {
            Method::Register => status.is_success(),
            Method::Invite if request.headers().to_tag().is_none() => {
                (180..300).contains(&status.get())
            }
            _ => false,
        };
        let seconds = match flow.transport {
            Transport::Udp => self.keep_datagrams,
            _ => self.keep_connections,
        };
        seconds.filter(|_| made)
    }

    /// Our Via up to the branch, for a peer.
    pub(super) fn via(&self, transport: Transport, peer: IpAddr) -> &str {
        let via = self.addresses(peer).via.get(slot(transport));
        via.map_or("", String::as_str)
    }

    /// Our Contact, for a peer.
    pub(super) fn contact(&self, transport: Transport, peer: IpAddr) -> &str {
        let contact = self.addresses(peer).contact.get(slot(transport));
        contact.map_or("", String::as_str)
    }

    fn addresses(&self, peer: IpAddr) -> &Addresses {
        let peer = peer.to_canonical();
        let mut views = self.views.iter();
        let view = views.find(|(peers, _)| peers.iter().any(|network| network.contains(&peer)));
        view.map_or(&self.everybody, |(_, addresses)| addresses)
    }
}

impl Addresses {
    /// With another host than the configuration's, if there is one.
    fn new(config: &EndpointConfig, host: Option<&Host>) -> Self {
        let at = |transport: Transport| {
            let own = match transport {
                Transport::Udp => &None,
                Transport::Tcp => &config.tcp,
                Transport::Tls => &config.tls,
                Transport::Ws => &config.ws,
                Transport::Wss => &config.wss,
            };
            let Advertised { host: own, port } = own.as_ref().unwrap_or(&config.udp);
            (host.unwrap_or(own), *port)
        };
        let all = Transport::ALL;
        let via = all.map(|transport| {
            let (host, port) = at(transport);
            format!("SIP/2.0/{transport} {host}:{port};rport;branch=z9hG4bK")
        });
        let contact = all.map(|transport| {
            let (host, port) = at(transport);
            let param = match transport {
                Transport::Udp => "",
                Transport::Tcp => ";transport=tcp",
                Transport::Tls => ";transport=tls",
                // `wss` is no value of the parameter (RFC 7118 §5.3): the flow says whether TLS is beneath.
                Transport::Ws | Transport::Wss => ";transport=ws",
            };
            format!("<sip:{}@{host}:{port}{param}>", config.contact_user)
        });
        Self { via, contact }
    }
}

/// What Allow says: [`ALLOW`] and what else is served.
fn allow(config: &EndpointConfig) -> String {
    let mut allow = ALLOW.to_owned();
    let prack = config
        .supported
        .iter()
        .any(|tag| tag.eq_ignore_ascii_case("100rel"));
    let more = prack.then_some(&Method::Prack);
    for method in more.into_iter().chain(&config.methods) {
        if !allow.split(", ").any(|known| known == method.as_str()) {
            allow.push_str(", ");
            allow.push_str(method.as_str());
        }
    }
    allow
}
