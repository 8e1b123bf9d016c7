//! Who a certificate says that its holder is, in SIP's terms (RFC 5922 §7).

use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use webpki::EndEntityCert;

/// The SIP domain identities of a certificate: the hosts of its `sip:` URIs without user part; if it has none, its DNS
/// names, wildcards as they stand (RFC 5922 §7.1). A subject's common name counts for nothing.
pub(crate) fn identities(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok(parsed) = EndEntityCert::try_from(certificate) else {
        return Vec::new();
    };
    let uris: Vec<String> = parsed.valid_uri_names().filter_map(domain).collect();
    if uris.is_empty() {
        parsed
            .valid_dns_names()
            .map(str::to_ascii_lowercase)
            .collect()
    } else {
        uris
    }
}

fn domain(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once(':')?;
    if !scheme.eq_ignore_ascii_case("sip") || rest.contains('@') {
        return None;
    }
    let host = rest.split([';', '?', ':']).next()?;
    Some(host.to_ascii_lowercase())
}

/// Whether a holder of these identities is `name`: the same text, whatever the case. A wildcard stands for nothing but
/// itself (RFC 5922 §7.2).
pub(super) fn matches(identities: &[String], name: &str) -> bool {
    identities
        .iter()
        .any(|identity| identity.eq_ignore_ascii_case(name.trim_end_matches('.')))
}

/// Whether a certificate is its holder's for a domain, as [`identities`] has them, or for an IP address.
pub(crate) fn proves(certificate: &CertificateDer<'_>, name: &str) -> bool {
    match ServerName::try_from(name) {
        Ok(address @ ServerName::IpAddress(_)) => ParsedCertificate::try_from(certificate)
            .is_ok_and(|parsed| verify_server_name(&parsed, &address).is_ok()),
        _ => matches(&identities(certificate), name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_certificates() {
        assert_eq!(domain("sip:Example.com"), Some("example.com".into()));
        assert_eq!(domain("sip:example.com:5061"), Some("example.com".into()));
        assert_eq!(domain("sip:alice@example.com"), None);
        assert_eq!(domain("sips:example.com"), None);
        assert_eq!(domain("https://example.com"), None);
        let held = ["*.example.com".to_owned(), "pbx.example".to_owned()];
        assert!(matches(&held, "PBX.example."));
        assert!(matches(&held, "*.example.com"));
        assert!(!matches(&held, "a.example.com"));
        assert!(!matches(&held, ""));
    }
}
