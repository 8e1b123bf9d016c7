//! Hosts: IP addresses and names.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::ValueError;
use super::scan::Scan;

/// A host (RFC 3261 §25.1 `host`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// An IP literal; IPv6 is written in brackets.
    Ip(IpAddr),
    /// A domain name, as it was written.
    Name(Box<str>),
}

impl Host {
    /// The address, if the host is an IP literal.
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(*ip),
            Self::Name(_) => None,
        }
    }
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Self {
        Self::Ip(ip)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// A host inside a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostRef<'a> {
    /// An IP literal.
    Ip(IpAddr),
    /// A domain name.
    Name(&'a str),
}

impl<'a> HostRef<'a> {
    /// The address, if the host is an IP literal.
    pub const fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(ip),
            Self::Name(_) => None,
        }
    }

    /// An owned copy.
    pub fn to_owned(self) -> Host {
        match self {
            Self::Ip(ip) => Host::Ip(ip),
            Self::Name(name) => Host::Name(name.into()),
        }
    }

    pub(crate) fn scan(scan: &mut Scan<'a>) -> Result<Self, ValueError> {
        if scan.take(b'[') {
            let start = *scan;
            let inner =
                scan.take_while(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'));
            let ip = std::str::from_utf8(inner).ok().and_then(ipv6);
            return match (ip, scan.take(b']')) {
                (Some(ip), true) => Ok(Self::Ip(IpAddr::V6(ip))),
                _ => Err(start.expected("an IPv6 address and `]`")),
            };
        }
        let start = *scan;
        let name = scan
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
        let name = std::str::from_utf8(name).unwrap_or_default();
        if name.is_empty() {
            return Err(start.expected("a host name or an IP address"));
        }
        if name.as_bytes().first().is_some_and(u8::is_ascii_digit)
            && let Ok(ip) = name.parse::<Ipv4Addr>()
        {
            return Ok(Self::Ip(IpAddr::V4(ip)));
        }
        Ok(Self::Name(name))
    }
}

/// An IPv6 address; also with the third colon before an IPv4 part that RFC 3261's grammar allowed (RFC 5118 §4.10).
fn ipv6(text: &str) -> Option<Ipv6Addr> {
    text.parse().ok().or_else(|| {
        let (before, after) = text.split_once(":::")?;
        after.parse::<Ipv4Addr>().ok()?;
        format!("{before}::{after}").parse().ok()
    })
}

impl fmt::Display for HostRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}
