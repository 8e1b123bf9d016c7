//! What is wrong in a configuration, and in the machine around it.

mod bots;
mod calls;
mod gateway;
mod lambdas;
mod listening;
mod opentelemetry;
mod phones;
mod ranges;
mod trunks;

use super::locate::{Located, Step};
use super::{BucketConfig, Finding, Severity, SidecarConfig, SpeechEngineName};
use crate::bucket::check_url;
use Step::Key;

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
    listening::listeners(config, &at, &mut findings);
    listening::control(config, &at, &mut findings);
    calls::applications(config, &at, &mut findings);
    trunks::trunks(config, &at, &mut findings);
    phones::phones(config, &at, &mut findings);
    lambdas::lambdas(config, &at, &mut findings);
    bots::bots(config, &at, &mut findings);
    gateway::gateway(config, &at, &mut findings);
    calls::routes(config, &at, &mut findings);
    ranges::ranges(config, &at, &mut findings);
    buckets(config, &at, &mut findings);
    opentelemetry::opentelemetry(config, &at, &mut findings);
    if config.trace.digits {
        findings.push(at.finding(
            Severity::Warning,
            &[Key("trace"), Key("digits")],
            "the trace says which digits are pressed: PINs and card numbers, too",
            "digits = false, unless every call is a test",
        ));
    }
    findings
}

fn buckets(config: &SidecarConfig, at: &Located<'_>, findings: &mut Vec<Finding>) {
    for (name, bucket) in &config.buckets {
        let place = [Key("buckets"), Key(name)];
        match bucket {
            BucketConfig::Folder(folder) => {
                let folder = config.resolve(folder);
                if !folder.is_dir() {
                    findings.push(at.finding(
                        Severity::Error,
                        &place,
                        format!("bucket `{name}`: {} is no folder", folder.display()),
                        format!("mkdir -p {}", folder.display()),
                    ));
                }
            }
            BucketConfig::Remote(remote) => {
                if let Err(problem) = check_url(&remote.url) {
                    findings.push(at.finding(
                        Severity::Error,
                        &place,
                        format!("bucket `{name}`: {problem}"),
                        "url = \"s3://BUCKET\"",
                    ));
                }
                if let Err(problem) = config.bucket_setting(name, bucket) {
                    findings.push(at.finding(
                        Severity::Error,
                        &place,
                        problem.to_string(),
                        "keys-file = \"FILE\", with ID:SECRET in it, and chmod 600 FILE",
                    ));
                }
            }
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
