//! `[[trunk]]`: a carrier, a PBX or a proxy, by name: where it is, and from where its requests come.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use skillcall_sip::auth::{Login, Secret, Wallet};

use super::addresses::{SipTransport, SourceNet};
use super::register::RegisterConfig;
use super::srtp::SrtpMode;
use super::{SidecarConfig, secrets};
use crate::leg::Target;

/// A peer that calls go to by [`RouteConfig::trunk`](super::RouteConfig::trunk), and come from by source address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TrunkConfig {
    /// Its name, as routes, the control API and the trace call it.
    pub name: String,
    /// Where it is reached, one place or more.
    #[serde(default)]
    pub target: Vec<TrunkTarget>,
    /// Networks that its requests come from. They need not stand in `[sip] sources`; of two trunks' networks the smaller
    /// one decides. Default: none, so its requests are no trunk's.
    #[serde(default)]
    pub addresses: Vec<SourceNet>,
    /// SIP URI of a proxy that all requests to it pass first (a loose route, RFC 3261 §8.1.2); default: none.
    #[serde(default)]
    pub outbound_proxy: Option<String>,
    /// What the certificate of a TLS target has to carry: a domain among its `sip:` URIs, else among its DNS names, letter
    /// by letter (RFC 5922 §7.2), so `*.carrier.example` where the certificate says just that. Default: the host of the
    /// target's `address`.
    #[serde(default)]
    pub tls_name: Option<String>,
    /// Domains of client certificates that are this trunk's: a connection that shows one is the trunk's, wherever it
    /// comes from; where it says `alias`, our calls go by it, too (RFC 5923); default: none.
    #[serde(default)]
    pub certificate_names: Vec<String>,
    /// Seconds between the OPTIONS that ask each target whether it lives; 0 (default): none are sent.
    #[serde(default)]
    pub check_seconds: u32,
    /// Whether it takes nothing but UDP: then requests of any size go by UDP (RFC 3261 §18.1.1 would send those above
    /// 1300 bytes by TCP); default false.
    #[serde(default)]
    pub udp_only: bool,
    /// Whether media are encrypted (SDES, RFC 4568); default `off`.
    #[serde(default)]
    pub srtp: SrtpMode,
    /// Whether it belongs to the same circle of trust as this sidecar (RFC 3325): what it says of a caller's identity, of the
    /// wish to hide it and of the call's way goes on to other trusted trunks, and theirs to it, and so does User-to-User (RFC
    /// 7433); default false.
    #[serde(default)]
    pub trusted: bool,
    /// The user that answers its challenges (401 and 407); needs `password-file`; default: they are not answered.
    #[serde(default)]
    pub username: Option<String>,
    /// File with the user's password (mode 0600).
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub password_file: Option<PathBuf>,
    /// The realm that the password is for; default: whichever asks.
    #[serde(default)]
    pub realm: Option<String>,
    /// Registers the gateway with it: `register = {}` does so as `username`; default: it is not registered.
    #[serde(default)]
    pub register: Option<RegisterConfig>,
    /// The user part of From in calls to it, for one that wants the account's there; default: the caller's number.
    #[serde(default)]
    pub from_user: Option<String>,
    /// The host of From in calls to it; default: the domain of `register`, else the sidecar's address.
    #[serde(default)]
    pub from_domain: Option<String>,
}

/// One place of a trunk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TrunkTarget {
    /// `pbx.example`, `192.0.2.7:5070`, `[2001:db8::7]`, or a SIP URI (`sip:pbx.example;transport=tcp`). A name without
    /// port is looked up by NAPTR and SRV (RFC 3263).
    pub address: String,
    /// The transport; default: what the URI says, else what the name's records say, else UDP.
    #[serde(default)]
    pub transport: Option<SipTransport>,
    /// Targets of the lowest number are tried first; default 0.
    #[serde(default)]
    pub priority: u16,
    /// The share of calls among targets of one priority (as RFC 2782 has it); default 1.
    #[serde(default = "one")]
    pub weight: u16,
}

fn one() -> u16 {
    1
}

impl TrunkConfig {
    /// A trunk of one target with the defaults of the file.
    pub fn new(name: impl Into<String>, address: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            target: vec![TrunkTarget::new(address)],
            addresses: Vec::new(),
            outbound_proxy: None,
            tls_name: None,
            certificate_names: Vec::new(),
            check_seconds: 0,
            udp_only: false,
            srtp: SrtpMode::Off,
            trusted: false,
            username: None,
            password_file: None,
            realm: None,
            register: None,
            from_user: None,
            from_domain: None,
        }
    }
}

impl TrunkConfig {
    /// What its challenges are answered with. A file that cannot be read is none; `check` says so before.
    pub(crate) fn wallet(&self, config: &SidecarConfig) -> Option<Arc<Wallet>> {
        let password = secrets::password(config, self.password_file.as_deref()?).ok()?;
        let login = Login {
            realm: self.realm.clone(),
            username: self.username.clone()?,
            secret: Secret::Password(password),
        };
        Some(Arc::new(Wallet::new([login])))
    }
}

impl TrunkTarget {
    /// A place with the defaults of the file.
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            transport: None,
            priority: 0,
            weight: 1,
        }
    }

    /// The place as a URI and the way there.
    ///
    /// # Errors
    /// What is wrong in `address`.
    pub(crate) fn read(&self) -> Result<Target, String> {
        Target::parse(&self.uri_text(None))
    }

    /// The Request-URI for a number or user part at this place.
    pub(crate) fn uri_text(&self, user: Option<&str>) -> String {
        let (scheme, place) = match self.address.split_once(':') {
            Some((scheme, place)) if matches!(scheme, "sip" | "sips") => (scheme, place),
            _ => ("sip", self.address.as_str()),
        };
        let place = match place.parse::<std::net::Ipv6Addr>() {
            Ok(bare) => format!("[{bare}]"),
            Err(_) => place.to_owned(),
        };
        let user = match user {
            Some(user) if !place.contains('@') => format!("{user}@"),
            _ => String::new(),
        };
        let transport = self
            .transport
            .map(|transport| format!(";transport={transport}"))
            .unwrap_or_default();
        format!("{scheme}:{user}{place}{transport}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_request_uris() {
        for (address, transport, uri) in [
            ("pbx.example", None, "sip:7@pbx.example"),
            ("192.0.2.7:5070", None, "sip:7@192.0.2.7:5070"),
            ("2001:db8::7", None, "sip:7@[2001:db8::7]"),
            ("[2001:db8::7]:5070", None, "sip:7@[2001:db8::7]:5070"),
            (
                "pbx.example",
                Some(SipTransport::Tcp),
                "sip:7@pbx.example;transport=tcp",
            ),
            ("sip:pbx.example;lr", None, "sip:7@pbx.example;lr"),
            ("sip:main@pbx.example", None, "sip:main@pbx.example"),
        ] {
            let target = TrunkTarget {
                address: address.into(),
                transport,
                priority: 0,
                weight: 1,
            };
            assert_eq!(target.uri_text(Some("7")), uri);
            target.read().unwrap();
        }
    }
}
