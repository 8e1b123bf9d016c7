//! Phones: their users, secrets and networks, and the registrar's times.

use std::collections::BTreeSet;

use super::super::locate::Located;
use super::super::locate::Step::{Index, Key};
use super::super::{Finding, Severity, SidecarConfig};

pub(super) fn phones(config: &SidecarConfig, at: &Located<'_>, findings: &mut Vec<Finding>) {
    let settings = &config.phones;
    let mut report = |key: &str, what: String, remedy: &str| {
        let place = [Key("phones"), Key(key)];
        findings.push(at.finding(Severity::Error, &place, what, remedy));
    };
    if settings.realm.is_empty() || settings.realm.contains(['"', '\\', '\r', '\n']) {
        report(
            "realm",
            "the realm is no plain text".into(),
            "realm = \"sip.example\"",
        );
    }
    if settings.qualities.is_empty() {
        report(
            "qualities",
            "phones are asked for credentials of no quality".into(),
            "qualities = [\"auth\"]",
        );
    }
    if settings.algorithms.is_empty() {
        report(
            "algorithms",
            "no algorithm is offered".into(),
            "algorithms = [\"SHA-256\", \"MD5\"]",
        );
    }
    for (key, value, least, most) in [
        ("nonce-seconds", settings.nonce_seconds, 10, 86_400),
        ("min-expires", settings.min_expires, 1, 3600),
        (
            "max-expires",
            settings.max_expires,
            settings.min_expires,
            86_400,
        ),
        (
            "default-expires",
            settings.default_expires,
            settings.min_expires,
            settings.max_expires,
        ),
        ("bindings", settings.bindings, 1, 100_000),
        (
            "strangers-per-second",
            settings.strangers_per_second,
            0,
            10_000,
        ),
    ] {
        if !(least..=most).contains(&value) {
            report(
                key,
                format!("{key} is {value}"),
                &format!("{least} to {most}"),
            );
        }
    }
    let mut users = BTreeSet::new();
    for (index, phone) in config.phone.iter().enumerate() {
        let mut report = |key: &str, what: String, remedy: &str| {
            let place = [Key("phone"), Index(index), Key(key)];
            findings.push(at.finding(Severity::Error, &place, what, remedy));
        };
        if phone.user.is_empty() || phone.user.chars().any(|letter| letter.is_control()) {
            report("user", "a phone needs a user".into(), "user = \"101\"");
        } else if !users.insert(&phone.user) {
            let what = format!("the user `{}` stands twice", phone.user);
            report("user", what, "give each phone its own user");
        }
        match phone.secrets(config) {
            Ok(secrets) if secrets.is_empty() => report(
                "algorithms",
                format!("`{}` may use no algorithm that is offered", phone.user),
                "algorithms = [\"SHA-256\"], and [phones] algorithms with it",
            ),
            Ok(_) => {}
            Err(error) => report(
                "password-file",
                error,
                "password-file = \"secrets/101.password\", and chmod 600",
            ),
        }
        if !(1..=64).contains(&phone.contacts) {
            report(
                "contacts",
                format!("contacts is {}", phone.contacts),
                "1 to 64",
            );
        }
    }
    for (index, route) in config.route.iter().enumerate() {
        let place = [Key("route"), Index(index), Key("phone")];
        if let Some(phone) = &route.phone
            && !phone.contains("{number}")
            && !users.contains(phone)
        {
            let what = format!("there is no [[phone]] `{phone}`");
            findings.push(at.finding(Severity::Error, &place, what, "[[phone]] user = \"…\""));
        }
        if route.phone.is_some() && (route.uri.is_some() || route.trunk.is_some()) {
            let what = "a route leads to a phone, or by `uri` and `trunk`".to_owned();
            findings.push(at.finding(Severity::Error, &place, what, "two routes"));
        }
    }
}
