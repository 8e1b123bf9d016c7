//! `[gateway]`'s STUN and TURN servers.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use skillcall_webrtc::TurnTransport;

use super::{SecretError, SidecarConfig, secrets};

/// A TURN server, and who we are there (RFC 8656; long-term credentials, RFC 8489 §9.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TurnConfig {
    /// Its `HOST:PORT` for UDP, or its URI (RFC 7065): `turn:HOST:PORT?transport=tcp` for TCP, `turns:HOST:PORT` for TLS, where it
    /// proves that it is HOST. A URI may leave the port out: 3478, with TLS 5349. A name is looked up at start.
    pub server: String,
    /// Our name there.
    pub username: String,
    /// File with our password (mode 0600).
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub password_file: PathBuf,
}

/// Whether it is `HOST:PORT`.
pub(super) fn is_server(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        !bare.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0)
    })
}

/// Where a TURN server is: what [`TurnConfig::server`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TurnPlace {
    /// `HOST:PORT`.
    pub(crate) server: String,
    pub(crate) transport: TurnTransport,
}

impl TurnPlace {
    /// None: it is neither `HOST:PORT` nor a URI of RFC 7065.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (secure, rest) = match (text.strip_prefix("turn:"), text.strip_prefix("turns:")) {
            // A host may have the name of the scheme: `turn:3478`.
            (Some(port), _) if port.parse::<u16>().is_ok() => (None, text),
            (Some(rest), _) => (Some(false), rest),
            (_, Some(port)) if port.parse::<u16>().is_ok() => (None, text),
            (_, Some(rest)) => (Some(true), rest),
            _ => (None, text),
        };
        let (place, transport) = match rest.split_once("?transport=") {
            Some((place, transport)) if secure.is_some() => (place, Some(transport)),
            _ => (rest, None),
        };
        let bare = place.trim_end_matches(']').len() < place.len() || !place.contains(':');
        let server = match (secure, bare) {
            (Some(true), true) => format!("{place}:5349"),
            (Some(false), true) => format!("{place}:3478"),
            _ => place.to_owned(),
        };
        if !is_server(&server) || server.contains(['/', '?', '@', '&']) {
            return None;
        }
        let host = server.rsplit_once(':')?.0;
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let transport = match (secure.unwrap_or(false), transport) {
            (false, None | Some("udp")) => TurnTransport::Udp,
            (false, Some("tcp")) => TurnTransport::Tcp,
            // DTLS (`turns:` with UDP) is not spoken.
            (true, None | Some("tcp")) => TurnTransport::Tls(name.to_owned()),
            _ => return None,
        };
        Some(Self { server, transport })
    }
}

impl TurnConfig {
    /// Our password there.
    ///
    /// # Errors
    /// Its file cannot be read, or others can.
    pub(crate) fn password(&self, config: &SidecarConfig) -> Result<String, SecretError> {
        secrets::password(config, &self.password_file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_named_by_place_or_by_uri() {
        let tls = |name: &str| TurnTransport::Tls(name.to_owned());
        for (text, server, transport) in [
            (
                "turn.example.org:3478",
                "turn.example.org:3478",
                TurnTransport::Udp,
            ),
            ("turn:3478", "turn:3478", TurnTransport::Udp),
            (
                "turn:turn.example.org",
                "turn.example.org:3478",
                TurnTransport::Udp,
            ),
            (
                "turn:192.0.2.1:80?transport=tcp",
                "192.0.2.1:80",
                TurnTransport::Tcp,
            ),
            (
                "turn:[2001:db8::1]?transport=tcp",
                "[2001:db8::1]:3478",
                TurnTransport::Tcp,
            ),
            (
                "turns:turn.example.org",
                "turn.example.org:5349",
                tls("turn.example.org"),
            ),
            (
                "turns:[2001:db8::1]:443",
                "[2001:db8::1]:443",
                tls("2001:db8::1"),
            ),
        ] {
            let place = TurnPlace::parse(text).unwrap();
            assert_eq!(
                (&*place.server, place.transport),
                (server, transport),
                "{text}"
            );
        }
        for text in [
            "turn.example.org",
            "turn:turn.example.org?transport=sctp",
            "turns:turn.example.org?transport=udp",
            "turn:name@turn.example.org",
            "turn:",
            "http://turn.example.org:80",
        ] {
            assert_eq!(TurnPlace::parse(text), None, "{text}");
        }
    }
}
