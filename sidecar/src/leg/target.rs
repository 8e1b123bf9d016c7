//! Where an outgoing leg is sent.

use std::net::SocketAddr;

use skillcall_sip::endpoint::Transport;
use skillcall_sip::message::{HostRef, Scheme, Uri};

/// A Request-URI and what its host and parameters say about the way there.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The Request-URI.
    pub(crate) uri: Uri,
    /// UDP, or what `;transport=` asks for.
    pub(crate) transport: Transport,
    /// Whom to send to.
    pub(crate) host: TargetHost,
}

/// The host of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TargetHost {
    /// An address and port.
    Address(SocketAddr),
    /// A name that has to be looked up, and the port.
    Name(String, u16),
}

/// The port of SIP over UDP and TCP (RFC 3261 §19.1.2).
const SIP_PORT: u16 = 5060;

impl Target {
    /// Reads a `sip:` URI.
    ///
    /// # Errors
    /// What is wrong in it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let uri = Uri::parse(text).map_err(|error| error.to_string())?;
        let parts = uri.as_ref();
        if parts.scheme() != Scheme::Sip {
            return Err("only sip: is served; sips: and tel: are not".into());
        }
        let transport = match parts.param("transport").as_deref() {
            None => Transport::Udp,
            Some(name) if name.eq_ignore_ascii_case("udp") => Transport::Udp,
            Some(name) if name.eq_ignore_ascii_case("tcp") => Transport::Tcp,
            Some(other) => {
                return Err(format!(
                    "transport `{other}` is not served; udp and tcp are"
                ));
            }
        };
        let port = parts.port().unwrap_or(SIP_PORT);
        let host = match parts.host() {
            Some(HostRef::Ip(ip)) => TargetHost::Address(SocketAddr::new(ip, port)),
            Some(HostRef::Name(name)) => TargetHost::Name(name.to_owned(), port),
            None => return Err("it has no host".into()),
        };
        Ok(Self {
            uri,
            transport,
            host,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        let target = Target::parse("sip:+16075550199@127.0.0.1:5070;transport=TCP").unwrap();
        assert_eq!(target.transport, Transport::Tcp);
        assert_eq!(
            target.host,
            TargetHost::Address("127.0.0.1:5070".parse().unwrap())
        );
        let target = Target::parse("sip:desk@pbx.example").unwrap();
        assert_eq!(target.host, TargetHost::Name("pbx.example".into(), 5060));
        for wrong in [
            "desk",
            "tel:+16075550199",
            "sips:a@b",
            "sip:a@b;transport=sctp",
            "sip:a b@c",
            "sip:a@",
        ] {
            assert!(Target::parse(wrong).is_err(), "{wrong}");
        }
    }
}
