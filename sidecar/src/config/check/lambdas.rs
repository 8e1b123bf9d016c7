//! The handlers behind Lambda functions.

use std::collections::BTreeSet;

use super::super::lambda::account;
use super::super::locate::Located;
use super::super::locate::Step::{Index, Key};
use super::super::secrets::{self, KEYS_VARIABLE};
use super::super::{Finding, Severity, SidecarConfig};

pub(super) fn lambdas(config: &SidecarConfig, at: &Located<'_>, findings: &mut Vec<Finding>) {
    let public = config
        .sip
        .listen
        .iter()
        .any(|listen| !listen.address.ip().is_loopback());
    let mut arns = BTreeSet::new();
    for (index, lambda) in config.lambda.iter().enumerate() {
        let mut report = |key: &str, what: String, remedy: String| {
            findings.push(at.finding(
                Severity::Error,
                &[Key("lambda"), Index(index), Key(key)],
                what,
                remedy,
            ));
        };
        if account(&lambda.arn).is_none() {
            report(
                "arn",
                format!("`{}` is no ARN of a Lambda function", lambda.arn),
                "arn = \"arn:aws:lambda:us-east-1:111122223333:function:my-sma\"".into(),
            );
        }
        if !arns.insert(&lambda.arn) {
            report(
                "arn",
                format!("the arn `{}` stands twice", lambda.arn),
                "name each function once".into(),
            );
        }
        for url in std::iter::once(&lambda.handler).chain(&lambda.fallback_handlers) {
            if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
                report(
                    "handler",
                    format!("`{url}` is no http or https URL"),
                    "handler = \"http://127.0.0.1:3000/media/events\"".into(),
                );
            }
        }
        let application = lambda.application("", "");
        match secrets::application_keys(config, &application) {
            Ok(None) if lambda.signs() || public => report(
                "keys-file",
                if public {
                    "a public listener, and this handler has no signing keys".into()
                } else {
                    "replies must be signed, and there are no keys".into()
                },
                format!("name a keys-file, or set {KEYS_VARIABLE}"),
            ),
            Ok(None) => {}
            Ok(Some(text)) => {
                if let Err(error) = crate::handler::parse_keys(&text) {
                    report(
                        "keys-file",
                        error,
                        "ID:BASE64 of 32 bytes, more keys after commas".into(),
                    );
                }
            }
            Err(error) => report("keys-file", error.to_string(), error.remedy()),
        }
    }
}
