//! TEST TRUST: settings that put another authority in Amazon's place.

use std::net::IpAddr;

use skillcall_host::Host;
use skillcall_host::settings::{SettingName, Settings as _};
use skillcall_sidecar::config::SidecarConfig;

use super::Finding;
use crate::installation::Installation;

/// The settings that replace Amazon's roots, or the place of its chain.
const TEST_SETTINGS: [&str; 2] = ["alexa_roots", "chain_origin"];

/// Says TEST TRUST while one of the settings is there, and refuses it together with a public address.
pub(super) fn check(installation: &Installation, findings: &mut Vec<Finding>) {
    let Ok(host) = Host::read(installation.host()) else {
        return;
    };
    let set: Vec<&str> = TEST_SETTINGS
        .into_iter()
        .filter(|name| {
            // A file that is not there yet will be there after the first start.
            SettingName::new(name).is_ok_and(|name| !matches!(host.settings.get(&name), Ok(None)))
        })
        .collect();
    if set.is_empty() {
        return;
    }
    let public = public_addresses(installation, &host);
    let file = installation.host();
    let mut finding = Finding::whole(
        &file,
        &format!(
            "TEST TRUST ({}): the simulator's authority stands in Amazon's place",
            set.join(" and ")
        ),
    );
    finding.severity = "warning";
    finding.remedy =
        "right for a trial on this machine; remove it to take requests of the real Alexa"
            .to_owned();
    if !public.is_empty() {
        finding.severity = "error";
        finding.what = format!(
            "{}, while {} can be reached from elsewhere",
            finding.what,
            public.join(" and ")
        );
        finding.remedy = format!(
            "remove {} from [settings], or listen on 127.0.0.1 only",
            set.join(" and ")
        );
    }
    findings.push(finding);
}

/// The addresses of the installation that are not loopback.
fn public_addresses(installation: &Installation, host: &Host) -> Vec<String> {
    let is_public = |ip: IpAddr| !ip.to_canonical().is_loopback();
    let mut public = Vec::new();
    if is_public(host.config.listen.ip()) {
        public.push(format!("the component at {}", host.config.listen));
    }
    if let Ok(sidecar) = SidecarConfig::load(&installation.sidecar()) {
        let listeners = sidecar.sip.listen.iter().map(|listen| listen.address.ip());
        let named = sidecar.sip.public_address.as_ref();
        // Whoever asks a STUN server means to be reached from outside.
        let asked = named.is_some_and(|named| named.server().is_some());
        let named = named.and_then(|named| named.fixed());
        if asked || listeners.chain(named).any(is_public) {
            public.push("the sidecar's SIP".to_owned());
        }
        if is_public(sidecar.control.listen.ip()) {
            public.push("the sidecar's control API".to_owned());
        }
    }
    public
}
