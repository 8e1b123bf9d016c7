//! Trunks: their names, places and networks, and the routes that name them.

use std::collections::BTreeSet;

use super::super::locate::Located;
use super::super::locate::Step::{Index, Key};
use super::super::secrets;
use super::super::{Finding, Severity, SidecarConfig, SipTransport};
use crate::leg::Target;

pub(super) fn trunks(config: &SidecarConfig, at: &Located<'_>, findings: &mut Vec<Finding>) {
    let mut names = BTreeSet::new();
    for (index, trunk) in config.trunk.iter().enumerate() {
        let mut report = |key: &str, what: String, remedy: &str| {
            findings.push(at.finding(
                Severity::Error,
                &[Key("trunk"), Index(index), Key(key)],
                what,
                remedy,
            ));
        };
        if trunk.name.is_empty() {
            report("name", "a trunk needs a name".into(), "name = \"pbx\"");
        } else if !names.insert(&trunk.name) {
            report(
                "name",
                format!("the name `{}` stands twice", trunk.name),
                "give each trunk its own name",
            );
        }
        if !trunk.certificate_names.is_empty() && config.tls.clients.is_none() {
            report(
                "certificate-names",
                "no certificate is asked for".into(),
                "[tls] clients = \"certs/clients.pem\"",
            );
        }
        if trunk.target.is_empty()
            && trunk.addresses.is_empty()
            && trunk.certificate_names.is_empty()
        {
            report(
                "target",
                format!("`{}` has neither a target nor addresses", trunk.name),
                "target = [{ address = \"pbx.example\" }]",
            );
        }
        for target in &trunk.target {
            if let Err(error) = target.read() {
                report(
                    "target",
                    format!("`{}`: {error}", target.address),
                    "address = \"pbx.example\", \"192.0.2.7:5070\" or \"sip:pbx.example;transport=tcp\"",
                );
            } else if trunk.udp_only && target.transport.is_some_and(|t| t != SipTransport::Udp) {
                report(
                    "udp-only",
                    format!("`{}` is not reached by UDP", target.address),
                    "udp-only = false",
                );
            }
        }
        if let Some(proxy) = &trunk.outbound_proxy
            && let Err(error) = Target::parse(proxy)
        {
            report(
                "outbound-proxy",
                format!("`{proxy}`: {error}"),
                "outbound-proxy = \"sip:proxy.example;lr\"",
            );
        }
        match (&trunk.username, &trunk.password_file) {
            (Some(_), Some(file)) => {
                if let Err(error) = secrets::password(config, file) {
                    report("password-file", error.to_string(), &error.remedy());
                }
            }
            (None, None) => {}
            _ => report(
                "username",
                "username and password-file go together".into(),
                "username = \"gateway\" and password-file = \"secrets/pbx.password\"",
            ),
        }
        if let Some(register) = &trunk.register {
            if trunk.target.is_empty() || trunk.register_address().is_none() {
                report(
                    "register",
                    format!(
                        "`{}` cannot be registered with: a target and a user are needed",
                        trunk.name
                    ),
                    "username = \"gateway\", or register = { user = \"gateway\", domain = \"pbx.example\" }",
                );
            }
            if !(60..=86_400).contains(&register.expires) {
                let what = format!("register.expires is {}", register.expires);
                report("register", what, "60 to 86400");
            }
            if !(1..=1800).contains(&register.retry_seconds) {
                let what = format!("register.retry-seconds is {}", register.retry_seconds);
                report("register", what, "1 to 1800");
            }
        }
        if let Some(domain) = &trunk.from_domain
            && Target::parse(&format!("sip:{domain}")).is_err()
        {
            report(
                "from-domain",
                format!("`{domain}` is no host"),
                "from-domain = \"pbx.example\"",
            );
        }
        if trunk.check_seconds > 86_400 {
            report(
                "check-seconds",
                format!("check-seconds is {}", trunk.check_seconds),
                "0 to 86400",
            );
        }
    }
}
