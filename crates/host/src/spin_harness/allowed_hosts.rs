//! `allowed_outbound_hosts`.

use http::Uri;
use std::net::IpAddr;
use std::ops::Range;

/// One entry: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AllowedHost {
    /// None: any.
    scheme: Option<String>,
    host: Host,
    port: Port,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Any,
    /// What stands behind `*`, with its dot.
    Subdomains(String),
    Exact(String),
    Network(IpAddr, u8),
    /// The application itself; this harness serves no such requests.
    ToSelf,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Port {
    Any,
    Range(Range<u32>),
}

impl AllowedHost {
    /// Reads an entry whose variables are filled in.
    pub(super) fn parse(entry: &str) -> Result<Self, String> {
        let url = entry.trim();
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(match url {
                "*" | ":" | "" | "?" => format!(
                    "{url:?} is not an allowed outbound host format.\nHosts must be in the form <scheme>://<host>[:<port>], with '*' wildcards allowed for each."
                ),
                _ => format!("{url:?} does not contain a scheme (e.g., 'http://' or '*://')"),
            });
        };
        let (host, rest) = rest.rsplit_once(':').unwrap_or((rest, ""));
        let port = match rest.split_once('/') {
            Some((_, path)) if !path.is_empty() => {
                return Err(format!("{url:?} has a path but is not allowed to"));
            }
            Some((port, _)) => port,
            None => rest,
        };
        if scheme != "*" && !scheme.chars().all(char::is_alphabetic) {
            return Err(format!(
                "scheme {scheme:?} contains non alphabetic character"
            ));
        }
        Ok(Self {
            scheme: (scheme != "*").then(|| scheme.to_owned()),
            host: Host::parse(host)?,
            port: Port::parse(port, scheme)?,
        })
    }

    /// Whether a request to `uri` may be sent.
    pub(super) fn allows(&self, uri: &Uri) -> bool {
        let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else {
            return false;
        };
        let Some(port) = uri.port_u16().or_else(|| well_known(scheme)) else {
            return false;
        };
        self.scheme
            .as_deref()
            .is_none_or(|allowed| allowed == scheme)
            && self.host.allows(&host.to_ascii_lowercase())
            && self.port.allows(port)
    }
}

impl Host {
    fn parse(host: &str) -> Result<Self, String> {
        let host = host.trim();
        if host == "*" {
            return Ok(Self::Any);
        }
        if host == "self" || host == "self.alt" {
            return Ok(Self::ToSelf);
        }
        if host.starts_with('{') {
            return Err("host lists are not yet supported".into());
        }
        if let Some(network) = network(host) {
            return Ok(network);
        }
        if host.split('/').nth(1).is_some_and(|path| !path.is_empty()) {
            return Err("hosts must not contain paths".into());
        }
        if let Some(domain) = host.strip_prefix("*.") {
            if domain.contains('*') {
                return Err(format!(
                    "Invalid allowed host {host}: wildcards are allowed only as prefixes"
                ));
            }
            return Ok(Self::Subdomains(format!(".{domain}")));
        }
        if host.contains('*') {
            return Err(format!(
                "Invalid allowed host {host}: wildcards are allowed only as subdomains"
            ));
        }
        Ok(Self::Exact(host.trim_end_matches('/').to_owned()))
    }

    fn allows(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::ToSelf => false,
            Self::Subdomains(suffix) => host.ends_with(suffix),
            Self::Exact(allowed) => allowed == host,
            Self::Network(network, bits) => host
                .parse()
                .is_ok_and(|address| contains(*network, *bits, address)),
        }
    }
}

impl Port {
    fn parse(port: &str, scheme: &str) -> Result<Self, String> {
        if port == "*" {
            return Ok(Self::Any);
        }
        if port.is_empty() {
            let known = well_known(scheme).map(|port| Self::Range(one(port)));
            return known.ok_or_else(|| {
                format!("no port was provided and the scheme {scheme:?} does not have a known default port number")
            });
        }
        let number = |text: &str| {
            let error = |_| format!("port {port:?} is not a number");
            text.parse::<u16>().map_err(error)
        };
        match port.split_once("..") {
            Some((start, end)) => Ok(Self::Range(number(start)?.into()..number(end)?.into())),
            None => Ok(Self::Range(one(number(port)?))),
        }
    }

    fn allows(&self, port: u16) -> bool {
        match self {
            Self::Any => true,
            Self::Range(range) => range.contains(&port.into()),
        }
    }
}

fn one(port: u16) -> Range<u32> {
    let port = u32::from(port);
    port..port + 1
}

fn well_known(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        "postgres" => Some(5432),
        "mysql" => Some(3306),
        "redis" => Some(6379),
        "mqtt" => Some(1883),
        _ => None,
    }
}

fn network(text: &str) -> Option<Host> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address.parse().ok()?, bits.parse().ok()?),
        None => {
            let address: IpAddr = text.parse().ok()?;
            (address, if address.is_ipv4() { 32 } else { 128 })
        }
    };
    let most = if address.is_ipv4() { 32 } else { 128 };
    (bits <= most).then_some(Host::Network(address, bits))
}

fn contains(network: IpAddr, bits: u8, address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            network.to_bits() & mask == address.to_bits() & mask
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            network.to_bits() & mask == address.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(entry: &str, uri: &str) -> bool {
        let allowed = AllowedHost::parse(entry).expect(entry);
        allowed.allows(&uri.parse().expect("a URI"))
    }

    #[test]
    fn scheme_host_and_port_must_all_fit() {
        assert!(allows(
            "https://api.example.com",
            "https://api.example.com/v1"
        ));
        assert!(allows(
            "https://api.example.com/",
            "https://api.example.com:443"
        ));
        assert!(!allows(
            "https://api.example.com",
            "http://api.example.com:443"
        ));
        assert!(!allows(
            "https://api.example.com",
            "https://api.example.com:8443"
        ));
        assert!(!allows(
            "https://api.example.com",
            "https://api.example.com.evil.example"
        ));
        assert!(allows(
            "http://127.0.0.1:7080",
            "http://127.0.0.1:7080/v1/traces"
        ));
        assert!(!allows("http://localhost:7080", "http://127.0.0.1:7080"));
        assert!(!allows("http://127.0.0.1:7080", "http://localhost:7080"));
    }

    #[test]
    fn wildcards_stand_in_their_places() {
        assert!(allows("https://*.example.com", "https://a.b.example.com"));
        assert!(!allows("https://*.example.com", "https://example.com"));
        assert!(allows("*://*:*", "http://anything:1"));
        assert!(allows("http://10.0.0.0/8", "http://10.1.2.3"));
        assert!(!allows("http://10.0.0.0/8", "http://11.1.2.3"));
        assert!(allows("http://h:8000..8010", "http://h:8009"));
        assert!(!allows("http://h:8000..8010", "http://h:8010"));
    }

    #[test]
    fn what_spin_refuses_is_refused() {
        for (entry, says) in [
            ("", "not an allowed outbound host format"),
            ("api.example.com", "does not contain a scheme"),
            ("https://api.example.com/v1", "paths"),
            ("https://api.example.com:443/v1", "has a path"),
            ("https://a.*.example.com", "only as subdomains"),
            ("https://*.a.*.com", "only as prefixes"),
            ("ftp://a", "known default port"),
            ("http://a:x", "is not a number"),
        ] {
            let refused = AllowedHost::parse(entry).expect_err(entry);
            assert!(refused.contains(says), "{entry}: {refused}");
        }
    }
}
