//! Addresses, ports and networks as they stand in the file.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use skillcall_sip::endpoint::Transport;

/// How SIP messages travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum SipTransport {
    /// Datagrams.
    Udp,
    /// Streams, framed by Content-Length (RFC 3261 §18.3).
    Tcp,
    /// TLS over TCP.
    Tls,
    /// WebSocket (RFC 7118).
    Ws,
    /// WebSocket over TLS (RFC 7118).
    Wss,
}

impl SipTransport {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Udp, Self::Tcp, Self::Tls, Self::Ws, Self::Wss];
}

impl From<SipTransport> for Transport {
    fn from(transport: SipTransport) -> Self {
        match transport {
            SipTransport::Udp => Self::Udp,
            SipTransport::Tcp => Self::Tcp,
            SipTransport::Tls => Self::Tls,
            SipTransport::Ws => Self::Ws,
            SipTransport::Wss => Self::Wss,
        }
    }
}

impl fmt::Display for SipTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
        })
    }
}

/// A listener: `udp:127.0.0.1:5060`, `tls:[::1]:5061`; port 0 lets the system choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", schemars(with = "String", extend("pattern" = "^(udp|tcp|tls|ws|wss):.+:[0-9]{1,5}$")))]
pub struct ListenAddress {
    /// How messages travel.
    pub transport: SipTransport,
    /// Address and port.
    pub address: SocketAddr,
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            format!(
                "`{text}` is no listener: expected `udp:ADDRESS:PORT`, or tcp, tls, ws or wss in udp's place"
            )
        };
        let (transport, address) = text.split_once(':').ok_or_else(expected)?;
        let transport = match transport {
            "udp" => SipTransport::Udp,
            "tcp" => SipTransport::Tcp,
            "tls" => SipTransport::Tls,
            "ws" => SipTransport::Ws,
            "wss" => SipTransport::Wss,
            _ => return Err(expected()),
        };
        let address = address.parse().map_err(|_| expected())?;
        Ok(Self { transport, address })
    }
}

impl TryFrom<String> for ListenAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport, self.address)
    }
}

impl From<ListenAddress> for String {
    fn from(listen: ListenAddress) -> Self {
        listen.to_string()
    }
}

/// An address at which peers reach us: `203.0.113.9`; or `stun:stun.example.com`, `stun:HOST:PORT` (RFC 7064): at which that
/// server sees us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", schemars(with = "String"))]
pub enum PublicAddress {
    /// This one.
    Fixed(IpAddr),
    /// What a STUN server sees: its host and port.
    Stun(String),
}

/// The port of STUN (RFC 8489 §8.1).
const STUN_PORT: u16 = 3478;

impl PublicAddress {
    /// The address, if the file says it.
    pub const fn fixed(&self) -> Option<IpAddr> {
        match self {
            Self::Fixed(address) => Some(*address),
            Self::Stun(_) => None,
        }
    }

    /// The STUN server's host and port, if one is to be asked.
    pub fn server(&self) -> Option<&str> {
        match self {
            Self::Fixed(_) => None,
            Self::Stun(server) => Some(server),
        }
    }
}

impl FromStr for PublicAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Fixed(address));
        }
        let wrong = || {
            format!(
                "`{text}` is no public address: expected an address, or `stun:HOST:PORT` to ask a STUN server for it"
            )
        };
        let server = text.strip_prefix("stun:").ok_or_else(wrong)?;
        // Without its port an address of IPv6 has colons, too; it stands in brackets then.
        let (host, port) = match server.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| wrong())?)
            }
            _ => (server, STUN_PORT),
        };
        let bracketed = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let is_address = bracketed.is_some_and(|host| host.parse::<std::net::Ipv6Addr>().is_ok());
        let is_name = !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
        if port == 0 || !(is_address || is_name) {
            return Err(wrong());
        }
        Ok(Self::Stun(format!("{host}:{port}")))
    }
}

impl TryFrom<String> for PublicAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<PublicAddress> for String {
    fn from(address: PublicAddress) -> Self {
        match address {
            PublicAddress::Fixed(address) => address.to_string(),
            PublicAddress::Stun(server) => format!("stun:{server}"),
        }
    }
}

/// A source network: `10.1.0.0/16`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", schemars(with = "String"))]
pub struct SourceNet(ipnet::IpNet);

impl SourceNet {
    /// How many leading bits are fixed: the more, the smaller the network.
    pub fn prefix_len(&self) -> u8 {
        self.0.prefix_len()
    }

    /// The network itself.
    pub(crate) fn net(&self) -> ipnet::IpNet {
        self.0
    }

    /// Whether an address lies in the network. An IPv4 address mapped into IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for SourceNet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse::<ipnet::IpNet>()
            .or_else(|_| text.parse::<IpAddr>().map(ipnet::IpNet::from))
            .map(Self)
            .map_err(|_| {
                format!(
                    "`{text}` is no network: expected an address or ADDRESS/BITS, as 10.1.0.0/16"
                )
            })
    }
}

impl TryFrom<String> for SourceNet {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for SourceNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<SourceNet> for String {
    fn from(net: SourceNet) -> Self {
        net.to_string()
    }
}

/// A range of RTP ports, both ends included: `40000-40999`. RTP takes the even
/// port of each pair and RTCP the odd one above it (RFC 3550 §11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", schemars(with = "String", extend("pattern" = "^[0-9]{1,5}-[0-9]{1,5}$")))]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// A range of at least one pair.
    ///
    /// # Errors
    /// A text that says what was wrong.
    pub fn new(first: u16, last: u16) -> Result<Self, String> {
        let range = Self { first, last };
        if first < 1024 || last < first || range.pairs() == 0 {
            return Err(format!(
                "port range {first}-{last} holds no pair of ports: expected FIRST-LAST, \
                 FIRST at least 1024, with an even port and the odd one above it"
            ));
        }
        Ok(range)
    }

    /// The lowest even port of the range.
    pub fn first_even(self) -> u16 {
        self.first + self.first % 2
    }

    /// How many RTP/RTCP pairs fit.
    pub fn pairs(self) -> u16 {
        let first = u32::from(self.first) + u32::from(self.first % 2);
        let count = (u32::from(self.last) + 1).saturating_sub(first) / 2;
        u16::try_from(count).unwrap_or(u16::MAX)
    }
}

impl TryFrom<String> for PortRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parsed = text.split_once('-').and_then(|(first, last)| {
            Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
        });
        let (first, last) = parsed.ok_or_else(|| {
            format!("`{text}` is no port range: expected FIRST-LAST, as 40000-40999")
        })?;
        Self::new(first, last)
    }
}

impl From<PortRange> for String {
    fn from(range: PortRange) -> Self {
        format!("{}-{}", range.first, range.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_a_range() {
        for (first, last, pairs) in [
            (40000, 40999, 500),
            (40000, 40001, 1),
            (40001, 40004, 1),
            (65534, 65535, 1),
        ] {
            assert_eq!(
                PortRange::new(first, last).unwrap().pairs(),
                pairs,
                "{first}-{last}"
            );
        }
        assert!(PortRange::new(40001, 40002).is_err());
        assert!(PortRange::new(80, 1000).is_err());
    }

    #[test]
    fn public_addresses() {
        for (text, expected) in [
            ("203.0.113.9", Some("203.0.113.9")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("stun:stun.example.com", Some("stun:stun.example.com:3478")),
            ("stun:192.0.2.1:3479", Some("stun:192.0.2.1:3479")),
            ("stun:[2001:db8::1]", Some("stun:[2001:db8::1]:3478")),
            ("stun:[2001:db8::1]:99", Some("stun:[2001:db8::1]:99")),
            ("stun:", None),
            ("stun:a:b", None),
            ("stun:a:0", None),
            ("stun:a b", None),
            ("stun:2001:db8::1", None),
            ("turn:a", None),
            ("gateway.example", None),
        ] {
            let parsed = text.parse::<PublicAddress>().ok().map(String::from);
            assert_eq!(parsed.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn source_networks() {
        let net: SourceNet = "10.1.0.0/16".parse().unwrap();
        assert!(net.contains("10.1.2.3".parse().unwrap()));
        assert!(net.contains("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!net.contains("10.2.0.1".parse().unwrap()));
        assert!("10.1.0.0/33".parse::<SourceNet>().is_err());
    }
}
