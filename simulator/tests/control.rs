//! The control API: who may use it, and what it does. Settings files: what is wrong, and where.

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};
use skillcall_simulator::config::ConfigError;
use skillcall_simulator::customer::Customer;
use skillcall_simulator::{Simulator, SimulatorConfig};
use support::{Skill, TOKEN};

async fn send(
    simulator: &Simulator,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<Value>,
) -> (u16, Value) {
    let http = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let method = method.parse().expect("a method");
    let mut request = http.request(method, format!("http://{}{path}", simulator.address()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.expect("answered");
    let status = response.status().as_u16();
    (
        status,
        serde_json::from_slice(&response.bytes().await.expect("a body")).unwrap_or(Value::Null),
    )
}

#[tokio::test]
async fn only_who_has_the_token_and_comes_from_here_may_use_it() {
    let (simulator, _folder) = support::start().await;
    let bearer = format!("Bearer {TOKEN}");
    let right = ("authorization", bearer.as_str());
    for path in [
        "/sim/v1/calls",
        "/sim/v1/calls/x",
        "/sim/v1/traces/x",
        "/sim/v1/trouble",
    ] {
        for headers in [
            &[][..],
            &[("authorization", "Bearer wrong-wrong-wrong-1")],
            &[("authorization", TOKEN)],
        ] {
            assert_eq!(
                send(&simulator, "GET", path, headers, None).await.0,
                401,
                "{path} {headers:?}"
            );
        }
        for foreign in [
            ("host", "evil.example"),
            ("host", "evil.example:80"),
            ("origin", "http://evil.example"),
            ("origin", "null"),
        ] {
            assert_eq!(
                send(&simulator, "GET", path, &[right, foreign], None)
                    .await
                    .0,
                403,
                "{path} {foreign:?}"
            );
        }
    }
    assert_eq!(
        send(
            &simulator,
            "GET",
            "/health",
            &[("host", "evil.example")],
            None
        )
        .await
        .0,
        403
    );
    let (status, health) = send(&simulator, "GET", "/health", &[], None).await;
    assert_eq!((status, &health["status"]), (200, &json!("ok")));
    let own = format!("http://{}", simulator.address());
    assert_eq!(
        send(
            &simulator,
            "GET",
            "/sim/v1/calls",
            &[right, ("origin", &own)],
            None
        )
        .await,
        (200, json!({"calls": []}))
    );
    simulator.shutdown().await;
}

#[tokio::test]
async fn a_conversation_and_a_call_over_http() {
    let (simulator, _folder) = support::start().await;
    let (_skill, url) = Skill::polite(Some(false)).await;
    simulator.set_skill_endpoint(url);
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("authorization", bearer.as_str())];
    let (status, said) = send(
        &simulator,
        "POST",
        "/sim/v1/say",
        &headers,
        Some(json!({"utterance": "help"})),
    )
    .await;
    assert_eq!(status, 200);
    assert_eq!(
        (
            &said["outcome"],
            &said["reply"]["speech"],
            &said["session"]["open"]
        ),
        (&json!("answered"), &json!("Hello."), &json!(true))
    );
    let id = said["requestId"].as_str().expect("an id");
    let (_, trace) = send(
        &simulator,
        "GET",
        &format!("/sim/v1/traces/{id}"),
        &headers,
        None,
    )
    .await;
    assert!(
        trace["records"].as_array().expect("records").len() >= 3,
        "{trace}"
    );
    for (body, expected) in [
        (json!({"utterance": "help", "device": "unknown"}), 404),
        (json!({"utterance": "x".repeat(1001)}), 400),
        (json!({"utterances": "help"}), 422),
        (json!({"utterance": "x".repeat(70_000)}), 413),
    ] {
        assert_eq!(
            send(&simulator, "POST", "/sim/v1/say", &headers, Some(body))
                .await
                .0,
            expected
        );
    }
    let order = json!({"trouble": [{"at": "request", "fault": "stale", "seconds": 200},
        {"at": "start-session", "fault": "started-then-answer", "status": 500, "times": "always"},
        {"at": "request", "fault": "bad-chain", "chain": "foreign-root", "times": 3}]});
    assert_eq!(
        send(&simulator, "PUT", "/sim/v1/trouble", &headers, Some(order))
            .await
            .0,
        204
    );
    let (_, list) = send(&simulator, "GET", "/sim/v1/trouble", &headers, None).await;
    assert_eq!(
        list["trouble"][0],
        json!({"at": "request", "fault": "stale", "seconds": 200, "times": 1})
    );
    assert_eq!(list["trouble"][1]["times"], "always");
    for wrong in [
        json!({"trouble": [{"at": "profile", "fault": "stale", "seconds": 200}]}),
        json!({"trouble": [{"at": "request", "fault": "repeated", "copies": 101}]}),
    ] {
        assert_eq!(
            send(&simulator, "PUT", "/sim/v1/trouble", &headers, Some(wrong))
                .await
                .0,
            400
        );
    }
    for (path, body) in [
        ("digits", Some(json!({"digits": "1"}))),
        ("hangup", None),
        ("answer", None),
    ] {
        assert_eq!(
            send(
                &simulator,
                "POST",
                &format!("/sim/v1/calls/none/{path}"),
                &headers,
                body
            )
            .await
            .0,
            404
        );
    }
    simulator.shutdown().await;
}

fn parse(text: &str) -> Result<SimulatorConfig, ConfigError> {
    SimulatorConfig::parse(text, Path::new("/etc/skillcall/simulator.toml"))
}

#[test]
fn settings_files_are_read_and_wrong_ones_named_by_line_and_column() {
    let good = r#"
[skill]
model = "models/en-US.json"
[alexa]
listen = "127.0.0.1:7090"
token-file = "secrets/simulator.token"
[[customer]]
mobile-number = { country-code = "+1", phone-number = "2045550100" }
granted = ["alexa::profile:mobile_number:read"]
[device]
sip-target = "127.0.0.1:5060"
voice = { kind = "wav", file = "voice/guest.wav" }
script = [{ when = "prompt-ended", act = { do = "press", digits = "1" } }]
[phone]
listen = "127.0.0.1:5070"
answering = { mode = "after-ringing", milliseconds = 500 }
script = [{ when = "heard", milliseconds = 2000, act = { do = "hang-up" } }]
"#;
    let config = parse(good).expect("good");
    assert_eq!(
        config.skill.model,
        Path::new("/etc/skillcall/models/en-US.json")
    );
    assert_eq!(
        config.alexa.token_file.as_deref(),
        Some(Path::new("/etc/skillcall/secrets/simulator.token"))
    );
    assert_eq!(
        config.customers[0].number().as_deref(),
        Some("+12045550100")
    );
    for (from, to, place, words) in [
        (
            "listen = \"127.0.0.1:7090\"",
            "listne = \"127.0.0.1:7090\"",
            "simulator.toml:5:1",
            "listne",
        ),
        (
            "listen = \"127.0.0.1:7090\"",
            "listen = 7090",
            "simulator.toml:5:10",
            "invalid type",
        ),
        (
            "token-file = \"secrets/simulator.token\"",
            "token = \"0123456789abcdef\"",
            "simulator.toml:6:",
            "must not stand in this file",
        ),
        (
            "listen = \"127.0.0.1:7090\"",
            "listen = \"0.0.0.0:7090\"",
            "alexa.listen",
            "no loopback address",
        ),
        (
            "listen = \"127.0.0.1:5070\"",
            "listen = \"192.0.2.1:5070\"",
            "phone.listen",
            "no loopback address",
        ),
        (
            "[phone]",
            "[phone]\nmax-seconds = 0",
            "phone.max-seconds",
            "1 to 7200",
        ),
        (
            "[device]",
            "[[customer]]\n[device]",
            "customer.device-id",
            "same device",
        ),
    ] {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good);
        let error = parse(&text).expect_err(to).to_string();
        assert!(error.contains(place) && error.contains(words), "{error}");
        assert!(
            !error.contains("0123456789abcdef"),
            "the secret is not repeated: {error}"
        );
    }
}

#[tokio::test]
async fn a_token_file_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("simulator.token");
    std::fs::write(&file, format!("{TOKEN}\n")).expect("written");
    let mut config = support::config(folder.path());
    config.alexa.token = None;
    config.alexa.token_file = Some(file.clone());
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("set");
    let error = Simulator::start(config.clone())
        .await
        .expect_err("others can read it")
        .to_string();
    assert!(error.contains("chmod 600"), "{error}");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("set");
    let simulator = Simulator::start(config).await.expect("started");
    assert_eq!(simulator.token().expose(), TOKEN);
    let linked = folder.path().join("linked.token");
    std::fs::write(&linked, "Atza|a-linked-account-token").expect("written");
    std::fs::set_permissions(&linked, std::fs::Permissions::from_mode(0o600)).expect("set");
    let (skill, url) = Skill::polite(Some(true)).await;
    let mut config = support::config(folder.path());
    config.skill.endpoint = url;
    config.customers = vec![Customer {
        access_token_file: Some(linked),
        ..Customer::default()
    }];
    let other = Simulator::start(config).await.expect("started");
    other.say("help").await.expect("said");
    let asked = skill.requests().remove(0);
    assert_eq!(
        asked.body["session"]["user"]["accessToken"],
        "Atza|a-linked-account-token"
    );
    other.shutdown().await;
    simulator.shutdown().await;
}
