//! Bots, and the recogniser that some of them need.

use std::collections::BTreeSet;

use super::super::locate::Located;
use super::super::locate::Step::{Index, Key};
use super::super::{BotSpeech, Finding, Severity, SidecarConfig, secrets};

pub(super) fn bots(config: &SidecarConfig, at: &Located<'_>, findings: &mut Vec<Finding>) {
    let mut arns = BTreeSet::new();
    for (index, bot) in config.bot.iter().enumerate() {
        let mut report = |key: &str, what: String, remedy: &str| {
            findings.push(at.finding(
                Severity::Error,
                &[Key("bot"), Index(index), Key(key)],
                what,
                remedy,
            ));
        };
        if crate::bot::address(&bot.alias_arn).is_none() {
            report(
                "alias-arn",
                format!("`{}` is no ARN of a bot's alias", bot.alias_arn),
                "alias-arn = \"arn:aws:lex:us-east-1:111122223333:bot-alias/ABCDEFGHIJ/TSTALIASID\"",
            );
        }
        if !arns.insert(&bot.alias_arn) {
            report(
                "alias-arn",
                format!("the alias-arn `{}` stands twice", bot.alias_arn),
                "name each bot once",
            );
        }
        if !matches!(bot.url.scheme(), "http" | "https") || bot.url.host().is_none() {
            report(
                "url",
                format!("`{}` is no http or https URL", bot.url),
                "url = \"http://127.0.0.1:9300\"",
            );
        }
        if !(1..=60).contains(&bot.timeout_seconds) {
            report(
                "timeout-seconds",
                format!("timeout-seconds is {}", bot.timeout_seconds),
                "1 to 60",
            );
        }
        if bot.speech == BotSpeech::Text && config.recognizer.url.is_none() {
            report(
                "speech",
                "speech is to become text, and [recognizer] has no url".into(),
                "[recognizer] url = \"http://127.0.0.1:9400/v1/audio/transcriptions\"",
            );
        }
    }
    if let Err(error) = secrets::recognizer_key(config) {
        findings.push(at.finding(
            Severity::Error,
            &[Key("recognizer"), Key("key-file")],
            error.to_string(),
            error.remedy(),
        ));
    }
}
