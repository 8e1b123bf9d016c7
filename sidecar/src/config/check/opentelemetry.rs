//! The collector of spans.

use super::super::locate::Located;
use super::super::locate::Step::Key;
use super::super::{Finding, Severity, SidecarConfig};

pub(super) fn opentelemetry(config: &SidecarConfig, at: &Located<'_>, findings: &mut Vec<Finding>) {
    let settings = &config.opentelemetry;
    let mut report = |severity, key, what: String, remedy: &str| {
        findings.push(at.finding(severity, &[Key("opentelemetry"), Key(key)], what, remedy));
    };
    for (key, value, least, most) in [
        ("interval-ms", settings.interval_ms, 100, 60_000),
        ("batch", settings.batch, 1, 10_000),
        ("queue", settings.queue, 16, 65_536),
    ] {
        if !(least..=most).contains(&value) {
            let remedy = format!("{least} to {most}");
            report(Severity::Error, key, format!("{key} is {value}"), &remedy);
        }
    }
    let Some(endpoint) = &settings.endpoint else {
        return;
    };
    if !matches!(endpoint.scheme(), "http" | "https") || endpoint.host().is_none() {
        report(
            Severity::Error,
            "endpoint",
            format!("`{endpoint}` is no http or https URL"),
            "endpoint = \"http://127.0.0.1:4318\"",
        );
    }
    let is_near = match endpoint.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => true,
    };
    if endpoint.scheme() == "http" && !is_near {
        report(
            Severity::Warning,
            "endpoint",
            "spans go over the network unencrypted".to_owned(),
            "an https URL, or a collector on this machine",
        );
    }
    if let Err(problem) = settings.headers(config) {
        report(
            Severity::Error,
            "headers-file",
            problem,
            "a file of mode 0600 with `Name: value` lines",
        );
    }
    if config.trace.calls_per_second == 0 {
        report(
            Severity::Warning,
            "endpoint",
            "no call is traced, so there are no spans".to_owned(),
            "[trace] calls-per-second = 100",
        );
    }
}
