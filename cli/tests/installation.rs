//! What a person types before a call: `init` and `check`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs `skillcall` on the installation in `folder`.
fn skillcall(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_skillcall"))
        .arg("--folder")
        .arg(folder)
        .args(args)
        .output()
        .expect("the program starts")
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A fresh installation.
fn installation() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let output = skillcall(folder.path(), &["init"]);
    assert!(output.status.success(), "{}", text(&output));
    folder
}

fn edit(file: &Path, from: &str, to: &str) {
    let before = std::fs::read_to_string(file).expect("the file");
    assert!(before.contains(from), "{} has no {from:?}", file.display());
    std::fs::write(file, before.replace(from, to)).expect("the file can be written");
}

#[test]
fn init_writes_secrets_that_only_the_owner_reads_and_overwrites_nothing() {
    let folder = installation();
    let secrets = [
        "sidecar.key",
        "session.key",
        "lwa.secret",
        "token.key",
        "sidecar.token",
        "simulator.token",
    ];
    let mut values = Vec::new();
    for name in secrets {
        let file = folder.path().join("secrets").join(name);
        let mode = std::fs::metadata(&file).expect(name).permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}");
        values.push(std::fs::read_to_string(&file).expect(name));
    }
    values.sort();
    values.dedup();
    assert_eq!(values.len(), secrets.len(), "each secret is its own");

    let plan = folder.path().join("skillcall.toml");
    edit(&plan, "front desk", "reception desk");
    let output = skillcall(folder.path(), &["--json", "init"]);
    let done: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(done["written"].as_array().map(Vec::len), Some(0), "{done}");
    assert!(
        std::fs::read_to_string(&plan)
            .expect("the plan")
            .contains("reception desk")
    );
    for name in secrets {
        let value = std::fs::read_to_string(folder.path().join("secrets").join(name)).expect(name);
        assert!(values.contains(&value), "{name} was changed");
    }
}

#[test]
fn a_fresh_installation_has_no_error_and_says_test_trust() {
    let folder = installation();
    let output = skillcall(folder.path(), &["check"]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("TEST TRUST"), "{}", text(&output));
}

#[test]
fn check_refuses_test_trust_together_with_a_public_address() {
    let folder = installation();
    let host = folder.path().join("host.toml");
    edit(
        &host,
        "listen = \"127.0.0.1:3000\"",
        "listen = \"0.0.0.0:3000\"\npublic = true",
    );
    let output = skillcall(folder.path(), &["--json", "check"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let found = answer["findings"].as_array().expect("findings");
    assert!(
        found.iter().any(|f| f["severity"] == "error"
            && f["what"].as_str().is_some_and(|w| w.contains("TEST TRUST"))),
        "{answer}"
    );
}

#[test]
fn check_names_file_line_and_column() {
    let folder = installation();
    edit(
        &folder.path().join("skillcall.toml"),
        "then = \"menu\"",
        "then = \"menue\"",
    );
    let output = skillcall(folder.path(), &["--json", "check"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let plan = std::fs::read_to_string(folder.path().join("skillcall.toml")).expect("the plan");
    let line = plan
        .lines()
        .position(|line| line.contains("menue"))
        .expect("the line")
        + 1;
    let found = answer["findings"].as_array().expect("findings");
    let error = found
        .iter()
        .find(|f| f["severity"] == "error")
        .expect("an error");
    assert!(
        error["file"]
            .as_str()
            .is_some_and(|file| file.ends_with("skillcall.toml")),
        "{error}"
    );
    assert_eq!(error["line"].as_u64(), Some(line as u64), "{error}");
    assert!(
        error["column"].as_u64().is_some_and(|column| column > 0),
        "{error}"
    );
    assert!(
        error["what"]
            .as_str()
            .is_some_and(|what| what.contains("menue")),
        "{error}"
    );
}

#[test]
fn a_secret_in_a_configuration_file_is_an_error() {
    let folder = installation();
    edit(
        &folder.path().join("host.toml"),
        "session_key_file = \"secrets/session.key\"",
        "session_key = \"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U=\"",
    );
    let output = skillcall(folder.path(), &["check"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let said = text(&output);
    assert!(
        said.contains("session_key") && !said.contains("c2VjcmV0"),
        "{said}"
    );
}

#[test]
fn a_secret_that_others_can_read_is_an_error() {
    let folder = installation();
    let key = folder.path().join("secrets/session.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("chmod");
    let output = skillcall(folder.path(), &["check"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("chmod 600"), "{}", text(&output));
}

#[test]
fn the_plan_is_compiled_for_the_component() {
    let folder = installation();
    let file = folder.path().join("plan.bin");
    let output = skillcall(
        folder.path(),
        &["check", "--compile", file.to_str().expect("UTF-8")],
    );
    assert!(output.status.success(), "{}", text(&output));
    let bytes = std::fs::read(&file).expect("the compiled plan");
    let plan = skillcall_plan::Plan::decode(&bytes).expect("it can be decoded");
    assert!(plan.destination_named("the desk").expect("names").is_some());
}

#[test]
fn schemas_for_editors_are_printed() {
    let folder = tempfile::tempdir().expect("a folder");
    for which in ["plan", "sidecar", "trace"] {
        let output = skillcall(folder.path(), &["check", "--schema", which]);
        let schema: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert!(schema["$schema"].is_string(), "{which}: {schema}");
    }
}

#[test]
fn without_a_running_installation_the_remedy_is_named() {
    let folder = installation();
    for command in [
        &["say", "call the front desk"][..],
        &["trace", "x"],
        &["press", "1"],
        &["hang-up"],
    ] {
        let output = skillcall(folder.path(), command);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        assert!(text(&output).contains("skillcall up"), "{}", text(&output));
    }
    let nowhere = tempfile::tempdir().expect("a folder");
    let output = skillcall(nowhere.path(), &["up"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output).contains("skillcall init"),
        "{}",
        text(&output)
    );
}
