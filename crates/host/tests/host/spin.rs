//! The guest composed with the Spin adapter, under Spin's rules.

use crate::support::client::{get, get_with};
use crate::support::guest::{guest, root, spin_guest};
use crate::support::upstream::Upstream;
use skillcall_host::spin_harness::{SpinError, SpinHarness, SpinOptions};
use std::collections::BTreeMap;
use std::fs;

/// The project's own `spin.toml` with one text in place of another, beside the composed guest.
struct Application {
    folder: tempfile::TempDir,
    variables: BTreeMap<String, String>,
    component: &'static [u8],
    manifest: String,
}

impl Application {
    fn new() -> Self {
        let manifest = fs::read_to_string(root().join("spin.toml")).expect("spin.toml is there");
        let secrets = [("sidecar_keys", "a:b"), ("session_key", "c")];
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            variables: secrets
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            component: spin_guest(),
            manifest,
        }
    }

    fn with(mut self, old: &str, new: &str) -> Self {
        assert!(self.manifest.contains(old), "spin.toml has no {old:?}");
        self.manifest = self.manifest.replacen(old, new, 1);
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    fn options(&self) -> SpinOptions {
        let target = self.folder.path().join("target");
        fs::create_dir_all(&target).expect("a folder");
        fs::write(target.join("skillcall-spin.wasm"), self.component).expect("it is written");
        let path = self.folder.path().join("spin.toml");
        fs::write(&path, &self.manifest).expect("it is written");
        let mut options = SpinOptions::new(path);
        options.variables = self.variables.clone();
        options
    }

    async fn start(&self) -> SpinHarness {
        SpinHarness::start(self.options())
            .await
            .expect("Spin would start it")
    }

    async fn refused(&self) -> String {
        match SpinHarness::start(self.options()).await {
            Ok(_) => panic!("Spin would not start this:\n{}", self.manifest),
            Err(error) => error.to_string(),
        }
    }
}

async fn ask(spin: &SpinHarness, path: &str) -> String {
    get(spin.address(), path).await.body
}

#[tokio::test(flavor = "multi_thread")]
async fn state_lies_in_the_default_store() {
    let spin = Application::new().start().await;
    assert_eq!(ask(&spin, "/get?a").await, "Ok(None)");
    assert_eq!(ask(&spin, "/claim?a").await, "Ok(true)");
    assert_eq!(ask(&spin, "/claim?a").await, "Ok(false)");
    assert_eq!(
        ask(&spin, "/get?a").await,
        format!("Ok(Some({:?}))", b"claim")
    );
    assert_eq!(ask(&spin, "/delete?a").await, "Ok(())");
    assert_eq!(ask(&spin, "/set?b").await, "Ok(())");
    let long = "k".repeat(256);
    assert_eq!(ask(&spin, &format!("/set?{long}")).await, "Ok(())");
    assert_eq!(ask(&spin, &format!("/claim?{long}")).await, "Ok(false)");
    assert_eq!(
        ask(&spin, &format!("/get?{long}k")).await,
        "Err(Error::BadKey)"
    );
    assert_eq!(ask(&spin, "/set-large?a").await, "Err(Error::TooLarge)");
    let keys = spin.store("default").expect("it is there").keys();
    assert!(
        keys.iter().all(|key| key.starts_with("skillcall")),
        "{keys:?}"
    );
    assert!(keys.contains(&"skillcall/b".to_owned()), "{keys:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_at_one_instant_have_one_winner() {
    let spin = Application::new().start().await;
    let address = spin.address();
    let claims: Vec<_> = (0..40)
        .map(|_| tokio::spawn(async move { get(address, "/claim?a").await.body }))
        .collect();
    let mut won = 0;
    for claim in claims {
        won += usize::from(claim.await.expect("no panic") == "Ok(true)");
    }
    assert_eq!(won, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_variables() {
    let spin = Application::new().variable("plan", "AAEC").start().await;
    assert_eq!(ask(&spin, "/setting?session_key").await, "Ok(Some(\"c\"))");
    let url = "Ok(Some(\"http://127.0.0.1:7080\"))";
    assert_eq!(ask(&spin, "/setting?sidecar_url").await, url);
    assert_eq!(
        ask(&spin, "/setting?alexa_roots").await,
        "Ok(None)",
        "empty is not set"
    );
    assert_eq!(ask(&spin, "/setting?undeclared").await, "Ok(None)");
    assert_eq!(ask(&spin, "/setting?Bad").await, "Err(Error::BadName)");
    assert_eq!(ask(&spin, "/bytes?plan").await, "Ok(Some([0, 1, 2]))");
    let store = spin.store("default").expect("it is there");
    store.set("settings/plan", &[9]).expect("it fits");
    assert_eq!(ask(&spin, "/bytes?plan").await, "Ok(Some([9]))");
    let broken = Application::new()
        .variable("plan", "no base64!")
        .start()
        .await;
    let refused = ask(&broken, "/bytes?plan").await;
    assert!(
        refused.contains("the variable plan is not base64"),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn outbound_hosts_are_those_of_the_manifest() {
    let upstream = Upstream::start().await;
    let by_name = format!("http://localhost:{}/", upstream.address.port());
    let spin = Application::new()
        .variable("sidecar_url", &upstream.url(""))
        .start()
        .await;
    assert_eq!(
        ask(&spin, &format!("/fetch?{}", upstream.url("/"))).await,
        "200"
    );
    let denied = "ErrorCode::HttpRequestDenied";
    for url in [
        &by_name,
        "https://api.amazonalexa.com.example/",
        "http://api.amazonalexa.com/",
    ] {
        assert_eq!(ask(&spin, &format!("/fetch?{url}")).await, denied, "{url}");
    }
    assert_eq!(upstream.requests(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_reach_the_component_as_from_spin() {
    let spin = Application::new().start().await;
    let lines = b"spin-client-addr: forged\r\n";
    let reply = get_with(spin.address(), "/headers?q", lines).await;
    assert!(
        reply.body.contains("authority Some(\"test.example\")"),
        "{}",
        reply.body
    );
    assert!(!reply.body.contains("\nhost:"), "{}", reply.body);
    assert!(
        reply
            .body
            .contains("spin-full-url: http://test.example/headers?q\n"),
        "{}",
        reply.body
    );
    let forged = reply.body.find("spin-client-addr: forged");
    let real = reply.body.find("spin-client-addr: 127.0.0.1");
    assert!(forged.is_some() && forged < real, "{}", reply.body);
    assert_eq!(
        get_with(spin.address(), "/headers", b"x: \xff\r\n")
            .await
            .status,
        500
    );
    let routed = Application::new()
        .with("route = \"/...\"", "route = \"/alexa\"")
        .start()
        .await;
    assert_eq!(get(routed.address(), "/headers").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_secret_stops_the_start() {
    let mut application = Application::new();
    application.variables.remove("session_key");
    let refused = application.refused().await;
    assert_eq!(
        refused,
        "no provider resolved required variable \"session_key\""
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_spin_refuses_is_refused() {
    for (old, new, says) in [
        (
            "spin_manifest_version = 2",
            "spin_manifest_version = 3",
            "spin_manifest_version must be 2",
        ),
        (
            "[application]",
            "[applications]",
            "unknown field `applications`",
        ),
        (
            "required = true, secret = true",
            "secret = true",
            "must be `required` OR have a `default`",
        ),
        (
            "session_key = { required",
            "sessionKey = { required",
            "invalid variable name: \"sessionKey\"",
        ),
        (
            "plan = \"{{ plan }}\"",
            "plan = \"{{ plam }}\"",
            "unknown variable \"plam\"",
        ),
        (
            "plan = \"{{ plan }}\"",
            "plan = \"{{ plan\"",
            "unmatched '{{' in template",
        ),
        (
            "plan = \"{{ plan }}\"",
            "pl-an = \"{{ plan }}\"",
            "invalid variable name: \"pl-an\"",
        ),
        (
            "component = \"skill\"",
            "component = \"skil\"",
            "names the component \"skil\"",
        ),
        (
            "[\"default\"]",
            "[\"defaults\"]",
            "unknown key_value_stores label \"defaults\" for component \"skill\"",
        ),
        (
            "\"https://s3.amazonaws.com\"",
            "\"s3.amazonaws.com\"",
            "does not contain a scheme",
        ),
        (
            "\"https://s3.amazonaws.com\"",
            "\"https://s3.amazonaws.com/echo.api\"",
            "paths",
        ),
        (
            "\"https://s3.amazonaws.com\"",
            "\"https://s3.*.com\"",
            "wildcards are allowed only as subdomains",
        ),
        (
            "\"https://s3.amazonaws.com\"",
            "\"{{ chain_origin }}\"",
            "\"\" is not an allowed outbound host format",
        ),
        (
            "skillcall-spin.wasm",
            "nothing.wasm",
            "nothing.wasm cannot be read",
        ),
    ] {
        let refused = Application::new().with(old, new).refused().await;
        assert!(refused.contains(says), "{new}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_without_its_adapter_does_not_load() {
    let mut application = Application::new();
    application.component = guest();
    let refused = application.refused().await;
    assert!(refused.contains("skillcall:host/"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_manifest_does_not_grant_is_absent() {
    let no_store = Application::new()
        .with("key_value_stores = [\"default\"]\n", "")
        .start()
        .await;
    let denied = ask(&no_store, "/get?a").await;
    assert!(
        denied.starts_with("Err(Error::Unavailable") && denied.contains("spin.toml"),
        "{denied}"
    );
    let no_variable = Application::new().with("session_key = \"{{ session_key }}\"\n", "");
    assert_eq!(
        ask(&no_variable.start().await, "/setting?session_key").await,
        "Ok(None)"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_no_store_takes_is_refused() {
    let application = Application::new();
    let mut options = application.options();
    options.key_values.insert("k".repeat(256), Vec::new());
    let refused = SpinHarness::start(options).await;
    assert!(matches!(refused, Err(SpinError::Entry { .. })));
}
