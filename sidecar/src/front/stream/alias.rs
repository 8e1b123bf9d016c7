//! Connections of trunks that take our requests, too (RFC 5923): those on which a trunk has shown its certificate and said `alias`,
//! whose host the certificate proves (§8).

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use rustls::pki_types::CertificateDer;

use crate::tls::proves;

/// What a connection's peer says of where it takes requests.
#[derive(Debug)]
struct Alias {
    certificate: CertificateDer<'static>,
    host: String,
    port: u16,
    /// Where the connection comes from.
    from: IpAddr,
}

impl Alias {
    /// Whether requests to this place may go this way: had we opened a connection there, its certificate would have had to
    /// prove the same name.
    fn leads_to(&self, to: SocketAddr, name: &str) -> bool {
        let host = to.ip().to_canonical();
        let says = self.host.eq_ignore_ascii_case(name)
            || self.host.parse() == Ok(host)
            || self.from.to_canonical() == host;
        says && self.port == to.port() && proves(&self.certificate, name)
    }
}

/// All such connections, by their tokens.
#[derive(Debug, Default)]
pub(super) struct Aliases(HashMap<usize, Alias>);

impl Aliases {
    /// Takes note of what a request says. What the certificate does not prove is not believed.
    pub(super) fn note(
        &mut self,
        token: usize,
        certificate: &CertificateDer<'static>,
        (host, port): (String, u16),
        from: IpAddr,
    ) {
        let known = self.0.get(&token);
        if known.is_some_and(|known| known.host == host && known.port == port) {
            return;
        }
        if !proves(certificate, &host) {
            tracing::warn!(%from, host, "an alias that the certificate does not prove");
            return;
        }
        let alias = Alias {
            certificate: certificate.clone(),
            host,
            port,
            from,
        };
        self.0.insert(token, alias);
    }

    /// The connection that leads to a place whose certificate has to prove `name`.
    pub(super) fn to(&self, to: SocketAddr, name: &str) -> Option<usize> {
        let mut leading = self.0.iter().filter(|(_, alias)| alias.leads_to(to, name));
        leading.next().map(|(token, _)| *token)
    }

    /// The connection is closed.
    pub(super) fn forget(&mut self, token: usize) {
        self.0.remove(&token);
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    #[test]
    fn an_alias_leads_where_its_certificate_does() {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["carrier.example".to_owned()]).unwrap();
        let address: IpAddr = "192.0.2.7".parse().unwrap();
        params.subject_alt_names.push(SanType::IpAddress(address));
        let certificate: CertificateDer<'static> = params.self_signed(&key).unwrap().der().clone();
        let place = |text: &str| text.parse::<SocketAddr>().unwrap();
        let elsewhere = "198.51.100.1".parse().unwrap();
        for (host, port, from, to, name, expected) in [
            (
                "carrier.example",
                5061,
                elsewhere,
                "192.0.2.9:5061",
                "carrier.example",
                true,
            ),
            (
                "Carrier.Example",
                5061,
                elsewhere,
                "192.0.2.9:5061",
                "CARRIER.example",
                true,
            ),
            (
                "carrier.example",
                5070,
                elsewhere,
                "192.0.2.9:5061",
                "carrier.example",
                false,
            ),
            (
                "192.0.2.7",
                5061,
                elsewhere,
                "192.0.2.7:5061",
                "192.0.2.7",
                true,
            ),
            (
                "192.0.2.7",
                5061,
                elsewhere,
                "192.0.2.7:5061",
                "carrier.example",
                true,
            ),
            (
                "192.0.2.7",
                5061,
                elsewhere,
                "192.0.2.8:5061",
                "carrier.example",
                false,
            ),
            (
                "carrier.example",
                5061,
                address,
                "192.0.2.7:5061",
                "192.0.2.7",
                true,
            ),
            // What it does not prove, it does not stand for, whatever it says.
            (
                "other.example",
                5061,
                elsewhere,
                "192.0.2.9:5061",
                "other.example",
                false,
            ),
            (
                "192.0.2.8",
                5061,
                elsewhere,
                "192.0.2.8:5061",
                "192.0.2.8",
                false,
            ),
            (
                "carrier.example",
                5061,
                address,
                "192.0.2.7:5061",
                "other.example",
                false,
            ),
        ] {
            let mut aliases = Aliases::default();
            aliases.note(1, &certificate, (host.to_owned(), port), from);
            let found = aliases.to(place(to), name);
            assert_eq!(found.is_some(), expected, "{host}:{port} {to} {name}");
            aliases.forget(1);
            assert_eq!(aliases.to(place(to), name), None);
        }
    }
}
