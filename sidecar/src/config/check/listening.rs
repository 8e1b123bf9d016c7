//! Who may reach the listeners, and with which secrets.

use super::super::locate::{Located, Step};
use super::super::secrets::{self, KEYS_VARIABLE, SecretError, TOKEN_VARIABLE};
use super::super::{Finding, Severity, SidecarConfig, SipTransport};
use Step::{Index, Key};

pub(super) fn listeners(config: &SidecarConfig, at: &Located<'_>, findings: &mut Vec<Finding>) {
    let sip = &config.sip;
    for transport in SipTransport::ALL {
        if sip
            .listen
            .iter()
            .filter(|l| l.transport == transport)
            .count()
            > 1
        {
            findings.push(at.finding(
                Severity::Error,
                &[Key("sip"), Key("listen")],
                format!("more than one {transport} listener"),
                "keep one of each transport",
            ));
        }
    }
    tls(config, at, findings);
    if sip.listen.is_empty() {
        findings.push(at.finding(
            Severity::Error,
            &[Key("sip"), Key("listen")],
            "no SIP listener",
            "listen = [\"udp:127.0.0.1:5060\"]",
        ));
    }
    // A STUN server may be silent at the start: then the listener's own address is named.
    let fixed = sip.public_address.as_ref().and_then(|named| named.fixed());
    for (index, listen) in sip.listen.iter().enumerate() {
        let path = [Key("sip"), Key("listen"), Index(index)];
        if listen.address.ip().is_loopback() {
            continue;
        }
        let by_trunk = config.trunk.iter().any(|trunk| !trunk.addresses.is_empty());
        if !by_trunk && sip.sources.as_ref().is_none_or(Vec::is_empty) {
            findings.push(at.finding(
                Severity::Error,
                &path,
                format!("{listen} is reachable by others, and [sip] sources does not say by whom"),
                "list the networks of your trunks: sources = [\"192.0.2.0/24\"]",
            ));
        }
        if listen.address.ip().is_unspecified() && fixed.is_none() {
            findings.push(at.finding(
                Severity::Error,
                &path,
                format!("{listen} is no address that a peer could send to"),
                "say which one is: public-address = \"192.0.2.10\"",
            ));
        }
        for (index, application) in config.application.iter().enumerate() {
            let keys = secrets::application_keys(config, application);
            if application.asks() && matches!(keys, Ok(None)) {
                findings.push(at.finding(
                    Severity::Error,
                    &[Key("application"), Index(index)],
                    "a public listener, and this application has no signing keys",
                    format!("name a keys-file, or set {KEYS_VARIABLE}"),
                ));
            }
        }
    }
    for (index, network) in sip.network.iter().enumerate() {
        let path = [Key("sip"), Key("network"), Index(index)];
        if network.peers.is_empty() {
            findings.push(at.finding(
                Severity::Error,
                &path,
                "nobody is in this network",
                "name its peers: peers = [\"10.0.0.0/8\"]",
            ));
        }
        let fixed = network.public_address.fixed();
        if fixed.is_some_and(|address| address.is_unspecified()) {
            findings.push(at.finding(
                Severity::Error,
                &path,
                "peers cannot send to this address",
                "say which one they reach: public-address = \"10.0.0.10\"",
            ));
        }
    }
    if config.rtp.address.is_unspecified() && fixed.is_none() {
        findings.push(at.finding(
            Severity::Error,
            &[Key("rtp"), Key("address")],
            "SDP would name 0.0.0.0, which means hold",
            "say which address peers send to: [sip] public-address = \"192.0.2.10\"",
        ));
    }
}

fn tls(config: &SidecarConfig, at: &Located<'_>, findings: &mut Vec<Finding>) {
    let tls = &config.tls;
    let mut report = |section: &str, key: &str, what: String| {
        findings.push(at.finding(
            Severity::Error,
            &[Key(section), Key(key)],
            what,
            "[tls] certificate = \"certs/sip.pem\", key-file = \"secrets/sip.key\"",
        ));
    };
    let secure = [SipTransport::Tls, SipTransport::Wss];
    for transport in secure {
        if config.sip.listener(transport).is_some() && tls.certificate.is_none() {
            report(
                "sip",
                "listen",
                format!("a {transport} listener, and no certificate"),
            );
        }
    }
    if tls.certificate.is_some() != tls.key_file.is_some() {
        report(
            "tls",
            "certificate",
            "certificate and key-file go together".into(),
        );
    }
    if tls.require_client_certificate && tls.clients.is_none() {
        report(
            "tls",
            "require-client-certificate",
            "nothing says which certificates are right: clients = \"certs/clients.pem\"".into(),
        );
    }
    if let Err(error) = crate::tls::TlsSetup::read(config) {
        report("tls", "certificate", error.to_string());
    }
}

fn secret_finding(at: &Located<'_>, path: &[Step<'_>], error: &SecretError) -> Finding {
    at.finding(Severity::Error, path, error.to_string(), error.remedy())
}

pub(super) fn control(config: &SidecarConfig, at: &Located<'_>, findings: &mut Vec<Finding>) {
    match secrets::control_token(config) {
        Ok(Some(_)) => {}
        Ok(None) => {
            let (severity, what) = if config.control.listen.ip().is_loopback() {
                (
                    Severity::Warning,
                    "no bearer token: the control API answers /health only",
                )
            } else {
                (
                    Severity::Error,
                    "the control API is reachable by others, and has no bearer token",
                )
            };
            findings.push(at.finding(
                severity,
                &[Key("control"), Key("token-file")],
                what,
                format!(
                    "token-file = \"secrets/control.token\" (mode 0600), or set {TOKEN_VARIABLE}"
                ),
            ));
        }
        Err(error) => findings.push(secret_finding(
            at,
            &[Key("control"), Key("token-file")],
            &error,
        )),
    }
}
