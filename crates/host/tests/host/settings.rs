//! `settings`, and `host.toml`.

use crate::support::client::get;
use crate::support::{serve, settings};
use skillcall_host::settings::{FileSettings, SettingName, Settings, Source, WatchedFile};
use skillcall_host::{Host, HostConfig, StateConfig};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

fn name(text: &str) -> SettingName {
    SettingName::new(text).expect("a name")
}

fn refused(text: &str) -> String {
    match Host::parse(Path::new("conf/host.toml"), text) {
        Ok(_) => panic!("it was accepted: {text}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_full_file_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("host.toml");
    let text = r#"
        listen = "127.0.0.1:0"
        component = "a/skill.wasm"
        drain_seconds = 3
        [limits]
        deadline_seconds = 5
        memory_mib = 32
        concurrency = 7
        [state]
        file = "state/skill.redb"
        max_entries = 5
        [outbound]
        allow = ["https://api.amazonalexa.com"]
        first_byte_ms = 100
        [settings]
        sidecar_url = "http://127.0.0.1:7080"
        tolerance_seconds = 60
    "#;
    fs::write(&path, text).expect("it is written");
    let config = HostConfig::read(&path).expect("it is good");
    assert_eq!(config.engine.memory, 32 << 20);
    assert_eq!((config.engine.concurrency, config.drain.as_secs()), (7, 3));
    assert_eq!(config.engine.deadline.as_secs(), 5);
    assert!(matches!(&config.state, StateConfig::File(file, bounds)
        if *file == folder.path().join("state/skill.redb") && bounds.entries == 5));
    assert_eq!(config.outbound.allow.as_ref().map(Vec::len), Some(1));
    let tolerance = config.settings.get(&name("tolerance_seconds"));
    assert_eq!(tolerance, Ok(Some("60".to_owned())));
    assert_eq!(config.settings.get(&name("api_hosts")), Ok(None));
}

#[test]
fn errors_name_file_line_column_and_remedy() {
    for (text, expected) in [
        (
            "listen = \"127.0.0.1\"",
            "conf/host.toml:1:10: \"127.0.0.1\" is no address",
        ),
        (
            "\nlisten = \"0.0.0.0:1\"",
            "conf/host.toml:2:10: 0.0.0.0:1 can be reached",
        ),
        (
            "[limits]\n  concurrency = 0",
            "conf/host.toml:2:17: 0 is out of range; 1 to 1000",
        ),
        (
            "[outbound]\nallow = [\"a.example\"]",
            "conf/host.toml:2:10:",
        ),
        ("unknown = 1", "conf/host.toml:1:1: unknown field `unknown`"),
        (
            "[settings]\nBad = \"1\"",
            "conf/host.toml:2:1: a setting's name",
        ),
        (
            "[settings]\nplan = true",
            "conf/host.toml:2:8: plan is a boolean",
        ),
        (
            "[settings]\nplan = \"\"\nplan_file = \"x\"",
            "plan and plan_file are both set",
        ),
        ("listen = ", "conf/host.toml:1:10:"),
    ] {
        let refused = refused(text);
        assert!(
            refused.starts_with(expected) || refused.contains(expected),
            "{text:?}: {refused}"
        );
    }
}

#[test]
fn a_secret_in_the_file_is_an_error_with_its_remedy() {
    for secret in ["sidecar_keys", "session_key"] {
        let refused = refused(&format!("[settings]\n{secret} = \"c2VjcmV0\""));
        let place = format!("conf/host.toml:2:{}:", secret.len() + 4);
        assert!(refused.starts_with(&place), "{refused}");
        assert!(refused.contains(&format!("{secret}_file = ")), "{refused}");
        assert!(
            refused.contains(&format!("SKILLCALL_{}", secret.to_uppercase())),
            "{refused}"
        );
        assert!(
            !refused.contains("c2VjcmV0"),
            "the secret itself: {refused}"
        );
    }
}

#[test]
fn an_unknown_setting_is_a_warning() {
    let host = Host::parse(Path::new("host.toml"), "[settings]\nsidecar_ulr = \"x\"");
    let warnings = host.expect("it is no error").warnings;
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].to_string().contains("sidecar_url"),
        "{}",
        warnings[0]
    );
}

#[test]
fn a_secret_file_is_private() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("session.key");
    fs::write(&path, "c2VjcmV0\n").expect("it is written");
    let settings = |mode| {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("the mode is set");
        let text = "[settings]\nsession_key_file = \"session.key\"";
        Host::parse(&folder.path().join("host.toml"), text)
            .expect("it is good")
            .settings
    };
    let open = settings(0o640);
    let error = open
        .get(&name("session_key"))
        .expect_err("others can read it")
        .to_string();
    assert!(
        error.contains("chmod 600") && error.contains("0640"),
        "{error}"
    );
    assert_eq!(open.faults().len(), 1);
    let private = settings(0o600);
    assert_eq!(
        private.get(&name("session_key")),
        Ok(Some("c2VjcmV0".to_owned()))
    );
    assert!(private.faults().is_empty());
}

#[test]
fn the_environment_wins_and_carries_bytes_as_base64() {
    let sources = BTreeMap::from([
        (name("sidecar_url"), Source::Literal("from the file".into())),
        (name("api_hosts"), Source::Literal("from the file".into())),
    ]);
    let settings = FileSettings::with_environment(sources, |variable| match variable {
        "SKILLCALL_SIDECAR_URL" => Some("from outside".into()),
        "SKILLCALL_API_HOSTS" => Some(String::new()),
        "SKILLCALL_PLAN" => Some("AAEC".into()),
        _ => None,
    });
    assert_eq!(
        settings.get(&name("sidecar_url")),
        Ok(Some("from outside".into()))
    );
    assert_eq!(
        settings.get(&name("api_hosts")),
        Ok(Some("from the file".into()))
    );
    assert_eq!(
        settings.get_bytes(&name("plan")).expect("good"),
        Some(vec![0, 1, 2].into())
    );
    assert_eq!(settings.get(&name("session_key")), Ok(None));
}

/// Replaces a file as an editor or a compiler does: by another that takes its name.
fn replace(path: &Path, bytes: &[u8]) {
    let part = path.with_extension("part");
    fs::write(&part, bytes).expect("it is written");
    fs::rename(&part, path).expect("it is renamed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_plan_is_taken_up_without_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("plan.bin");
    replace(&path, b"one");
    let sources = BTreeMap::from([(name("plan"), Source::File(WatchedFile::new(&path, false)))]);
    let file = Arc::new(FileSettings::with_environment(sources, |_| None));
    let server = serve(|config| config.settings = file).await;
    let plan = async || get(server.address(), "/bytes?plan").await.body;
    assert_eq!(plan().await, format!("Ok(Some({:?}))", b"one"));
    replace(&path, b"two");
    assert_eq!(plan().await, format!("Ok(Some({:?}))", b"two"));
    fs::write(&path, b"thr").expect("it is written in place");
    assert_eq!(plan().await, format!("Ok(Some({:?}))", b"thr"));
    fs::remove_file(&path).expect("it is removed");
    let gone = plan().await;
    assert!(
        gone.starts_with("Err(Error::Unavailable") && gone.contains("plan.bin"),
        "{gone}"
    );
}

#[test]
fn what_a_translator_refuses_leaves_the_last_good_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("plan.toml");
    replace(&path, b"bad");
    let compile = |_: &Path, bytes: bytes::Bytes| match &bytes[..] {
        b"bad" => Err("line 1: bad".to_owned()),
        good => Ok([b"compiled ", good].concat().into()),
    };
    let file = WatchedFile::translated(&path, compile);
    let error = file.bytes().expect_err("there is no good one").to_string();
    assert!(error.contains("line 1: bad"), "{error}");
    replace(&path, b"one");
    assert_eq!(file.bytes().expect("good"), "compiled one");
    replace(&path, b"bad");
    assert_eq!(file.bytes().expect("the last good one"), "compiled one");
    replace(&path, b"two");
    assert_eq!(file.bytes().expect("good"), "compiled two");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_component_reads_settings() {
    let server = serve(|config| config.settings = settings(&[("sidecar_url", "http://s")])).await;
    let ask = async |path: &str| get(server.address(), path).await.body;
    assert_eq!(ask("/setting?sidecar_url").await, "Ok(Some(\"http://s\"))");
    assert_eq!(ask("/setting?absent").await, "Ok(None)");
    assert_eq!(ask("/setting?Bad").await, "Err(Error::BadName)");
    assert_eq!(ask("/bytes?plan").await, "Ok(None)");
}
