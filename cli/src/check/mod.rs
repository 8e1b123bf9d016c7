//! `skillcall check`: what is wrong, where, and what to do about it.

mod finding;
mod trust;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use skillcall_host::Host;
use skillcall_host::settings::{FileFault, SettingName};
use skillcall_sidecar::config::SidecarConfig;
use skillcall_simulator::SimulatorConfig;

use crate::command::{Check, Schema};
use crate::installation::Installation;
pub(crate) use finding::{Finding, plan};

/// Runs the command; exit code 1 if a finding keeps a call from working.
pub(crate) fn run(
    installation: &Installation,
    args: &Check,
    json: bool,
) -> anyhow::Result<ExitCode> {
    if let Some(schema) = args.schema {
        println!("{}", serde_json::to_string_pretty(&schema_of(schema))?);
        return Ok(ExitCode::SUCCESS);
    }
    installation.must_exist()?;
    let mut findings = the_plan(installation, args)?;
    the_sidecar(installation, &mut findings);
    the_host(installation, &mut findings);
    the_simulator(installation, &mut findings);
    trust::check(installation, &mut findings);
    report(&findings, json)
}

fn report(findings: &[Finding], json: bool) -> anyhow::Result<ExitCode> {
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    if json {
        println!(
            "{}",
            serde_json::to_string_pretty(&json!({ "findings": findings, "errors": errors }))?
        );
    } else {
        for finding in findings {
            println!("{finding}");
        }
        match (errors, findings.len()) {
            (0, 0) => println!("nothing is wrong"),
            (0, warnings) => println!("{warnings} warnings, no error"),
            (errors, all) => println!("{errors} errors, {} warnings", all - errors),
        }
    }
    Ok(if errors == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn the_plan(installation: &Installation, args: &Check) -> anyhow::Result<Vec<Finding>> {
    let file = installation.plan();
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("the call plan {}", file.display()))?;
    match skillcall_plan::compile(&text) {
        Err(found) => Ok(plan(&file, &found)),
        Ok((bytes, warnings)) => {
            if let Some(to) = &args.compile {
                let bytes = if args.base64 {
                    STANDARD.encode(bytes).into_bytes()
                } else {
                    bytes
                };
                std::fs::write(to, bytes).with_context(|| format!("file {}", to.display()))?;
            }
            Ok(plan(&file, &warnings))
        }
    }
}

fn the_sidecar(installation: &Installation, findings: &mut Vec<Finding>) {
    let file = installation.sidecar();
    match SidecarConfig::load(&file) {
        Ok(config) => findings.extend(
            skillcall_sidecar::config::check(&config)
                .into_iter()
                .map(Finding::from),
        ),
        Err(error) => findings.push(Finding::whole(&file, &error.to_string())),
    }
}

fn the_host(installation: &Installation, findings: &mut Vec<Finding>) {
    let file = installation.host();
    match Host::read(&file) {
        Ok(host) => {
            findings.extend(
                host.warnings
                    .iter()
                    .map(|warning| Finding::from_host(warning, false)),
            );
            let faults = host
                .settings
                .faults()
                .into_iter()
                .filter(|(name, fault)| !made_at_start(name, fault));
            findings.extend(faults.map(|(name, fault)| {
                Finding::whole(&file, &format!("setting {}: {fault}", name.as_str()))
            }));
        }
        Err(error) => findings.push(Finding::from_host(&error, true)),
    }
}

/// Whether a missing file is one that the first `skillcall up` makes: the compiled plan and the
/// simulator's roots.
fn made_at_start(name: &SettingName, fault: &FileFault) -> bool {
    matches!(fault, FileFault::Unreadable { .. })
        && ["plan", "alexa_roots"].contains(&name.as_str())
}

fn the_simulator(installation: &Installation, findings: &mut Vec<Finding>) {
    let file = installation.simulator();
    if !file.is_file() {
        return;
    }
    if let Err(error) = SimulatorConfig::read(&file) {
        findings.push(Finding::whole(&file, &error.to_string()));
    }
}

fn schema_of(which: Schema) -> serde_json::Value {
    match which {
        Schema::Plan => json!(skillcall_plan::source::json_schema()),
        Schema::Sidecar => json!(schemars::schema_for!(SidecarConfig)),
        Schema::Trace => json!(schemars::schema_for!(skillcall_protocol::trace::Record)),
    }
}

/// The file's folder-relative name, for messages.
fn shown(file: &Path) -> String {
    file.display().to_string()
}
