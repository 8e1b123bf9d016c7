//! Where calls lead: applications with their handlers, and routes.

use std::collections::BTreeSet;

use super::super::locate::Located;
use super::super::locate::Step::{Index, Key};
use super::super::secrets::{self, KEYS_VARIABLE};
use super::super::{Answerer, Finding, Severity, SidecarConfig};

pub(super) fn applications(config: &SidecarConfig, at: &Located<'_>, findings: &mut Vec<Finding>) {
    if config.application.is_empty() {
        findings.push(at.finding(
            Severity::Warning,
            &[],
            "no [[application]]: every call gets 404",
            "add one with id and handler",
        ));
    }
    let mut ids = BTreeSet::new();
    for (index, application) in config.application.iter().enumerate() {
        let mut report = |key: &str, severity, what: String, remedy: String| {
            findings.push(at.finding(
                severity,
                &[Key("application"), Index(index), Key(key)],
                what,
                remedy,
            ));
        };
        if !ids.insert(&application.id) {
            report(
                "id",
                Severity::Error,
                format!("the id `{}` stands twice", application.id),
                "give each application its own id".into(),
            );
        }
        match Answerer::of(application) {
            Answerer::Handler(url)
                if !matches!(url.scheme(), "http" | "https") || url.host().is_none() =>
            {
                report(
                    "handler",
                    Severity::Error,
                    format!("`{url}` is no http or https URL"),
                    "handler = \"http://127.0.0.1:3000/media/events\"".into(),
                );
            }
            Answerer::Handler(_) => {}
            Answerer::Actions(file) => {
                if let Err(error) = crate::handler::read_actions(&config.resolve(file)) {
                    report(
                        "actions",
                        Severity::Error,
                        error,
                        "a handler's reply: {\"SchemaVersion\": \"1.0\", \"Actions\": […]}".into(),
                    );
                }
            }
            Answerer::Unclear => report(
                "id",
                Severity::Error,
                "who answers its calls? Exactly one of `handler` and `actions` says so".into(),
                "handler = \"http://127.0.0.1:3000/media/events\"".into(),
            ),
        }
        match secrets::application_keys(config, application) {
            Ok(None) if application.asks() && application.require_signed_replies => report(
                "keys-file",
                Severity::Error,
                "replies must be signed, and there are no keys".into(),
                format!("name a keys-file, set {KEYS_VARIABLE}, or require-signed-replies = false"),
            ),
            Ok(None) => {}
            Ok(Some(text)) => {
                if let Err(error) = crate::handler::parse_keys(&text) {
                    report(
                        "keys-file",
                        Severity::Error,
                        error,
                        "ID:BASE64 of 32 bytes, more keys after commas".into(),
                    );
                }
            }
            Err(error) => report(
                "keys-file",
                Severity::Error,
                error.to_string(),
                error.remedy(),
            ),
        }
    }
}

pub(super) fn routes(config: &SidecarConfig, at: &Located<'_>, findings: &mut Vec<Finding>) {
    for (index, route) in config.route.iter().enumerate() {
        let mut report = |key: &str, what: String, remedy: &str| {
            findings.push(at.finding(
                Severity::Error,
                &[Key("route"), Index(index), Key(key)],
                what,
                remedy,
            ));
        };
        match (&route.prefix, &route.voice_connector) {
            (Some(prefix), None) => {
                let digits = prefix.strip_prefix('+');
                if !digits.is_some_and(|d| d.len() <= 15 && d.bytes().all(|b| b.is_ascii_digit())) {
                    report(
                        "prefix",
                        format!("`{prefix}` is no prefix of an E.164 number"),
                        "prefix = \"+1607\", or \"+\" for every number",
                    );
                }
            }
            (None, Some(arn)) => {
                if !arn.starts_with("arn:") {
                    report(
                        "voice-connector",
                        format!("`{arn}` is no Arn"),
                        "voice-connector = \"arn:aws:chime:us-east-1:111122223333:vc/abc\"",
                    );
                }
            }
            _ => report(
                "uri",
                "a route needs either prefix or voice-connector".into(),
                "keep one of the two",
            ),
        }
        match (route.uri_for("+10000000000"), &route.trunk) {
            (None, None) if route.phone.is_some() => {}
            (None, None) => report(
                "uri",
                "a route needs a uri, a trunk or a phone".into(),
                "uri = \"sip:{number}@127.0.0.1:5070\", or trunk = \"pbx\"",
            ),
            (None, Some(_)) => {}
            (Some(uri), trunk) => {
                // A trunk's target says where to send: then the URI may name anything that it understands.
                let wrong = match trunk {
                    Some(_) => skillcall_sip::message::Uri::parse(&uri)
                        .err()
                        .map(|error| error.to_string()),
                    None => crate::leg::Target::parse(&uri).err(),
                };
                if let Some(error) = wrong {
                    report(
                        "uri",
                        format!("`{}`: {error}", route.uri.as_deref().unwrap_or_default()),
                        "uri = \"sip:{number}@127.0.0.1:5070\"",
                    );
                }
            }
        }
        if let Some(name) = &route.trunk {
            match config.trunk.iter().find(|trunk| trunk.name == *name) {
                None => report(
                    "trunk",
                    format!("no [[trunk]] has the name `{name}`"),
                    "name one that is there",
                ),
                Some(trunk) if trunk.target.is_empty() => report(
                    "trunk",
                    format!("`{name}` has no target to send calls to"),
                    "give the trunk a target",
                ),
                Some(_) => {}
            }
        }
    }
}
