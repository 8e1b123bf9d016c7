//! Where an outgoing leg is sent.

use skillcall_sip::endpoint::Transport;
use skillcall_sip::message::{Host, Scheme, Uri};

/// A Request-URI and what its scheme, host and parameters say about the way there (RFC 3263 §4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The Request-URI.
    pub(crate) uri: Uri,
    /// Whether only TLS will do: `sips:`.
    pub(crate) secure: bool,
    /// What `;transport=` asks for.
    pub(crate) transport: Option<Transport>,
    /// An address, or a name that has to be looked up.
    pub(crate) host: Host,
    /// The port, if it is written.
    pub(crate) port: Option<u16>,
}

impl Target {
    /// Reads a `sip:` or `sips:` URI.
    ///
    /// # Errors
    /// What is wrong in it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let uri = Uri::parse(text).map_err(|error| error.to_string())?;
        let parts = uri.as_ref();
        let secure = match parts.scheme() {
            Scheme::Sip => false,
            Scheme::Sips => true,
            Scheme::Tel | Scheme::Other(_) => {
                return Err("sip: and sips: are served; tel: and others are not".into());
            }
        };
        let transport = match parts.param("transport").as_deref() {
            None => None,
            Some(name) => Some(Transport::named(name).ok_or_else(|| {
                format!("transport `{name}` is not served; udp, tcp, tls, ws and wss are")
            })?),
        };
        let transport = match transport {
            Some(Transport::Udp) if secure => {
                return Err("sips: does not go over UDP (RFC 3261 §26.2.2)".into());
            }
            Some(Transport::Tcp) if secure => Some(Transport::Tls),
            Some(Transport::Ws) if secure => Some(Transport::Wss),
            other => other,
        };
        let host = parts.host().ok_or("it has no host")?.to_owned();
        let port = parts.port();
        Ok(Self {
            secure,
            transport,
            host,
            port,
            uri,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        let target = Target::parse("sip:+16075550199@127.0.0.1:5070;transport=TCP").unwrap();
        assert_eq!(target.transport, Some(Transport::Tcp));
        assert_eq!(target.host, Host::Ip("127.0.0.1".parse().unwrap()));
        assert_eq!(target.port, Some(5070));
        let target = Target::parse("sip:desk@pbx.example").unwrap();
        assert_eq!(target.host, Host::Name("pbx.example".into()));
        assert_eq!((target.port, target.transport), (None, None));
        let target = Target::parse("sips:desk@pbx.example;transport=tcp").unwrap();
        assert_eq!(target.transport, Some(Transport::Tls));
        for wrong in [
            "desk",
            "tel:+16075550199",
            "sips:a@b;transport=udp",
            "sip:a@b;transport=sctp",
            "sip:a b@c",
            "sip:a@",
        ] {
            assert!(Target::parse(wrong).is_err(), "{wrong}");
        }
    }
}
