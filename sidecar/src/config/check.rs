//! What is wrong in a configuration, and in the machine around it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use toml::de::DeValue;

use super::locate::{Located, Step, line_and_column};
use super::secrets::{self, KEYS_VARIABLE, SecretError, TOKEN_VARIABLE};
use super::{Origin, SidecarConfig, SipTransport, SpeechEngineName};
use Step::{Index, Key};

/// Something wrong, where it stands, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Whether the sidecar starts all the same.
    pub severity: Severity,
    /// The file.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub remedy: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It starts; something will not work.
    Warning,
    /// It does not start.
    Error,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning: ",
            Severity::Error => "",
        };
        write!(
            f,
            "{}:{}:{}: {severity}{} ({})",
            self.file.display(),
            self.line,
            self.column,
            self.what,
            self.remedy
        )
    }
}

/// Keys that would hold a secret, with the key that names its file instead.
const SECRET_KEYS: [(&str, &str); 7] = [
    ("token", "token-file"),
    ("control-token", "token-file"),
    ("bearer-token", "token-file"),
    ("key", "keys-file"),
    ("keys", "keys-file"),
    ("secret", "keys-file"),
    ("password", "keys-file"),
];

pub(super) fn literal_secret(origin: &Origin) -> Option<Finding> {
    let located = Located::new(origin);
    let is_secret = |name: &str, value: &DeValue<'_>| {
        SECRET_KEYS.iter().any(|(key, _)| *key == name)
            && matches!(value, DeValue::String(_) | DeValue::Array(_))
    };
    let (name, offset) = located.find_key(is_secret)?;
    let (line, column) = line_and_column(&origin.text, offset);
    let file_key = SECRET_KEYS
        .iter()
        .find(|(key, _)| *key == name)
        .map_or("", |(_, file)| file);
    Some(Finding {
        severity: Severity::Error,
        file: origin.file.clone(),
        line,
        column,
        what: format!("`{name}` stands in the file: secrets do not"),
        remedy: format!(
            "write it to a file of mode 0600 and name that: {file_key} = \"secrets/…\""
        ),
    })
}

pub(super) fn syntax(origin: &Origin, error: &toml::de::Error) -> Finding {
    let offset = error.span().map_or(0, |span| span.start);
    let (line, column) = line_and_column(&origin.text, offset);
    Finding {
        severity: Severity::Error,
        file: origin.file.clone(),
        line,
        column,
        what: error.message().to_owned(),
        remedy: "see docs/settings.md for the keys and their forms".into(),
    }
}

/// Everything that is wrong, the errors first. An empty list: it starts and works.
///
/// Reads the secrets' files, looks at the buckets' folders and runs the speech engine once.
pub fn check(config: &SidecarConfig) -> Vec<Finding> {
    let mut findings = static_findings(config);
    let at = Located::new(&config.origin);
    if let Err(missing) = crate::speech::probe(&config.speech) {
        findings.push(at.finding(
            Severity::Warning,
            &[Key("speech")],
            format!(
                "no speech: {missing}; Speak and SpeakAndGetDigits will fail with SystemException"
            ),
            missing.remedy(),
        ));
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

fn static_findings(config: &SidecarConfig) -> Vec<Finding> {
    let at = Located::new(&config.origin);
    let mut findings = Vec::new();
    listeners(config, &at, &mut findings);
    control(config, &at, &mut findings);
    applications(config, &at, &mut findings);
    routes(config, &at, &mut findings);
    ranges(config, &at, &mut findings);
    buckets(config, &at, &mut findings);
    findings
}

fn listeners(config: &SidecarConfig, at: &Located<'_>, findings: &mut Vec<Finding>) {
    let sip = &config.sip;
    for transport in [SipTransport::Udp, SipTransport::Tcp] {
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
                format!("more than one {transport:?} listener"),
                "keep one UDP and one TCP listener",
            ));
        }
    }
    if sip.listen.is_empty() {
        findings.push(at.finding(
            Severity::Error,
            &[Key("sip"), Key("listen")],
            "no SIP listener",
            "listen = [\"udp:127.0.0.1:5060\"]",
        ));
    }
    for (index, listen) in sip.listen.iter().enumerate() {
        let path = [Key("sip"), Key("listen"), Index(index)];
        if listen.address.ip().is_loopback() {
            continue;
        }
        if sip.sources.as_ref().is_none_or(Vec::is_empty) {
            findings.push(at.finding(
                Severity::Error,
                &path,
                format!("{listen} is reachable by others, and [sip] sources does not say by whom"),
                "list the networks of your trunks: sources = [\"192.0.2.0/24\"]",
            ));
        }
        if listen.address.ip().is_unspecified() && sip.public_address.is_none() {
            findings.push(at.finding(
                Severity::Error,
                &path,
                format!("{listen} is no address that a peer could send to"),
                "say which one is: public-address = \"192.0.2.10\"",
            ));
        }
        for (index, application) in config.application.iter().enumerate() {
            let keys = secrets::application_keys(config, application);
            if matches!(keys, Ok(None)) {
                findings.push(at.finding(
                    Severity::Error,
                    &[Key("application"), Index(index)],
                    "a public listener, and this application has no signing keys",
                    format!("name a keys-file, or set {KEYS_VARIABLE}"),
                ));
            }
        }
    }
    if config.rtp.address.is_unspecified() && sip.public_address.is_none() {
        findings.push(at.finding(
            Severity::Error,
            &[Key("rtp"), Key("address")],
            "SDP would name 0.0.0.0, which means hold",
            "say which address peers send to: [sip] public-address = \"192.0.2.10\"",
        ));
    }
}

fn secret_finding(at: &Located<'_>, path: &[Step<'_>], error: &SecretError) -> Finding {
    at.finding(Severity::Error, path, error.to_string(), error.remedy())
}

fn control(config: &SidecarConfig, at: &Located<'_>, findings: &mut Vec<Finding>) {
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

fn applications(config: &SidecarConfig, at: &Located<'_>, findings: &mut Vec<Finding>) {
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
        if !matches!(application.handler.scheme(), "http" | "https")
            || application.handler.host().is_none()
        {
            report(
                "handler",
                Severity::Error,
                format!("`{}` is no http or https URL", application.handler),
                "handler = \"http://127.0.0.1:3000/media/events\"".into(),
            );
        }
        match secrets::application_keys(config, application) {
            Ok(None) if application.require_signed_replies => report(
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

fn routes(config: &SidecarConfig, at: &Located<'_>, findings: &mut Vec<Finding>) {
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
        if let Err(error) =
            crate::leg::Target::parse(&route.uri.replace("{number}", "+10000000000"))
        {
            report(
                "uri",
                format!("`{}`: {error}", route.uri),
                "uri = \"sip:{number}@127.0.0.1:5070\"",
            );
        }
    }
}

fn ranges(config: &SidecarConfig, at: &Located<'_>, findings: &mut Vec<Finding>) {
    let mut positive = |section: &str, key: &str, value: u64, least: u64, most: u64| {
        if !(least..=most).contains(&value) {
            findings.push(at.finding(
                Severity::Error,
                &[Key(section), Key(key)],
                format!("{key} is {value}"),
                format!("{least} to {most}"),
            ));
        }
    };
    positive(
        "speech",
        "timeout-seconds",
        config.speech.timeout_seconds.into(),
        1,
        60,
    );
    positive("speech", "queue", config.speech.queue.into(), 1, 10_000);
    positive("speech", "parallel", config.speech.parallel.into(), 1, 256);
    positive("limits", "calls", config.limits.calls.into(), 1, 1_000_000);
    positive(
        "limits",
        "calls-per-second",
        config.limits.calls_per_second.into(),
        1,
        1_000_000,
    );
    positive(
        "limits",
        "call-seconds",
        config.limits.call_seconds.into(),
        1,
        7 * 86_400,
    );
    positive(
        "limits",
        "sessions",
        config.limits.sessions.into(),
        1,
        10_000_000,
    );
    positive("limits", "queue", config.limits.queue.into(), 16, 1_000_000);
    positive("limits", "workers", config.limits.workers.into(), 0, 250);
    positive(
        "trace",
        "max-bytes",
        config.trace.max_bytes,
        1 << 20,
        1 << 40,
    );
    positive(
        "trace",
        "max-age-days",
        config.trace.max_age_days.into(),
        1,
        3650,
    );
    let pairs = usize::from(config.rtp.ports.pairs());
    if pairs < config.limits.worker_count() {
        findings.push(at.finding(
            Severity::Error,
            &[Key("rtp"), Key("ports")],
            format!(
                "{pairs} port pairs for {} workers",
                config.limits.worker_count()
            ),
            "at least one pair for each worker: widen the range or lower [limits] workers",
        ));
    }
}

fn buckets(config: &SidecarConfig, at: &Located<'_>, findings: &mut Vec<Finding>) {
    for (name, folder) in &config.buckets {
        let folder = config.resolve(folder);
        if !folder.is_dir() {
            findings.push(at.finding(
                Severity::Error,
                &[Key("buckets"), Key(name)],
                format!("bucket `{name}`: {} is no folder", folder.display()),
                format!("mkdir -p {}", folder.display()),
            ));
        }
    }
    if config.speech.engine == SpeechEngineName::None {
        findings.push(at.finding(
            Severity::Warning,
            &[Key("speech"), Key("engine")],
            "no speech engine: Speak and SpeakAndGetDigits fail with SystemException",
            "engine = \"espeak-ng\"",
        ));
    }
}
