//! What an endpoint writes into all its messages.

use std::sync::Arc;

use super::{ALLOW, Advertised, EndpointConfig, Transport};
use crate::message::Method;

/// Header values that never change.
#[derive(Debug)]
pub(super) struct Texts {
    pub(super) via: [String; 5],
    pub(super) contact: [String; 5],
    pub(super) supported: String,
    pub(super) allow: Arc<str>,
    /// `100rel` is supported.
    pub(super) reliable: bool,
}

pub(super) const fn slot(transport: Transport) -> usize {
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
        let at = |transport: Transport| {
            let own = match transport {
                Transport::Udp => &None,
                Transport::Tcp => &config.tcp,
                Transport::Tls => &config.tls,
                Transport::Ws => &config.ws,
                Transport::Wss => &config.wss,
            };
            own.as_ref().unwrap_or(&config.udp)
        };
        let all = Transport::ALL;
        let via = all.map(|transport| {
            let Advertised { host, port } = at(transport);
            format!("SIP/2.0/{transport} {host}:{port};rport;branch=z9hG4bK")
        });
        let contact = all.map(|transport| {
            let Advertised { host, port } = at(transport);
            let param = match transport {
                Transport::Udp => "",
                Transport::Tcp => ";transport=tcp",
                Transport::Tls => ";transport=tls",
                // `wss` is no value of the parameter (RFC 7118 §5.3): the flow says whether TLS is beneath.
                Transport::Ws | Transport::Wss => ";transport=ws",
            };
            format!("<sip:{}@{host}:{port}{param}>", config.contact_user)
        });
        Self {
            via,
            contact,
            supported: config.supported.join(", "),
            allow: allow(config).into(),
            reliable: config
                .supported
                .iter()
                .any(|tag| tag.eq_ignore_ascii_case("100rel")),
        }
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
